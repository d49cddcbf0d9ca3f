//! Who may see the admin port: holders of the token, or on loopback whoever asks by a loopback
//! name. The latter keeps a web page from reading it through a name of its own (DNS rebinding).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::AdminState;

pub(super) async fn check(
    State(state): State<Arc<AdminState>>,
    request: Request,
    next: Next,
) -> Response {
    let allowed = match &state.token {
        Some(token) => has_token(request.headers(), token),
        None => state.admin.ip().is_loopback() && asks_by_loopback(request.headers()),
    };
    if allowed {
        return next.run(request).await;
    }
    let message = if state.token.is_some() {
        "show the admin token: Authorization: Bearer <token>\n"
    } else {
        "the admin port answers to localhost and 127.0.0.1 only, unless a token is set\n"
    };
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], message).into_response()
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    shown.is_some_and(|shown| same(shown.as_bytes(), token.as_bytes()))
}

/// Compares in a time that does not depend on where the texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

fn asks_by_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

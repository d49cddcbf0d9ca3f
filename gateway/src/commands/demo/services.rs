//! The sample services: real HTTP servers on free ports, each with a few methods and JSON answers.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::Path;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::args::SampleService;

/// Starts all three; they end with the runtime.
pub(in crate::commands) async fn start() -> std::io::Result<BTreeMap<&'static str, SocketAddr>> {
    let services = [SampleService::Finance, SampleService::Stock, SampleService::Esg];
    let mut addresses = BTreeMap::new();
    for service in services {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        addresses.insert(service.as_str(), listener.local_addr()?);
        tokio::spawn(async move {
            // It serves for as long as the demo runs.
            let _ = axum::serve(listener, router(service)).await;
        });
    }
    Ok(addresses)
}

/// A service with all that it answers; what it does not know it tells back.
pub(in crate::commands) fn router(service: SampleService) -> Router {
    let router = match service {
        SampleService::Finance => finance(),
        SampleService::Stock => stock(),
        SampleService::Esg => esg(),
    };
    let name = service.as_str();
    router
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(move |method, uri, version, headers| echo(name, (method, uri, version), headers))
}

fn finance() -> Router {
    Router::new()
        .route(
            "/fin/quotes",
            get(|| async { Json(json!({ "quotes": ["NVDA", "MSFT", "005930"] })) }),
        )
        .route(
            "/fin/quotes/{symbol}",
            get(|Path(symbol): Path<String>| async move {
                Json(json!({ "service": "finance", "symbol": symbol, "bid": 101.2, "ask": 101.4 }))
            }),
        )
        .route("/fin/orders", post(order).get(|| async { Json(json!({ "orders": [] })) }))
        .route(
            "/fin/orders/{id}",
            get(|Path(id): Path<u32>| async move { Json(json!({ "order": id, "state": "open" })) })
                .delete(|Path(_): Path<u32>| async { StatusCode::NO_CONTENT }),
        )
}

/// Refuses what is no order in the way of FastAPI, so that one sees that a 422 passes untouched.
async fn order(body: String) -> Response {
    match serde_json::from_str::<Value>(&body) {
        Ok(order) if order.get("symbol").is_some_and(Value::is_string) => {
            (StatusCode::CREATED, Json(json!({ "order": 1, "placed": order }))).into_response()
        }
        _ => {
            let detail = json!([{ "loc": ["body", "symbol"], "msg": "field required", "type": "value_error.missing" }]);
            (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "detail": detail }))).into_response()
        }
    }
}

fn stock() -> Router {
    Router::new()
        .route(
            "/stock/{symbol}/price",
            get(|Path(symbol): Path<String>| async move {
                Json(json!({ "service": "stock", "symbol": symbol, "price": 101.3, "currency": "USD" }))
            }),
        )
        .route("/stock/symbols", get(|| async { Json(json!(["NVDA", "MSFT", "005930"])) }))
}

fn esg() -> Router {
    Router::new()
        .route(
            "/esg/ratings/{symbol}",
            get(|Path(symbol): Path<String>| async move {
                Json(json!({ "service": "esg", "symbol": symbol, "rating": "AA" }))
            }),
        )
        .route(
            "/esg/reports",
            get(|| async { Json(json!({ "reports": [2024, 2025, 2026] })) }).post(
                |body: String| async move {
                    (StatusCode::ACCEPTED, Json(json!({ "bytes": body.len() })))
                },
            ),
        )
}

/// Says what it got: what the gateway made of a request can be seen.
async fn echo(
    service: &'static str,
    (method, uri, version): (Method, Uri, Version),
    headers: HeaderMap,
) -> Json<Value> {
    let seen: BTreeMap<String, String> = headers
        .iter()
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    Json(json!({
        "service": service, "method": method.as_str(), "path": uri.path(), "query": uri.query(),
        "protocol": format!("{version:?}"), "headers": seen,
    }))
}

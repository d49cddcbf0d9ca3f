//! Why a request gets where it gets, asked of this gateway: of the snapshot that it serves, with
//! where it finds the backends.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fairway_snapshot::why::WhyRequest;

use super::{AdminState, routes};

pub(super) async fn answer(
    State(state): State<Arc<AdminState>>,
    Json(request): Json<WhyRequest>,
) -> Response {
    let Some(published) = state.shown.load_full() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "no snapshot yet\n").into_response();
    };
    match request.answer(&published.snapshot) {
        Ok(mut view) => {
            routes::find(&state, &mut view.outcome.backends);
            for candidate in &mut view.candidates {
                routes::find(&state, &mut candidate.route.backends);
            }
            Json(view).into_response()
        }
        Err(problem) => (StatusCode::BAD_REQUEST, problem + "\n").into_response(),
    }
}

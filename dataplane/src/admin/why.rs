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
    match request.answer(&published.snapshot, &state.redaction) {
        Ok(mut view) => {
            let outcome = &mut view.outcome;
            routes::find(&state, &mut outcome.backends, &mut outcome.mirrors);
            for route in view.candidates.iter_mut().map(|candidate| &mut candidate.route) {
                routes::find(&state, &mut route.backends, &mut route.mirrors);
            }
            Json(view).into_response()
        }
        Err(problem) => (StatusCode::BAD_REQUEST, problem + "\n").into_response(),
    }
}

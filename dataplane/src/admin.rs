//! The ports for operators: status (health, readiness, metrics) and admin (the live page and the
//! routes). Both are listeners of their own on the control runtime; no route leads to them.

mod guard;
mod reserved;
mod routes;
mod why;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use fairway_snapshot::{Published, Redaction};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::config::{Applied, Config};
use crate::telemetry::collector::DataPlaneCollector;
use crate::telemetry::metrics::Metrics;
use crate::upstream::discovery::Discovery;
pub(crate) use reserved::Reserved;

/// What both ports show.
#[derive(Debug)]
pub(crate) struct AdminState {
    token: Option<String>,
    admin: SocketAddr,
    redaction: Redaction,
    applied: watch::Receiver<Applied>,
    shown: Arc<ArcSwapOption<Published>>,
    metrics: Arc<Metrics>,
    discovery: Arc<Discovery>,
    registry: Registry,
    draining: AtomicBool,
    /// What whoever asks for readiness should know beside it.
    note: ArcSwapOption<String>,
}

impl AdminState {
    pub(crate) fn new(
        config: &Config,
        applied: watch::Receiver<Applied>,
        shown: Arc<ArcSwapOption<Published>>,
        metrics: Arc<Metrics>,
        discovery: Arc<Discovery>,
        mut registry: Registry,
    ) -> Self {
        registry.register_collector(Box::new(DataPlaneCollector(Arc::clone(&metrics))));
        Self {
            token: config.admin_token.clone(),
            admin: config.admin,
            redaction: config.redaction.clone(),
            applied,
            shown,
            metrics,
            discovery,
            registry,
            draining: AtomicBool::new(false),
            note: ArcSwapOption::empty(),
        }
    }

    pub(crate) fn set_note(&self, note: Option<String>) {
        self.note.store(note.map(Arc::new));
    }

    /// From now on the gateway is not ready.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether traffic should come, or why not.
    fn readiness(&self) -> Result<u64, &'static str> {
        let revision = self.applied.borrow().revision;
        if self.draining.load(Ordering::Relaxed) {
            Err("draining: this gateway is about to end")
        } else if revision == 0 {
            Err("waiting for the first complete snapshot")
        } else {
            Ok(revision)
        }
    }
}

/// Serves the status port for as long as it lives.
pub(crate) async fn serve_status(listener: Reserved, state: Arc<AdminState>) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(state);
    serve(listener, router).await;
}

/// Serves the admin port for as long as it lives.
pub(crate) async fn serve_admin(listener: Reserved, state: Arc<AdminState>) {
    let router = Router::new()
        .route("/", get(|| async { Html(include_str!("admin/page.html")) }))
        .route("/routes", get(routes::show))
        .route("/why", post(why::answer))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), guard::check))
        .with_state(state);
    serve(listener, router).await;
}

async fn serve(listener: Reserved, router: Router) {
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "control port ended");
    }
}

async fn readyz(State(state): State<Arc<AdminState>>) -> Response {
    match state.readiness() {
        Ok(revision) => {
            let note = state.note.load();
            let body = match &*note {
                Some(note) => {
                    serde_json::json!({ "ready": true, "revision": revision, "note": **note })
                }
                None => serde_json::json!({ "ready": true, "revision": revision }),
            };
            Json(body).into_response()
        }
        Err(reason) => {
            let body = Json(serde_json::json!({ "ready": false, "reason": reason }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn metrics(State(state): State<Arc<AdminState>>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &state.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

//! The live routes as JSON: the view of the snapshot, with what this gateway has seen of each.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use fairway_snapshot::UpstreamId;
use fairway_snapshot::dump::{BackendView, CountsView, EndpointsView, MirrorView, RoutesView};

use super::AdminState;
use crate::telemetry::rule_metrics::RuleTotals;
use crate::upstream::discovery::{EndpointState, Endpoints};

pub(super) async fn show(State(state): State<Arc<AdminState>>) -> Json<RoutesView> {
    let Some(published) = state.shown.load_full() else { return Json(RoutesView::default()) };
    let mut view = RoutesView::new(&published.snapshot);
    view.revision = Some(published.revision);
    let totals: HashMap<(String, String, String), RuleTotals> = state
        .metrics
        .rules()
        .into_iter()
        .map(|rule| {
            let object = &rule.id.object;
            let key =
                (object.namespace.to_string(), object.name.to_string(), rule.id.name.to_string());
            (key, rule.totals())
        })
        .collect();
    let failures = state.applied.borrow().failures.clone();
    for listener in &mut view.listeners {
        let failed = failures.iter().find(|failure| failure.listener.as_str() == listener.name);
        listener.failure = failed.map(|failure| failure.message.clone());
        for route in &mut listener.routes {
            let key = (route.namespace.clone(), route.route.clone(), route.rule.clone());
            route.counts = totals.get(&key).map(counts);
            find(&state, &mut route.backends, &mut route.mirrors);
        }
    }
    Json(view)
}

/// Says of each backend and mirror where this gateway finds it.
pub(super) fn find(state: &AdminState, backends: &mut [BackendView], mirrors: &mut [MirrorView]) {
    let find = |upstream: Option<&str>| {
        let known = upstream.and_then(|id| state.discovery.show(&UpstreamId::from(id)));
        known.map(endpoints)
    };
    for backend in backends {
        backend.endpoints = find(backend.upstream.as_deref());
    }
    for mirror in mirrors {
        mirror.endpoints = find(mirror.upstream.as_deref());
    }
}

fn counts(totals: &RuleTotals) -> CountsView {
    let requests = totals.requests();
    CountsView {
        requests,
        errors: totals.errors(),
        mean_microseconds: totals.microseconds.checked_div(requests).unwrap_or_default(),
    }
}

fn endpoints(known: Endpoints) -> EndpointsView {
    let (state, message) = match known.state {
        EndpointState::Pending => ("pending", None),
        EndpointState::Ready => ("ready", None),
        EndpointState::LastGood { message, .. } => ("lastGood", Some(message)),
        EndpointState::Refused { message } => ("refused", Some(message)),
        EndpointState::Failed { message, .. } => ("failed", Some(message)),
    };
    EndpointsView { state: state.to_owned(), message, addresses: known.addresses }
}

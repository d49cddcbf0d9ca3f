//! Addresses that replace those of Services, held against what the manifests or the cluster say.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_controller::Inputs;
use fairway_snapshot::{ObjectId, Upstream};
use tokio::sync::watch;

/// What to tell of each Service that has an address and that nothing speaks of: most likely a
/// mistake in its name.
pub(crate) fn unknown(overrides: &BTreeMap<ObjectId, Upstream>, inputs: &Inputs) -> Vec<String> {
    let unknown = overrides.iter().filter(|(id, _)| {
        let named = inputs
            .routes
            .iter()
            .any(|(route, object)| object.services(&route.namespace).contains(*id));
        !named && !inputs.services.contains_key(*id)
    });
    let told = unknown.map(|(id, upstream)| {
        format!(
            "backend {id}={}: no ServiceRoute refers to Service {id}: write the namespace and name of a Service that a rule names",
            upstream.id()
        )
    });
    told.collect()
}

/// The same of a cluster, from its first complete inputs; nothing when they never come.
pub(crate) async fn unknown_at_first(
    overrides: &BTreeMap<ObjectId, Upstream>,
    mut inputs: watch::Receiver<Option<Arc<Inputs>>>,
) -> Vec<String> {
    match inputs.wait_for(Option::is_some).await {
        Ok(first) => first.as_deref().map_or_else(Vec::new, |first| unknown(overrides, first)),
        Err(_) => Vec::new(),
    }
}

//! Grouping: which objects speak for which host of a listener.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_snapshot::{Host, HostPattern, ListenerName, ObjectId};

use super::lower::Lowered;
use super::memo::Memo;

/// The hosts of one listener, the more specific first.
pub(super) fn hosts(
    listener: &ListenerName,
    objects: &BTreeMap<ObjectId, Arc<Lowered>>,
    memo: &mut Memo,
) -> Vec<Arc<Host>> {
    let mut by_host: BTreeMap<&HostPattern, Vec<Arc<Lowered>>> = BTreeMap::new();
    for lowered in objects.values() {
        if !lowered.routes_of(listener).is_empty() {
            for host in &lowered.hosts {
                if lowered.routes_under(listener, host).next().is_none() {
                    continue;
                }
                by_host.entry(host).or_default().push(Arc::clone(lowered));
            }
        }
    }
    by_host.into_iter().map(|(pattern, objects)| memo.host(listener, pattern, objects)).collect()
}

//! Grouping: the routes of all objects, by listener and host, in the order of precedence.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use fairway_snapshot::{Host, HostPattern, ListenerName, MethodMatch, ObjectId, Precedence, Route};
use http::Method;

use super::conflicts::{Overlap, overlaps};
use super::lower::{Lowered, LoweredRoute};
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
    by_host
        .into_iter()
        .map(|(pattern, objects)| {
            memo.host(listener, pattern, objects, |objects| host(listener, pattern, objects))
        })
        .collect()
}

/// A host, and the conflicts among its routes.
fn host(
    listener: &ListenerName,
    pattern: &HostPattern,
    objects: &[Arc<Lowered>],
) -> (Host, Vec<Overlap>) {
    let all = || objects.iter().flat_map(|object| object.routes_under(listener, pattern));
    // By shape, for what somebody calls a capture is nobody else's concern.
    let names_head: HashSet<_> = all()
        .filter(|lowered| lowered.names_head)
        .map(|lowered| lowered.route.path.shape())
        .collect();
    let routes: Vec<_> = all()
        .map(|LoweredRoute { route: lowered, names_head: own }| {
            let mut route = lowered.clone();
            // GET covers HEAD, unless a rule for the same path names HEAD.
            if let MethodMatch::Only(methods) = &mut route.methods
                && methods.contains(&Method::GET)
                && (*own || names_head.is_empty() || !names_head.contains(&lowered.path.shape()))
            {
                methods.insert(&Method::HEAD);
            }
            route
        })
        .collect();
    let routes = sorted(pattern, routes);
    let overlaps = overlaps(pattern, &routes);
    (Host { pattern: pattern.clone(), routes }, overlaps)
}

/// The routes in the order of precedence. Each key is made once, and not for every comparison.
fn sorted(pattern: &HostPattern, routes: Vec<Route>) -> Vec<Route> {
    let keys: Vec<_> = routes.iter().map(|route| Precedence::of(pattern, route)).collect();
    let mut order: Vec<usize> = (0..routes.len()).collect();
    order.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
    drop(keys);
    let mut routes: Vec<Option<Route>> = routes.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| routes[index].take()).collect()
}

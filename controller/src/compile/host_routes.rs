//! The routes of one host in the order of precedence, and the conflicts among them.
//!
//! They are put together from those of the last time: when one object of thousands has changed, its
//! routes go, its new ones come, and only routes for the same paths are compared anew.

use std::collections::HashSet;
use std::sync::Arc;

use fairway_snapshot::{
    Host, HostPattern, ListenerName, MethodMatch, PathMatch, PathShape, Precedence, Route, Rule,
    differing,
};
use http::Method;

use super::conflicts::{Overlap, overlaps};
use super::lower::{Lowered, LoweredRoute};

/// A host, and what it was made from.
#[derive(Debug)]
pub(super) struct HostRoutes {
    listener: ListenerName,
    /// The objects that speak for it.
    objects: Vec<Arc<Lowered>>,
    /// As it was told first with this content.
    pub(super) host: Arc<Host>,
    /// The same routes, of these objects.
    routes: Arc<[Route]>,
    /// Paths for which a rule names HEAD itself.
    names_head: Vec<PathMatch>,
    /// The conflicts among its routes, in the order of the losers.
    pub(super) overlaps: Vec<Overlap>,
}

impl HostRoutes {
    pub(super) fn new(
        listener: &ListenerName,
        pattern: &HostPattern,
        objects: Vec<Arc<Lowered>>,
    ) -> Self {
        let all: Vec<_> =
            objects.iter().flat_map(|object| object.routes_under(listener, pattern)).collect();
        let heads = all.iter().filter(|lowered| lowered.names_head);
        let names_head: Vec<_> = heads.map(|lowered| lowered.route.path.clone()).collect();
        let routes: Arc<[Route]> = sorted(pattern, served(&all, &names_head)).into();
        let mut overlaps = overlaps(pattern, &*routes);
        overlaps.sort_by(|a, b| a.place().cmp(&b.place()));
        Self {
            listener: listener.clone(),
            objects,
            host: Arc::new(Host { pattern: pattern.clone(), routes: Arc::clone(&routes) }),
            routes,
            names_head,
            overlaps,
        }
    }

    /// Whether these objects are those that it was made from.
    fn is_of(&self, objects: &[Arc<Lowered>]) -> bool {
        self.objects.len() == objects.len()
            && self.objects.iter().zip(objects).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// The host of these objects: what [`Self::new`] makes of them, mostly for less. A host whose
    /// content is the same stays the same value.
    pub(super) fn with(self, objects: Vec<Arc<Lowered>>) -> Self {
        if self.is_of(&objects) {
            return self;
        }
        let changed = self.changed(&objects);
        let mut made =
            changed.unwrap_or_else(|| Self::new(&self.listener, &self.host.pattern, objects));
        if made.host == self.host {
            made.host = self.host;
        }
        made
    }

    /// The same with what differs in the objects; `None` when it has to be made anew.
    fn changed<'o>(&'o self, objects: &'o [Arc<Lowered>]) -> Option<Self> {
        let pattern = &self.host.pattern;
        let (gone, come) = exchanged(&self.objects, objects);
        let under =
            |object: &'o Arc<Lowered>| Lowered::routes_under(object, &self.listener, pattern);
        let gone: Vec<&LoweredRoute> = gone.into_iter().flat_map(under).collect();
        let come: Vec<&LoweredRoute> = come.into_iter().flat_map(under).collect();
        // Most of it is new; or other objects' routes take HEAD now, or take it no more.
        if gone.len() + come.len() > self.routes.len()
            || gone.iter().chain(&come).any(|lowered| lowered.names_head)
        {
            return None;
        }
        let rules: HashSet<*const Rule> =
            gone.iter().map(|lowered| Arc::as_ptr(&lowered.route.rule)).collect();
        let come_sorted = sorted(pattern, served(&come, &self.names_head));
        let routes: Arc<[Route]> = merged(pattern, &self.routes, &rules, come_sorted).into();

        let touched: HashSet<PathShape<'_>> =
            gone.iter().chain(&come).map(|lowered| lowered.route.path.shape()).collect();
        // Most paths begin otherwise, which costs less to see.
        let begins: HashSet<&str> =
            gone.iter().chain(&come).map(|lowered| lowered.route.path.literal_prefix()).collect();
        let again = routes.iter().filter(|route| {
            begins.contains(route.path.literal_prefix()) && touched.contains(&route.path.shape())
        });
        let again = overlaps(pattern, again);
        let known = self.overlaps.iter();
        let known = known.filter(|overlap| !touched.contains(&overlap.path().shape()));
        let mut overlaps: Vec<Overlap> = known.cloned().chain(again).collect();
        overlaps.sort_by(|a, b| a.place().cmp(&b.place()));
        Some(Self {
            listener: self.listener.clone(),
            objects: objects.to_vec(),
            host: Arc::new(Host { pattern: pattern.clone(), routes: Arc::clone(&routes) }),
            routes: Arc::clone(&routes),
            names_head: self.names_head.clone(),
            overlaps,
        })
    }
}

/// The objects that are not there any more, and those that were not.
fn exchanged<'o>(
    old: &'o [Arc<Lowered>],
    new: &'o [Arc<Lowered>],
) -> (Vec<&'o Arc<Lowered>>, Vec<&'o Arc<Lowered>>) {
    let (gone, come) = differing(old, new, Arc::ptr_eq);
    let (gone, come) = (&old[gone], &new[come]);
    let not_in = |one: &'o [Arc<Lowered>], other: &[Arc<Lowered>]| {
        let other: HashSet<*const Lowered> = other.iter().map(Arc::as_ptr).collect();
        one.iter().filter(|object| !other.contains(&Arc::as_ptr(object))).collect()
    };
    (not_in(gone, come), not_in(come, gone))
}

/// The routes as they are served: GET covers HEAD, unless a rule for the same path names HEAD.
fn served<'l>(lowered: &[&'l LoweredRoute], names_head: &'l [PathMatch]) -> Vec<Route> {
    // By shape, for what somebody calls a capture is nobody else's concern.
    let heads: HashSet<PathShape<'l>> = names_head.iter().map(PathMatch::shape).collect();
    let served = |lowered: &&'l LoweredRoute| {
        let mut route = lowered.route.clone();
        if let MethodMatch::Only(methods) = &mut route.methods
            && methods.contains(&Method::GET)
            && (lowered.names_head
                || heads.is_empty()
                || !heads.contains(&lowered.route.path.shape()))
        {
            methods.insert(&Method::HEAD);
        }
        route
    };
    lowered.iter().map(served).collect()
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

/// Routes without those of some rules, and with others; all of them are in order.
fn merged(
    pattern: &HostPattern,
    routes: &[Route],
    without: &HashSet<*const Rule>,
    with: Vec<Route>,
) -> Vec<Route> {
    let mut merged = Vec::with_capacity(routes.len() + with.len());
    let mut rest = routes;
    let stays = |route: &&Route| !without.contains(&Arc::as_ptr(&route.rule));
    for route in with {
        let key = Precedence::of(pattern, &route);
        let before = rest.partition_point(|known| Precedence::of(pattern, known) < key);
        merged.extend(rest[..before].iter().filter(stays).cloned());
        merged.push(route);
        rest = &rest[before..];
    }
    merged.extend(rest.iter().filter(stays).cloned());
    merged
}

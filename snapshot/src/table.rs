//! The indexes over a snapshot, and the lookup of one request.
//!
//! A table is built from a snapshot and from the table before it: a host that did not change
//! keeps its indexes. What a caller needs beside each rule (`X`: counters, pools) is attached
//! when the table is built, so that a request looks nothing up by name.

mod paths;
#[cfg(test)]
pub(crate) mod tests;
mod witness;

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use smallvec::SmallVec;

use crate::differing::differing;
use crate::normalize::Normalization;
use crate::{
    HeaderFields, Host, HostPattern, Listener, ListenerName, MethodMatch, MethodSet, PathMatch,
    Route, Rule, Snapshot, WrongMethod,
};
use paths::PathIndex;
pub use witness::{Mismatch, Witness};

/// A name in a table. Most are short, and then stand in the table itself: a name elsewhere would
/// cost each lookup a wait for memory.
type Name = SmallVec<[u8; 24]>;

/// A map with a fast hash that is seeded per process.
type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What of a request decides its route.
#[derive(Clone, Copy, Debug)]
pub struct RouteRequest<'a> {
    /// The host in lower case, without port; empty when the request has none.
    pub host: &'a str,
    /// The normalised path.
    pub path: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The header fields.
    pub headers: &'a dyn HeaderFields,
    /// The query as it came, without its question mark.
    pub query: Option<&'a str>,
    /// The method that a CORS preflight asks for (`Access-Control-Request-Method`).
    pub preflight: Option<&'a Method>,
}

/// The method that a CORS preflight asks for (Fetch standard, CORS-preflight request).
#[must_use]
pub fn preflight(method: &Method, headers: &dyn HeaderFields) -> Option<Method> {
    if *method != Method::OPTIONS || headers.first(&ORIGIN).is_none() {
        return None;
    }
    let asked = headers.first(&ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(asked).ok()
}

/// What the table says of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Find<'t, X> {
    /// A route takes it.
    Match(RouteMatch<'t, X>),
    /// The path is known, but not with this method: 405.
    MethodNotAllowed {
        /// The methods that are known there.
        allow: MethodSet,
    },
    /// An `OPTIONS` request that no rule takes: 204.
    Options {
        /// The methods that are known there.
        allow: MethodSet,
    },
    /// No route knows the path, or none whose conditions hold: 404.
    NotFound,
}

/// The route that takes a request.
#[derive(Debug, PartialEq, Eq)]
pub struct RouteMatch<'t, X> {
    /// The host pattern that it stands under.
    pub host: &'t HostPattern,
    /// The route.
    pub route: &'t Route,
    /// What was attached to its rule.
    pub attached: &'t X,
}

/// The indexes over one snapshot.
#[derive(Debug)]
pub struct RouteTable<X = ()> {
    listeners: Vec<ListenerTable<X>>,
}

/// The indexes of one listener.
#[derive(Debug)]
pub struct ListenerTable<X = ()> {
    /// The listener's name.
    pub name: ListenerName,
    /// How its paths are normalised.
    pub normalization: Normalization,
    exact: FastMap<Name, HostTable<X>>,
    wildcards: FastMap<Name, HostTable<X>>,
    any: Option<HostTable<X>>,
}

/// The indexes of one host pattern. It stands in the map of hosts itself, and its parts elsewhere,
/// so that a lookup waits for no memory that it does not need.
#[derive(Clone, Debug)]
struct HostTable<X> {
    host: Arc<Host>,
    /// Those of the host.
    routes: Arc<[Route]>,
    /// What was attached to the rule of each route, by index of the route.
    attached: Arc<[X]>,
    /// Kept as long as the paths of all routes are the same.
    paths: Arc<PathIndex>,
}

// === impl RouteTable ===

/// A table without listeners, as it is before the first snapshot.
impl<X> Default for RouteTable<X> {
    fn default() -> Self {
        Self { listeners: Vec::new() }
    }
}

impl<X: Clone> RouteTable<X> {
    /// Builds the indexes. `attach` is called once for each rule that is not the same `Arc` as in
    /// `previous`, under the same host. A host that is the same `Arc` keeps its indexes too.
    pub fn build(
        snapshot: &Snapshot,
        previous: Option<&Self>,
        mut attach: impl FnMut(&Arc<Rule>) -> X,
    ) -> Self {
        let listeners = snapshot
            .listeners
            .iter()
            .map(|(name, listener)| {
                let before = previous.and_then(|table| table.listener(name));
                ListenerTable::build(name, listener, before, &mut attach)
            })
            .collect();
        Self { listeners }
    }
}

impl<X> RouteTable<X> {
    /// The indexes of a listener. There are few listeners, so they are searched one by one.
    #[must_use]
    pub fn listener(&self, name: &ListenerName) -> Option<&ListenerTable<X>> {
        self.listeners.iter().find(|listener| listener.name == *name)
    }
}

// === impl ListenerTable ===

impl<X: Clone> ListenerTable<X> {
    pub(crate) fn build(
        name: &ListenerName,
        listener: &Listener,
        previous: Option<&Self>,
        attach: &mut impl FnMut(&Arc<Rule>) -> X,
    ) -> Self {
        let mut table = Self {
            name: name.clone(),
            normalization: listener.normalization,
            exact: FastMap::default(),
            wildcards: FastMap::default(),
            any: None,
        };
        for host in &listener.hosts {
            let before = previous.and_then(|table| table.host(&host.pattern));
            let indexed = match before {
                Some(before) if Arc::ptr_eq(&before.host, host) => before.clone(),
                _ => HostTable::build(host, before, attach),
            };
            match &host.pattern {
                HostPattern::Exact(name) => {
                    table.exact.insert(name.as_bytes().into(), indexed);
                }
                HostPattern::Wildcard(suffix) => {
                    table.wildcards.insert(suffix.as_bytes().into(), indexed);
                }
                HostPattern::Any => table.any = Some(indexed),
            }
        }
        table
    }
}

impl<X> ListenerTable<X> {
    fn host(&self, pattern: &HostPattern) -> Option<&HostTable<X>> {
        match pattern {
            HostPattern::Exact(name) => self.exact.get(name.as_bytes()),
            HostPattern::Wildcard(suffix) => self.wildcards.get(suffix.as_bytes()),
            HostPattern::Any => self.any.as_ref(),
        }
    }

    /// The host tables that speak for `host`, the most specific first.
    fn tiers<'t>(&'t self, host: &str) -> impl Iterator<Item = &'t HostTable<X>> {
        let exact = self.exact.get(host.as_bytes());
        let suffixes = host.match_indices('.').map(|(dot, _)| dot).filter(|dot| *dot > 0);
        let wildcards = suffixes
            .take_while(|_| !self.wildcards.is_empty())
            .filter_map(|dot| self.wildcards.get(&host.as_bytes()[dot..]));
        exact.into_iter().chain(wildcards).chain(&self.any)
    }

    /// Finds the route of a request. The most specific host that knows the path decides; within
    /// it the first route in order whose conditions all hold.
    #[must_use]
    pub fn find(&self, request: &RouteRequest<'_>) -> Find<'_, X> {
        self.find_with(request, &mut ())
    }

    /// The same, seen by a witness.
    pub fn find_with<'t, W: Witness<'t>>(
        &'t self,
        request: &RouteRequest<'_>,
        witness: &mut W,
    ) -> Find<'t, X> {
        let mut decided = None;
        for table in self.tiers(request.host) {
            witness.host(&table.host.pattern, decided.is_some());
            let headers = Some(request.headers);
            let (found, known) = table.search(request, request.method, headers, witness);
            if decided.is_none() {
                decided = match found {
                    Some(found) => Some(Find::Match(found)),
                    None => known.then(|| table.known_path(request, witness)),
                };
            }
            if decided.is_some() && !W::SEES_ALL {
                break;
            }
        }
        decided.unwrap_or(Find::NotFound)
    }
}

// === impl HostTable ===

impl<X: Clone> HostTable<X> {
    fn build(
        host: &Arc<Host>,
        before: Option<&Self>,
        attach: &mut impl FnMut(&Arc<Rule>) -> X,
    ) -> Self {
        let routes = Arc::clone(&host.routes);
        let known = before.map_or(&[][..], |before| &before.routes);
        let kept = before.map_or(&[][..], |before| &before.attached);
        // A rule that stood in the table before keeps what was attached to it then. Mostly few of
        // many have changed, and in the same place: only there rules are looked up.
        let (gone, new) = differing(known, &routes, |a, b| Arc::ptr_eq(&a.rule, &b.rule));
        // A rule with several matches stands in several routes; it is attached to once.
        let mut made: FastMap<*const Rule, X> = FastMap::default();
        let rules = known[gone.clone()].iter().map(|route| Arc::as_ptr(&route.rule));
        made.extend(rules.zip(kept[gone.clone()].iter().cloned()));
        let between = routes[new].iter().map(|route| {
            made.entry(Arc::as_ptr(&route.rule)).or_insert_with(|| attach(&route.rule)).clone()
        });
        let (front, back) = (&kept[..gone.start], &kept[gone.end..]);
        let attached: Vec<X> =
            front.iter().cloned().chain(between).chain(back.iter().cloned()).collect();
        let paths = before
            .filter(|before| before.routes.iter().map(path).eq(routes.iter().map(path)))
            .map_or_else(
                || Arc::new(PathIndex::build(&routes)),
                |before| Arc::clone(&before.paths),
            );
        Self { host: Arc::clone(host), routes, attached: attached.into(), paths }
    }
}

const fn path(route: &Route) -> &PathMatch {
    &route.path
}

impl<X> HostTable<X> {
    /// The first route for a request with this method and these headers, and whether any route
    /// knows the path.
    fn search<'t, W: Witness<'t>>(
        &'t self,
        request: &RouteRequest<'_>,
        method: &Method,
        headers: Option<&dyn HeaderFields>,
        witness: &mut W,
    ) -> (Option<RouteMatch<'t, X>>, bool) {
        let mut known = false;
        let mut found = None;
        self.paths.first(request.path, |index| {
            known = true;
            let route = &self.routes[index];
            let test = route.test(method, headers, request.query);
            witness.tested(route, test);
            if test.is_ok() {
                found = found.or(Some(index));
            }
            found.is_some() && !W::SEES_ALL
        });
        (found.map(|index| self.matched(index)), known)
    }

    fn matched(&self, index: usize) -> RouteMatch<'_, X> {
        RouteMatch {
            host: &self.host.pattern,
            route: &self.routes[index],
            attached: &self.attached[index],
        }
    }

    /// The answer for a path that is known, with a method that is not. Routes whose other
    /// conditions do not hold have no say in it.
    fn known_path<'t, W: Witness<'t>>(
        &'t self,
        request: &RouteRequest<'_>,
        witness: &mut W,
    ) -> Find<'t, X> {
        if let Some(asked) = request.preflight {
            witness.preflight();
            if let (Some(found), _) = self.search(request, asked, None, witness) {
                return Find::Match(found);
            }
        }
        let mut allow = MethodSet::default();
        let mut refuses = false;
        let mut answers_options = false;
        // The headers of a preflight are not those of the request that it asks for.
        let headers = request.preflight.is_none().then_some(request.headers);
        self.paths.first(request.path, |index| {
            let route = &self.routes[index];
            if !route.asks_no_more(headers, request.query) {
                return false;
            }
            if let MethodMatch::Only(methods) = &route.methods {
                allow.union(methods);
            }
            let semantics = route.rule.semantics;
            refuses |= semantics.wrong_method == WrongMethod::MethodNotAllowed;
            answers_options |= semantics.answer_options;
            false
        });
        if answers_options {
            allow.insert(&Method::OPTIONS);
        }
        if answers_options && request.method == Method::OPTIONS {
            Find::Options { allow }
        } else if refuses {
            Find::MethodNotAllowed { allow }
        } else {
            Find::NotFound
        }
    }
}

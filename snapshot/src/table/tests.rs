//! The table against a naive scan, over generated worlds; and each criterion of the order.

mod again;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use proptest::prelude::*;

use super::{Find, ListenerTable, RouteRequest, RouteTable};
use crate::{
    Action, Conditions, Host, HostPattern, Listener, ListenerName, MethodMatch, Normalization,
    ObjectId, PathMatch, Precedence, Protocol, Route, Rule, RuleId, Semantics, Snapshot,
};

/// A route as a test writes it: host, path, methods, conditions, and the object's age and name.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    host: &'static str,
    path: &'static str,
    methods: &'static [&'static str],
    /// As JSON; empty is none.
    conditions: &'static str,
    created: i64,
    object: u8,
}

impl Written {
    /// A route of any host that asks for nothing but its path.
    pub(crate) const fn plain(path: &'static str) -> Self {
        Self { host: "*", path, methods: &[], conditions: "", created: 0, object: 0 }
    }
}

fn methods(names: &[&str]) -> MethodMatch {
    if names.is_empty() {
        return MethodMatch::Any;
    }
    let parsed: Vec<Method> = names.iter().map(|name| name.parse().unwrap()).collect();
    MethodMatch::Only(parsed.iter().collect())
}

/// A pattern, or an expression behind `~`.
fn path(text: &str) -> PathMatch {
    match text.strip_prefix('~') {
        Some(text) => PathMatch::Regex { regex: text.parse().unwrap() },
        None => PathMatch::Pattern(text.parse().unwrap()),
    }
}

fn route(written: &Written, index: usize) -> Route {
    let object = Arc::new(ObjectId::new("ns", format!("object-{}", written.object)));
    let index = u16::try_from(index).unwrap();
    Route {
        path: path(written.path),
        methods: methods(written.methods),
        conditions: (!written.conditions.is_empty())
            .then(|| Arc::new(serde_json::from_str(written.conditions).unwrap())),
        match_index: 0,
        rule: Arc::new(Rule {
            id: RuleId { object, index, name: format!("rule-{index}").into() },
            created: written.created,
            semantics: Semantics::default(),
            to_https: None,
            filters: Vec::new(),
            policy: Arc::default(),
            action: Action::Forward(Vec::new()),
        }),
    }
}

/// A route that takes everything of a path.
pub(crate) fn route_to(path: PathMatch) -> Route {
    Route { path, ..route(&plain("/"), 0) }
}

pub(crate) fn name() -> ListenerName {
    ListenerName::from("http")
}

pub(crate) fn snapshot(world: &[Written]) -> Snapshot {
    let mut hosts: BTreeMap<HostPattern, Vec<Route>> = BTreeMap::new();
    for (index, written) in world.iter().enumerate() {
        hosts.entry(written.host.parse().unwrap()).or_default().push(route(written, index));
    }
    let hosts = hosts.into_iter().map(|(pattern, mut routes)| {
        routes.sort_by(|a, b| Precedence::of(&pattern, a).cmp(&Precedence::of(&pattern, b)));
        Arc::new(Host { pattern, routes: routes.into() })
    });
    let listener = Listener {
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        protocol: Protocol::Http,
        proxy_protocol: false,
        normalization: Normalization::default(),
        certificates: std::collections::BTreeMap::new(),
        hosts: hosts.collect(),
    };
    Snapshot { listeners: [(name(), listener)].into(), ..Snapshot::default() }
}

/// A request as a test writes it.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    host: &'a str,
    path: &'a str,
    method: &'a Method,
    /// Of the field `x-v`.
    header: Option<&'a str>,
    query: Option<&'a str>,
}

impl Asked<'_> {
    fn headers(&self) -> HeaderMap {
        let value = self.header.map(|value| (X_V.clone(), value.parse().unwrap()));
        value.into_iter().collect()
    }
}

const X_V: HeaderName = HeaderName::from_static("x-v");

/// The index of the rule that wins, 405, or 404.
fn found(table: &ListenerTable<()>, asked: &Asked<'_>) -> Result<u16, u16> {
    let Asked { host, path, method, query, .. } = *asked;
    let headers = &asked.headers();
    match table.find(&RouteRequest { host, path, method, headers, query, preflight: None }) {
        Find::Match(found) => Ok(found.route.rule.id.index),
        Find::MethodNotAllowed { .. } => Err(405),
        Find::Options { .. } => Err(204),
        Find::NotFound => Err(404),
    }
}

/// The definition: among all routes that know host and path, the host that is most specific
/// decides; of its routes whose conditions hold and that take the method, the one with the least
/// precedence.
fn scan(snapshot: &Snapshot, asked: &Asked<'_>) -> Result<u16, u16> {
    let Asked { host, path, method, query, .. } = *asked;
    let headers = asked.headers();
    let mut known: Vec<(&HostPattern, &Route)> = snapshot.listeners[&name()]
        .hosts
        .iter()
        .filter(|candidate| candidate.pattern.matches(host))
        .flat_map(|host| host.routes.iter().map(|route| (&host.pattern, route)))
        .filter(|(_, route)| route.path.matches(path))
        .collect();
    known.sort_by(|a, b| Precedence::of(a.0, a.1).cmp(&Precedence::of(b.0, b.1)));
    let Some((decides, _)) = known.first().copied() else { return Err(404) };
    let mut of_host = known
        .iter()
        .filter(|(pattern, route)| {
            let holds = |conditions: &Arc<Conditions>| conditions.hold(Some(&headers), query);
            *pattern == decides && route.conditions.as_ref().is_none_or(holds)
        })
        .peekable();
    if of_host.peek().is_none() {
        return Err(404);
    }
    match of_host.find(|(_, route)| route.methods.matches(method)) {
        Some((_, route)) => Ok(route.rule.id.index),
        None if *method == Method::OPTIONS => Err(204),
        None => Err(405),
    }
}

const HOSTS: [&str; 5] = ["*", "a.example", "*.example", "*.b.example", "c.b.example"];
/// With some shapes under two names, which must make no difference.
const PATHS: [&str; 27] = [
    "/*",
    "/a",
    "/a/",
    "/a/*",
    "/a/b",
    "/a/b/*",
    "/{x}",
    "/{x}/b",
    "/a/{y}",
    "/{x}/*",
    "/a/{y}/*",
    "/{x}/{y}",
    "/a/{y}/c",
    "/a/b/c",
    "/{longer}",
    "/a/{longer}",
    "/{longer}/*",
    "/a/{longer}/*",
    "/{a}/{longer}",
    "/{x}/{y}/*",
    "~/a/.*",
    "~/[a-z]/b",
    "~/[a-y]/b",
    "~/a/b.*",
    "~.*",
    "~/a(?:/b)?(?:/c)?",
    "~/a/b/c",
];
const METHODS: [&[&str]; 4] = [&[], &["GET"], &["POST", "PUT"], &["PURGE", "GET"]];
const CONDITIONS: [&str; 6] = [
    "",
    r#"{"headers": [{"name": "x-v", "value": "1"}]}"#,
    r#"{"headers": [{"name": "x-v", "pattern": "[0-9]"}, {"name": "x-other", "present": false}]}"#,
    r#"{"headers": [{"name": "x-v", "present": false}]}"#,
    r#"{"query": [{"name": "b", "present": true}]}"#,
    r#"{"query": [{"name": "b", "value": "1"}], "headers": [{"name": "x-v", "value": "2"}]}"#,
];

pub(crate) fn written() -> impl Strategy<Value = Written> {
    let names = (0..HOSTS.len(), 0..PATHS.len(), 0..METHODS.len(), 0..CONDITIONS.len());
    (names, 0..3i64, 0..3u8).prop_map(|((host, path, methods, conditions), created, object)| {
        Written {
            host: HOSTS[host],
            path: PATHS[path],
            methods: METHODS[methods],
            conditions: CONDITIONS[conditions],
            created,
            object,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_table_finds_what_a_scan_finds(world in prop::collection::vec(written(), 0..24)) {
        let snapshot = snapshot(&world);
        let table = RouteTable::build(&snapshot, None, |_| ());
        let listener = table.listener(&name()).unwrap();
        for host in ["", "a.example", "b.example", "c.b.example", "d.c.b.example", "other"] {
            for path in ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/z", "/z/b", "/z/b/c", "/a/z/c"] {
                for method in [Method::GET, Method::POST, Method::OPTIONS, Method::from_bytes(b"PURGE").unwrap()] {
                    for (header, query) in [(None, None), (Some("1"), Some("a=1&b")), (Some("2"), Some("b=1"))] {
                        let asked = Asked { host, path, method: &method, header, query };
                        prop_assert_eq!(found(listener, &asked), scan(&snapshot, &asked), "{:?}", asked);
                    }
                }
            }
        }
    }

    #[test]
    fn the_order_does_not_depend_on_the_order_of_writing(
        world in prop::collection::vec(written(), 1..12).prop_shuffle()
    ) {
        let pattern = HostPattern::Any;
        let routes: Vec<Route> = world.iter().enumerate().map(|(i, w)| route(w, i)).collect();
        let mut sorted: Vec<&Route> = routes.iter().collect();
        sorted.sort_by(|a, b| Precedence::of(&pattern, a).cmp(&Precedence::of(&pattern, b)));
        let mut reversed: Vec<&Route> = routes.iter().rev().collect();
        reversed.sort_by(|a, b| Precedence::of(&pattern, a).cmp(&Precedence::of(&pattern, b)));
        prop_assert_eq!(sorted, reversed);
    }

    #[test]
    fn a_snapshot_survives_being_written_down(world in prop::collection::vec(written(), 0..12)) {
        let snapshot = snapshot(&world);
        let text = serde_json::to_string(&snapshot).unwrap();
        prop_assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
    }
}

const fn plain(path: &'static str) -> Written {
    Written::plain(path)
}

/// Each pair differs in one criterion; the first wins, however they are written.
#[test]
fn each_criterion_decides() {
    let get: &'static [&'static str] = &["GET"];
    let (header, query) = (CONDITIONS[1], CONDITIONS[4]);
    let pairs = [
        ("the more specific host", Written { host: "a.example", ..plain("/*") }, plain("/a/b")),
        ("the more specific host", Written { host: "*.example", ..plain("/*") }, plain("/a/b")),
        ("the more specific path", plain("/a/b"), plain("/a/{y}")),
        ("the more specific path", plain("/a/{y}"), plain("/{x}/b")),
        ("the more specific path", plain("/{x}/{y}"), plain("/a/*")),
        ("the more specific path", plain("/a/b/*"), plain("/a/*")),
        ("the more specific path", plain("/a/{y}/*"), plain("/a/*")),
        ("the more specific path", plain("/a/*"), plain("/{x}/*")),
        ("the more specific path", plain("/{x}/{y}"), plain("~/a/b")),
        ("the more specific path", plain("~/a/.*"), plain("/a/*")),
        ("the more specific path", plain("/a/*"), plain("~/.*")),
        ("the more specific path", plain("~/a/b.*"), plain("~/a/.*")),
        ("the more specific path", plain("~/[a-z]/b"), plain("~/[ab]/b")),
        ("the older object", plain("~/[a-c]/b"), Written { created: 1, ..plain("~/[a-b]/b") }),
        ("naming methods", Written { methods: get, ..plain("/a/b") }, plain("/a/b")),
        ("naming methods", Written { methods: get, ..plain("/a/{y}/*") }, plain("/a/{b}/*")),
        (
            "more conditions on headers",
            Written { conditions: header, ..plain("/a/b") },
            plain("/a/b"),
        ),
        (
            "more conditions on headers",
            Written { conditions: header, ..plain("/a/b") },
            Written { conditions: query, ..plain("/a/b") },
        ),
        (
            "more conditions on the query",
            Written { conditions: query, ..plain("/a/b") },
            plain("/a/b"),
        ),
        (
            "naming methods",
            Written { methods: get, ..plain("/a/b") },
            Written { conditions: header, ..plain("/a/b") },
        ),
        ("the older object", plain("/a/b"), Written { created: 1, ..plain("/a/b") }),
        ("the older object", plain("/a/{y}/*"), Written { created: 1, ..plain("/a/{longer}/*") }),
        ("the older object", plain("/a/{y}/*"), Written { created: 1, ..plain("/a/{b}/*") }),
        ("namespace/name", plain("/a/b"), Written { object: 1, ..plain("/a/b") }),
    ];
    for (criterion, stronger, weaker) in pairs {
        for swapped in [false, true] {
            let world = if swapped {
                [weaker.clone(), stronger.clone()]
            } else {
                [stronger.clone(), weaker.clone()]
            };
            let table = RouteTable::build(&snapshot(&world), None, |_| ());
            let asked = Asked {
                host: "a.example",
                path: "/a/b",
                method: &Method::GET,
                header: Some("1"),
                query: Some("b"),
            };
            let winner = found(table.listener(&name()).unwrap(), &asked);
            assert_eq!(winner, Ok(u16::from(swapped)), "{stronger:?} against {weaker:?}");
        }
        let (strong, weak) = (route(&stronger, 0), route(&weaker, 0));
        let hosts: (HostPattern, HostPattern) =
            (stronger.host.parse().unwrap(), weaker.host.parse().unwrap());
        let (a, b) = (Precedence::of(&hosts.0, &strong), Precedence::of(&hosts.1, &weak));
        assert!(a < b);
        assert_eq!(a.decided_by(&b), Some(criterion));
    }
}

#[test]
fn a_host_that_did_not_change_keeps_its_indexes() {
    let world = [plain("/a"), Written { host: "a.example", ..plain("/b") }];
    let first = snapshot(&world);
    let mut attached = 0;
    let table = RouteTable::build(&first, None, |_| {
        attached += 1;
        attached
    });
    assert_eq!(attached, 2);
    let mut second = first.clone();
    let kept = first.listeners[&name()].hosts.iter().find(|host| host.pattern == HostPattern::Any);
    let kept = kept.unwrap().routes[0].clone();
    let routes = vec![kept, route(&plain("/c"), 0)];
    let changed = Host { pattern: HostPattern::Any, routes: routes.into() };
    for host in &mut second.listeners.get_mut(&name()).unwrap().hosts {
        if host.pattern == HostPattern::Any {
            *host = Arc::new(changed.clone());
        }
    }
    let mut again = 0;
    let next = RouteTable::build(&second, Some(&table), |_| {
        again += 1;
        100
    });
    assert_eq!(again, 1, "only one rule of the changed host is new");
    let listener = next.listener(&name()).unwrap();
    let headers = &HeaderMap::new();
    let method = &Method::GET;
    let request =
        |host, path| RouteRequest { host, path, method, headers, query: None, preflight: None };
    let attached = |host, path| match listener.find(&request(host, path)) {
        Find::Match(found) => *found.attached,
        other => panic!("{other:?}"),
    };
    assert!(attached("a.example", "/b") <= 2);
    assert!(attached("x", "/a") <= 2, "it is the rule that stood there before");
    assert_eq!(attached("x", "/c"), 100);
}

//! Samples are taken by their routes: as pages would show them, and over generated worlds.

use std::sync::Arc;

use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::sample;
use crate::table::tests::{name, route_to, snapshot, written};
use crate::table::{Find, RouteRequest, RouteTable};
use crate::why::WhyRequest;
use crate::{HostPattern, MethodMatch, PathMatch, Route, Snapshot};

/// The sample of the first route of a world that holds it alone.
fn alone(host: &str, route: Route) -> Option<String> {
    let pattern: HostPattern = host.parse().unwrap();
    let mut world = snapshot(&[]);
    let host = crate::Host { pattern: pattern.clone(), routes: vec![route].into() };
    world.listeners.get_mut(&name()).unwrap().hosts = vec![Arc::new(host)];
    let tables = RouteTable::build(&world, None, |_| ());
    let route = &world.listeners[&name()].hosts[0].routes[0];
    let made = sample(&world, tables.listener(&name()).unwrap(), &pattern, route)?;
    let headers: String = made.headers.iter().map(|line| format!(" [{line}]")).collect();
    Some(format!("{} {}{headers}", made.method, made.url))
}

fn path(text: &str) -> PathMatch {
    match text.strip_prefix('~') {
        Some(text) => PathMatch::Regex { regex: text.parse().unwrap() },
        None => PathMatch::Pattern(text.parse().unwrap()),
    }
}

#[test]
fn a_sample_reads_like_a_request() {
    for (host, text, expected) in [
        ("*", "/*", "GET /x"),
        ("*", "/e/fin", "GET /e/fin"),
        ("api.example.com", "/e/fin/*", "GET http://api.example.com/e/fin/x"),
        ("*.example.com", "/users/{id}/orders", "GET http://x.example.com/users/id/orders"),
        ("*", "/주가/*", "GET /%EC%A3%BC%EA%B0%80/x"),
        ("*", "~/v[0-9]+/.*", "GET /v1/x"),
        ("*", "~/users/(?<id>[0-9]{4})", "GET /users/1111"),
        ("*", "~/(?:stock|bond)s?", "GET /stocks"),
        ("*", "~/[^a-z]+", "GET /1"),
        ("*", "~/a%2F[a-f]", "GET /a%2Fa"),
        // What no normalised path is.
        ("*", "~/a//b", ""),
        ("*", "~/a%2f", ""),
    ] {
        assert_eq!(alone(host, route_to(path(text))).unwrap_or_default(), expected, "{text}");
    }
}

#[test]
fn a_sample_has_what_is_asked_for() {
    let asking = |methods: &[&str], conditions: &str| {
        let parsed: Vec<Method> = methods.iter().map(|name| name.parse().unwrap()).collect();
        let methods = MethodMatch::Only(parsed.iter().collect());
        let conditions = Some(Arc::new(serde_json::from_str(conditions).unwrap()));
        alone("*", Route { methods, conditions, ..route_to(path("/a")) })
    };
    for (methods, conditions, expected) in [
        (&["DELETE", "GET"][..], "{}", "GET /a"),
        (&["PURGE"], "{}", "PURGE /a"),
        (
            &["GET"],
            r#"{"headers": [{"name": "x-v", "pattern": "v[2-9]"}, {"name": "a", "present": false}]}"#,
            "GET /a [x-v: v2]",
        ),
        (
            &["GET"],
            r#"{"headers": [{"name": "x-v", "value": "v 2"}], "query": [{"name": "b", "present": true}]}"#,
            "GET /a?b=x [x-v: v 2]",
        ),
        (&["GET"], r#"{"query": [{"name": "a b", "value": "c&d"}]}"#, "GET /a?a%20b=c%26d"),
        // Nothing is and is not, a value has no blank at its end, and a field no line break.
        (
            &["GET"],
            r#"{"headers": [{"name": "a", "present": false}, {"name": "a", "value": "1"}]}"#,
            "",
        ),
        (&["GET"], r#"{"headers": [{"name": "a", "value": "1 "}]}"#, ""),
        (&["GET"], r#"{"headers": [{"name": "a", "pattern": "\\n+"}]}"#, ""),
    ] {
        assert_eq!(asking(methods, conditions).unwrap_or_default(), expected, "{conditions}");
    }
}

/// The route that takes a request, by host and place.
fn winner(
    snapshot: &Snapshot,
    tables: &RouteTable<()>,
    request: &RouteRequest<'_>,
) -> Option<(String, usize)> {
    let Find::Match(found) = tables.listener(&name())?.find(request) else { return None };
    place(snapshot, found.route)
}

fn place(snapshot: &Snapshot, route: &Route) -> Option<(String, usize)> {
    snapshot.listeners[&name()].hosts.iter().find_map(|host| {
        let at = host.routes.iter().position(|one| std::ptr::eq(one, route))?;
        Some((host.pattern.to_string(), at))
    })
}

/// Requests of all kinds that the generated worlds tell apart.
fn some_requests(mut each: impl FnMut(&RouteRequest<'_>)) {
    for host in ["", "a.example", "b.example", "c.b.example", "d.c.b.example", "other"] {
        for path in ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/z", "/z/b", "/z/b/c", "/a/z/c"]
        {
            for method in ["GET", "POST", "DELETE", "PURGE"] {
                for (header, query) in [
                    (None, None),
                    (Some("1"), Some("b")),
                    (Some("2"), Some("b=1")),
                    (Some("w"), None),
                ] {
                    let method: Method = method.parse().unwrap();
                    let value = header.map(|value| (http::HeaderName::from_static("x-v"), value));
                    let headers: HeaderMap = value
                        .map(|(name, value)| (name, value.parse().unwrap()))
                        .into_iter()
                        .collect();
                    let headers = &headers;
                    let method = &method;
                    each(&RouteRequest { host, path, method, headers, query, preflight: None });
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_some_request_gets_to_its_sample_gets_to(world in prop::collection::vec(written(), 1..16)) {
        let snapshot = snapshot(&world);
        let tables = RouteTable::build(&snapshot, None, |_| ());
        let mut reached = std::collections::BTreeSet::new();
        some_requests(|request| reached.extend(winner(&snapshot, &tables, request)));
        let table = tables.listener(&name()).unwrap();
        for host in &snapshot.listeners[&name()].hosts {
            for (index, route) in host.routes.iter().enumerate() {
                let at = (host.pattern.to_string(), index);
                let made = sample(&snapshot, table, &host.pattern, route);
                let got = made.as_ref().and_then(|made| gets_to(&snapshot, &tables, made));
                if reached.contains(&at) {
                    prop_assert_eq!(got, Some(at), "{:?} for {}", made, route.path);
                } else {
                    prop_assert!(made.is_some(), "{} asks for something that can be", route.path);
                }
            }
        }
    }
}

fn gets_to(
    snapshot: &Snapshot,
    tables: &RouteTable<()>,
    made: &WhyRequest,
) -> Option<(String, usize)> {
    made.put(snapshot, |question| {
        let request = question.request(question.authority, question.path);
        winner(snapshot, tables, &request)
    })
    .unwrap()
}

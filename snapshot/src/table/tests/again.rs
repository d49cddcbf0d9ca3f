//! Tables that are built from the one before, and paths that are longer than most.

use std::sync::Arc;

use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::{Asked, Written, found, name, plain, scan, snapshot, written};
use crate::table::{Find, RouteRequest, RouteTable};
use crate::{Host, HostPattern, Precedence, Route, Snapshot};

/// The first world with only the routes that are kept, and all of the second.
fn mixed(first: &Snapshot, kept: &[bool], second: &Snapshot) -> Snapshot {
    let mut mixed = second.clone();
    let hosts = &mut mixed.listeners.get_mut(&name()).unwrap().hosts;
    for host in &first.listeners[&name()].hosts {
        let kept = host.routes.iter().zip(kept.iter().cycle());
        let kept = kept.filter(|(_, kept)| **kept).map(|(route, _)| route.clone());
        let known = hosts.iter().position(|known| known.pattern == host.pattern);
        let new = known.map(|at| hosts.remove(at));
        let new = new.iter().flat_map(|host| host.routes.iter().cloned());
        let mut routes: Vec<Route> = kept.chain(new).collect();
        let pattern = host.pattern.clone();
        routes.sort_by(|a, b| Precedence::of(&pattern, a).cmp(&Precedence::of(&pattern, b)));
        hosts.push(Arc::new(Host { pattern, routes: routes.into() }));
    }
    mixed
}

proptest! {
    #[test]
    fn each_rule_has_what_was_attached_to_it(
        first in prop::collection::vec(written(), 0..12),
        kept in prop::collection::vec(any::<bool>(), 5..9),
        second in prop::collection::vec(written(), 0..4),
    ) {
        let first = snapshot(&first);
        let second = mixed(&first, &kept, &snapshot(&second));
        let address = |rule: &Arc<crate::Rule>| Arc::as_ptr(rule) as usize;
        let before = RouteTable::build(&first, None, address);
        let mut made = 0;
        let table = RouteTable::build(&second, Some(&before), |rule| {
            made += 1;
            address(rule)
        });
        let new = second.listeners[&name()].hosts.iter().flat_map(|host| &*host.routes).count();
        prop_assert!(made <= new);
        let listener = table.listener(&name()).unwrap();
        let plain = RouteTable::build(&second, None, |_| ());
        let plain = plain.listener(&name()).unwrap();
        for host in ["a.example", "c.b.example", "other"] {
            for path in ["/", "/a", "/a/b", "/a/b/c", "/z/b", "/a/z/c"] {
                let asked =
                    Asked { host, path, method: &Method::GET, header: Some("1"), query: None };
                prop_assert_eq!(found(plain, &asked), scan(&second, &asked), "{:?}", &asked);
                let request = RouteRequest {
                    host, path, method: &Method::GET, headers: &asked.headers(), query: None, preflight: None,
                };
                if let Find::Match(found) = listener.find(&request) {
                    prop_assert_eq!(*found.attached, address(&found.route.rule));
                    prop_assert_eq!(Some(found.route), match plain.find(&request) {
                        Find::Match(found) => Some(found.route),
                        _ => None,
                    });
                }
            }
        }
    }
}

#[test]
fn long_paths_are_found_too() {
    let (long, longer) = ("/s".repeat(63), "/s".repeat(90));
    let world: Vec<Written> = ["/*", &format!("{long}/*"), &longer, &format!("{longer}/{{x}}/end")]
        .map(|path| plain(Box::leak(path.to_owned().into_boxed_str())))
        .into();
    let snapshot = snapshot(&world);
    let table = RouteTable::build(&snapshot, None, |_| ());
    let table = table.listener(&name()).unwrap();
    for (path, expected) in [
        ("/s".repeat(62), 0),
        (long.clone(), 1),
        (format!("{long}/x"), 1),
        (format!("{longer}/x"), 1),
        (longer.clone(), 2),
        (format!("{longer}/x/end"), 3),
        (format!("{longer}/x/end/"), 1),
        (format!("{}/x/end", "/s".repeat(91)), 1),
    ] {
        let path = path.as_str();
        let asked = Asked { host: "x", path, method: &Method::GET, header: None, query: None };
        assert_eq!(found(table, &asked), Ok(expected), "{path}");
        assert_eq!(scan(&snapshot, &asked), Ok(expected), "{path}");
    }
}

/// Of two lists that differ in the middle, what stands behind is that of its own rule.
#[test]
fn what_stands_behind_a_change_keeps_its_own() {
    let first = snapshot(&[plain("/a"), plain("/b"), plain("/c"), plain("/d")]);
    let mut attached = 0;
    let before = RouteTable::build(&first, None, |_| {
        attached += 1;
        attached
    });
    let mut second = first.clone();
    let host = &mut second.listeners.get_mut(&name()).unwrap().hosts[0];
    let [a, b, c, d] = &*host.routes else { panic!("four") };
    let other = snapshot(&[plain("/x")]);
    let new = other.listeners[&name()].hosts[0].routes[0].clone();
    let routes = [a, c, &new, b, d].map(Clone::clone);
    *host = Arc::new(Host { pattern: HostPattern::Any, routes: routes.into() });
    let table = RouteTable::build(&second, Some(&before), |_| 100);
    let listener = table.listener(&name()).unwrap();
    for (path, expected) in [("/a", 1), ("/b", 2), ("/c", 3), ("/d", 4), ("/x", 100)] {
        let headers = &HeaderMap::new();
        let method = &Method::GET;
        let request =
            RouteRequest { host: "x", path, method, headers, query: None, preflight: None };
        let Find::Match(found) = listener.find(&request) else { panic!("{path}") };
        assert_eq!(*found.attached, expected, "{path}");
    }
}

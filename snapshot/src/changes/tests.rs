//! A world does not differ from itself; what is told of two worlds is so, and nothing that is
//! handed in is left out.

use proptest::prelude::*;

use super::{changed_requests, samples};
use crate::table::tests::{Written, snapshot, written};
use crate::why::{OutcomeView, WhyRequest};
use crate::{Route, Snapshot};

fn same_names(rule: &str) -> String {
    rule.to_owned()
}

fn request(method: &str, url: &str) -> WhyRequest {
    WhyRequest { method: method.to_owned(), url: url.to_owned(), ..WhyRequest::default() }
}

/// What counts of what becomes of a request, by the lookup that explains.
fn outcome(snapshot: &Snapshot, request: &WhyRequest) -> OutcomeView {
    let outcome = request.answer(snapshot, &crate::Redaction::default()).unwrap().outcome;
    OutcomeView { edits: Vec::new(), body_bytes: None, timeouts: None, ..outcome }
}

fn further() -> Vec<WhyRequest> {
    let mut all = Vec::new();
    for host in ["", "http://a.example", "http://c.b.example", "http://other"] {
        for path in ["/", "/a", "/a/b?b=1", "/z/b/c"] {
            all.extend(
                ["GET", "POST", "PURGE"].map(|method| request(method, &format!("{host}{path}"))),
            );
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_differs_from_itself(world in prop::collection::vec(written(), 0..12)) {
        let one = snapshot(&world);
        prop_assert_eq!(changed_requests(&one, &one.clone(), &further(), same_names).unwrap(), []);
    }

    #[test]
    fn what_is_told_is_so_and_what_is_asked_is_told(
        old in prop::collection::vec(written(), 0..8),
        new in prop::collection::vec(written(), 0..8),
    ) {
        let (old, new) = (snapshot(&old), snapshot(&new));
        let told = changed_requests(&old, &new, &further(), same_names).unwrap();
        for change in &told {
            prop_assert_eq!(&change.old, &outcome(&old, &change.request));
            prop_assert_eq!(&change.new, &outcome(&new, &change.request));
            prop_assert_ne!(&change.old, &change.new);
        }
        for asked in further().into_iter().chain(samples(&old)).chain(samples(&new)) {
            let asked = WhyRequest { listener: None, ..asked };
            let differs = outcome(&old, &asked) != outcome(&new, &asked);
            let listed = told.iter().filter(|change| change.request == asked).count();
            prop_assert_eq!(listed, usize::from(differs), "{:?}", asked);
        }
        let again = changed_requests(&old, &new, &further(), same_names).unwrap();
        prop_assert_eq!(again, told, "the order is always the same");
    }
}

fn world(paths: &[&'static str]) -> Snapshot {
    let written = paths.iter().map(|path| Written::plain(path)).collect::<Vec<_>>();
    snapshot(&written)
}

#[test]
fn a_rule_that_is_only_called_otherwise_is_the_same() {
    let (old, new) = (world(&["/a", "/b"]), world(&["/c", "/a", "/b"]));
    let renamed = |rule: &str| match rule {
        "ns/object-0/rule-0" => "ns/object-0/rule-1".to_owned(),
        "ns/object-0/rule-1" => "ns/object-0/rule-2".to_owned(),
        other => other.to_owned(),
    };
    let urls = |renamed: &dyn Fn(&str) -> String| {
        let changes = changed_requests(&old, &new, &[], renamed).unwrap();
        changes.into_iter().map(|change| change.request.url).collect::<Vec<_>>()
    };
    assert_eq!(urls(&renamed), ["/c"]);
    assert_eq!(urls(&same_names), ["/a", "/b", "/c"]);
}

#[test]
fn a_request_that_cannot_be_read_is_told() {
    let (old, new) = (world(&["/a"]), world(&["/b"]));
    let told = changed_requests(&old, &new, &[request("GET", "a")], same_names).unwrap_err();
    assert!(told.starts_with("\"a\" is not a URL"), "{told}");
}

#[test]
fn listeners_where_it_is_the_same_are_told_together() {
    let two = |paths: &[&'static str]| {
        let mut world = world(paths);
        let first = world.listeners.values().next().unwrap().clone();
        world.listeners.insert("internal".into(), first);
        world
    };
    let changes = changed_requests(&two(&["/a"]), &two(&["/a", "/b"]), &[], same_names).unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].listeners, ["http".to_owned(), "internal".to_owned()].into());
    // A rule of one listener alone changes there alone.
    let mut new = two(&["/a"]);
    let routes: Vec<Route> = Vec::new();
    let host = crate::Host { pattern: crate::HostPattern::Any, routes: routes.into() };
    new.listeners.get_mut(&"internal".into()).unwrap().hosts = vec![std::sync::Arc::new(host)];
    let changes = changed_requests(&two(&["/a"]), &new, &[], same_names).unwrap();
    assert_eq!(changes[0].listeners, ["internal".to_owned()].into());
}

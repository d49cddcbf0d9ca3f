//! Over generated worlds: a request gets elsewhere only because something that is told differs.

use std::fmt::Write;

use fairway_snapshot::why::WhyRequest;
use proptest::prelude::*;

use super::{shown, sides};
use crate::commands::diff::differences;

const MATCHES: [&str; 7] = [
    "path: /a",
    "path: /a/*",
    "path: \"/{x}\"",
    "pathRegex: /a.*",
    "path: /a, methods: [GET]",
    "path: /a, methods: [HEAD, POST]",
    "path: /a/*, headers: [{name: x-v, value: v1}]",
];
const ENDS: [&str; 4] = [
    "backends: [{service: s, port: 80}]",
    "backends: [{service: t, port: 80}], rewrite: {path: /r}",
    "redirect: {path: /there}",
    "respond: {status: 200}",
];
const NAMES: [&str; 4] = ["", "name: one, ", "name: two, ", "name: three, "];
const HOSTS: [&str; 3] = ["", "hosts: [a.example]", "hosts: [a.example, \"*.example\"]"];

/// An object: its hosts, and for each rule its name, match and end.
type Object = (usize, Vec<(usize, usize, usize)>);

fn object() -> impl Strategy<Value = Object> {
    let rule = (0..NAMES.len(), 0..MATCHES.len(), 0..ENDS.len());
    (0..HOSTS.len(), prop::collection::vec(rule, 1..4))
}

/// Objects `a`, `b`, ..., each younger than the one before.
fn world(objects: &[Object]) -> String {
    let mut text = String::from("# a world\n");
    for (day, (name, (hosts, rules))) in (1..).zip(('a'..).zip(objects)) {
        let _ = write!(
            text,
            "---\napiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: {name}, namespace: n, creationTimestamp: \"2026-01-0{day}T00:00:00Z\"}}\nspec:\n  {}\n  rules:\n",
            HOSTS[*hosts]
        );
        for (name, matched, end) in rules {
            let _ = writeln!(
                text,
                "    - {{{}match: [{{{}}}], {}}}",
                NAMES[*name], MATCHES[*matched], ENDS[*end]
            );
        }
    }
    text
}

fn further() -> Vec<WhyRequest> {
    let mut all = Vec::new();
    for url in
        ["/a", "/a/b", "/x", "http://a.example/a", "http://b.example/ab", "http://a.example/a/"]
    {
        for method in ["GET", "HEAD", "POST"] {
            for header in [None, Some("x-v: v1")] {
                let headers = header.map(str::to_owned).into_iter().collect();
                let (method, url) = (method.to_owned(), url.to_owned());
                all.push(WhyRequest { method, url, headers, ..WhyRequest::default() });
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_world_does_not_differ_from_itself(objects in prop::collection::vec(object(), 0..4)) {
        let world = world(&objects);
        let told = differences(&sides(&world, &world), &further()).unwrap();
        prop_assert!(told.is_empty(), "{}", shown(&told));
    }

    #[test]
    fn a_request_gets_elsewhere_only_where_an_object_differs(
        old in prop::collection::vec(object(), 0..4),
        edit in prop::collection::vec((0..4usize, object()), 0..3),
        swap in any::<bool>(),
    ) {
        let mut new = old.clone();
        for (at, object) in edit {
            if at < new.len() { new[at] = object } else { new.push(object) }
        }
        if swap && let Some((_, rules)) = new.first_mut() {
            rules.reverse();
        }
        let (before, after) = (world(&old), world(&new));
        let told = differences(&sides(&before, &after), &further()).unwrap();
        prop_assert!(told.requests.is_empty() || !told.objects.is_empty(), "{}", shown(&told));
        // What a request got or gets is of an object that differs, or one that does was in between.
        let changed: Vec<&str> = told.objects.iter().map(|object| object.object.as_str()).collect();
        for change in &told.requests {
            let of = |rule: &Option<String>| {
                rule.as_deref().is_some_and(|rule| changed.iter().any(|object| rule.starts_with(&format!("{object}/"))))
            };
            let answered = change.old.rule.is_none() || change.new.rule.is_none();
            prop_assert!(of(&change.old.rule) || of(&change.new.rule) || answered, "{change:?} of {changed:?}");
        }
        prop_assert_eq!(differences(&sides(&before, &after), &further()).unwrap(), told);
    }
}

//! Who is told of which conflict, and that a found one is one: no request proves the contrary.

use std::fmt::Write;

use fairway_crds::conditions::Reason;
use fairway_snapshot::why::WhyRequest;
use fairway_snapshot::{ObjectId, Snapshot};
use proptest::prelude::*;

use super::super::{Compilation, CompileOptions, Memo, UnknownService, compile};
use crate::Inputs;
use crate::files::load;

/// Objects `a`, `b`, ..., each younger than the one before, each with these rules.
fn world(objects: &[&[&str]]) -> Inputs {
    let mut text = String::new();
    for (day, (name, rules)) in (1..).zip(('a'..).zip(objects)) {
        let _ = write!(
            text,
            "---\napiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: {name}, namespace: n, creationTimestamp: \"2026-01-0{day}T00:00:00Z\"}}\nspec:\n  rules:\n"
        );
        for rule in *rules {
            let _ = writeln!(
                text,
                "    - {{match: [{{{rule}}}], backends: [{{service: s, port: 80}}]}}"
            );
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    load(&[folder.path().to_owned()], &|_| None).unwrap().inputs
}

fn compiled(inputs: &Inputs) -> Compilation {
    let unknown_service = UnknownService::TakeAsNamed;
    let options = CompileOptions { unknown_service, ..CompileOptions::default() };
    compile(inputs, &options, &mut Memo::default())
}

fn reason(compilation: &Compilation, name: &str) -> Option<Reason> {
    let status = &compilation.statuses[&ObjectId::new("n", name)];
    status.conflicted.as_ref().map(|verdict| verdict.reason)
}

#[test]
fn both_sides_are_told() {
    const TAKES: Option<Reason> = Some(Reason::TakesFromAnother);
    const NOTHING: Option<Reason> = Some(Reason::Unreachable);
    const SOME: Option<Reason> = Some(Reason::PartlyTaken);
    let v1 = "path: /a, headers: [{name: x-v, value: v1}]";
    let v2 = "path: /a, headers: [{name: x-v, value: v2}]";
    let any_v = "path: /a, headers: [{name: x-v, present: true}]";
    let no_v = "path: /a, headers: [{name: x-v, present: false}]";
    let digits = "path: /a, headers: [{name: x-v, pattern: \"v[0-9]+\"}]";
    let beta = "path: /a, query: [{name: beta, present: true}]";
    for (older, younger, told) in [
        ("path: /a", "path: /a", (TAKES, NOTHING)),
        ("path: /a/*", "path: /a/*", (TAKES, NOTHING)),
        ("path: \"/{x}\"", "path: \"/{y}\"", (TAKES, NOTHING)),
        ("pathRegex: /a.*", "pathRegex: /a.*", (TAKES, NOTHING)),
        ("path: /a", "path: /a/", (None, None)),
        ("path: /a", "path: /a/*", (None, None)),
        ("path: /a", "path: /a, methods: [GET]", (None, None)),
        ("path: /a, methods: [GET]", "path: /a", (None, None)),
        ("path: /a, methods: [GET]", "path: /a, methods: [POST]", (None, None)),
        ("path: /a, methods: [GET, PUT]", "path: /a, methods: [POST, PUT]", (TAKES, SOME)),
        ("path: /a, methods: [GET, PUT]", "path: /a, methods: [PUT]", (TAKES, NOTHING)),
        ("path: /a, methods: [GET]", "path: /a, methods: [HEAD]", (None, None)),
        (v1, v1, (TAKES, NOTHING)),
        (v1, v2, (None, None)),
        (any_v, v1, (TAKES, NOTHING)),
        (v1, any_v, (TAKES, SOME)),
        (digits, v1, (TAKES, NOTHING)),
        (digits, "path: /a, headers: [{name: x-v, value: other}]", (None, None)),
        (no_v, v1, (None, None)),
        (no_v, no_v, (TAKES, NOTHING)),
        (v1, beta, (None, None)),
        (beta, "path: /a, query: [{name: beta, value: \"1\"}]", (TAKES, NOTHING)),
        (beta, "path: /a, query: [{name: other, present: true}]", (TAKES, SOME)),
    ] {
        let compilation = compiled(&world(&[&[older], &[younger]]));
        let got = (reason(&compilation, "a"), reason(&compilation, "b"));
        assert_eq!(got, told, "{older} and {younger}");
    }
}

#[test]
fn several_stronger_rules_may_leave_nothing_together() {
    let (get, post) = ("path: /a, methods: [GET]", "path: /a, methods: [POST]");
    let both = "path: /a, methods: [GET, POST]";
    let compilation = compiled(&world(&[&[get], &[post], &[both]]));
    assert_eq!(reason(&compilation, "c"), Some(Reason::Unreachable));
}

#[test]
fn a_message_names_the_other_the_rule_and_the_criterion() {
    let compilation =
        compiled(&world(&[&["path: /b", "path: /a/*"], &["path: /a/*", "path: /a/*"]]));
    let message = |name: &str| {
        let status = &compilation.statuses[&ObjectId::new("n", name)];
        status.conflicted.as_ref().unwrap().message.to_string()
    };
    assert_eq!(
        message("a"),
        "rule rule-1: spec.rules[1]: it takes every request for /a/* that rule n/b/rule-0 asks for, by the older object\n\
         rule rule-1: spec.rules[1]: it takes every request for /a/* that rule n/b/rule-1 asks for, by the older object"
    );
    assert!(message("b").starts_with("rule rule-0: spec.rules[0].match[0]: rule n/a/rule-1 takes every request for /a/* that this asks for, by the older object: "));
    let alone = compiled(&world(&[&["path: /a", "path: /a"]]));
    let status = &alone.statuses[&ObjectId::new("n", "a")];
    let told = &status.conflicted.as_ref().unwrap().message;
    assert!(told.starts_with("rule rule-1: spec.rules[1].match[0]: rule rule-0 takes every request for /a that this asks for, by the index of the rule"), "{told}");
    assert!(status.accepted.status, "it was compiled all the same");
}

#[test]
fn a_conflict_comes_and_goes_with_the_other_and_stays_the_same_value() {
    let both = world(&[&["path: /a"], &["path: /a"], &["path: /c"]]);
    let mut one = both.clone();
    one.routes.remove(&ObjectId::new("n", "b"));
    let mut without_c = both.clone();
    without_c.routes.remove(&ObjectId::new("n", "c"));
    let options = CompileOptions::default();
    let mut memo = Memo::default();
    let first = compile(&both, &options, &mut memo);
    let second = compile(&without_c, &options, &mut memo);
    let a = ObjectId::new("n", "a");
    assert!(std::sync::Arc::ptr_eq(&first.statuses[&a], &second.statuses[&a]));
    assert_eq!(reason(&first, "a"), Some(Reason::TakesFromAnother));
    let third = compile(&one, &options, &mut memo);
    assert_eq!(reason(&third, "a"), None);
    assert_eq!(third.statuses[&a].hash, first.statuses[&a].hash);
}

const PATHS: [&str; 4] = ["path: /a", "path: /a/*", "path: \"/{x}\"", "pathRegex: /a.*"];
const METHODS: [&str; 4] = ["", ", methods: [GET]", ", methods: [GET, POST]", ", methods: [POST]"];
const CONDITIONS: [&str; 6] = [
    "",
    ", headers: [{name: x-v, value: v1}]",
    ", headers: [{name: x-v, pattern: \"v[0-9]\"}]",
    ", headers: [{name: x-v, present: true}]",
    ", headers: [{name: x-v, present: false}]",
    ", query: [{name: b, present: true}]",
];

/// The rule that gets a request, as the lookup finds it.
fn winner(snapshot: &Snapshot, method: &str, path: &str, header: &str) -> Option<String> {
    let headers = if header.is_empty() { Vec::new() } else { vec![format!("x-v: {header}")] };
    let (method, url) = (method.to_owned(), path.to_owned());
    let request = WhyRequest { method, url, headers, ..WhyRequest::default() };
    request.answer(snapshot, &fairway_snapshot::Redaction::default()).unwrap().outcome.rule
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_unreachable_gets_no_request(
        rules in prop::collection::vec((0..4usize, 0..4usize, 0..6usize), 2..6)
    ) {
        let rules: Vec<String> = rules
            .iter()
            .map(|(path, methods, conditions)| {
                format!("{}{}{}", PATHS[*path], METHODS[*methods], CONDITIONS[*conditions])
            })
            .collect();
        let objects: Vec<Vec<&str>> = rules.iter().map(|rule| vec![rule.as_str()]).collect();
        let objects: Vec<&[&str]> = objects.iter().map(Vec::as_slice).collect();
        let compilation = compiled(&world(&objects));
        for path in ["/a", "/a/", "/a/b", "/ab", "/x", "/a?b", "/ab?b=1"] {
            for method in ["GET", "HEAD", "POST", "DELETE"] {
                for header in ["", "v1", "v7", "w"] {
                    let Some(rule) = winner(&compilation.snapshot, method, path, header) else { continue };
                    let name = rule.split('/').nth(1).unwrap();
                    prop_assert_ne!(
                        reason(&compilation, name), Some(Reason::Unreachable),
                        "{} {} [{}] goes to {} in {:?}", method, path, header, rule, rules
                    );
                }
            }
        }
    }
}

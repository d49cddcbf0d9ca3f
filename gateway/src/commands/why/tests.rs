//! How an answer reads, what keeps a rule from winning, and what is no question.

use fairway_controller::compile::UnknownService;
use fairway_controller::files::load;
use fairway_controller::{CompileOptions, Memo, compile};
use fairway_snapshot::why::WhyRequest;
use fairway_snapshot::{Redaction, Snapshot};

use super::{tests, text};

const WORLD: &str = r#"
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: finance, namespace: market, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  hosts: [api.example.com]
  policy: {timeouts: {response: 5s}, mirror: [{service: recorder, port: 8000, percent: 10}]}
  rules:
    - name: quotes
      match: [{path: /e/fin/*}]
      rewrite: {path: /fin/*}
      backends: [{service: finance, port: 8000, weight: 9}, {service: finance-next, port: 8000}]
    - name: v2
      match: [{path: /e/fin/*, methods: [GET], headers: [{name: x-api-version, value: v2}]}]
      backends: [{service: finance-v2, port: 8000}]
    - name: beta
      match: [{path: /e/fin/*, query: [{name: beta, present: true}]}]
      backends: [{service: finance-beta, port: 8000}]
---
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: other, namespace: market, creationTimestamp: "2026-01-02T00:00:00Z"}
spec:
  hosts: [api.example.com]
  rules:
    - name: late
      match: [{path: /e/fin/*}]
      backends: [{service: other, port: 8000}]
---
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: all, namespace: market}
spec:
  rules:
    - name: everything
      match: [{path: /*}]
      backends: [{service: all, port: 8000}]
    - name: moved
      match: [{path: /old/*, methods: [POST]}]
      redirect: {path: /new/*, status: 308}
"#;

fn world() -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), WORLD).unwrap();
    let loaded = load(&[folder.path().to_owned()], &|_| None).unwrap();
    let unknown_service = UnknownService::TakeAsNamed;
    let options = CompileOptions { unknown_service, ..CompileOptions::default() };
    compile(&loaded.inputs, &options, &mut Memo::default()).snapshot
}

fn request(method: &str, url: &str, headers: &[&str]) -> WhyRequest {
    WhyRequest {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: headers.iter().map(|line| (*line).to_owned()).collect(),
        ..WhyRequest::default()
    }
}

#[test]
fn an_answer_tells_what_happens_and_why_nothing_else() {
    let asked = request("GET", "http://API.example.com:80/e/./fin/x?y=1", &["x-api-version: v1"]);
    let told = text(&asked.answer(&world(), &Redaction::default()).unwrap(), false);
    let lines: Vec<&str> = told.lines().map(str::trim_end).collect();
    assert_eq!(
        lines,
        [
            "GET /e/fin/x?y=1, api.example.com, listener http",
            "  rule      market/finance/quotes",
            "  sends     /fin/x?y=1",
            "  host      API.example.com:80",
            "  backend   market/finance:8000 weight 9, finance.market.svc.cluster.local.:8000",
            "  backend   market/finance-next:8000 weight 1, finance-next.market.svc.cluster.local.:8000",
            "  mirror    market/recorder:8000 gets copies of 10% (spec), recorder.market.svc.cluster.local.:8000",
            "  timeouts  response 5s (spec), request none (built-in), attempt none (built-in), connect 2s (built-in), idle 60s (built-in)",
            "",
            "The rules that know the path, the strongest first:",
            "     RULE                   HOST             PATH      METHODS   CONDITIONS        WHY",
            "     market/finance/v2      api.example.com  /e/fin/*  GET,HEAD  x-api-version=v2  no: it wants header x-api-version to be v2; the request has v1",
            "     market/finance/beta    api.example.com  /e/fin/*  *         ?beta             no: it wants query parameter beta; the request has none",
            " =>  market/finance/quotes  api.example.com  /e/fin/*  *                           wins by the older object",
            "     market/other/late      api.example.com  /e/fin/*  *                           loses: market/finance/quotes wins by the older object",
            "     market/all/everything  *                /*        *                           not asked: the more specific host api.example.com has rules that know the path",
        ]
    );
}

#[test]
fn answers_of_the_gateways_own_are_told() {
    let world = world();
    for (method, url, told) in [
        ("GET", "/a%zz", "  answers   400: "),
        ("POST", "/old/a?b", "  answers   308"),
        ("POST", "/old/a?b", "  location  /new/a?b"),
        ("GET", "/old/a", "  rule      market/all/everything"),
    ] {
        let answer =
            text(&request(method, url, &[]).answer(&world, &Redaction::default()).unwrap(), false);
        assert!(answer.lines().any(|line| line.starts_with(told)), "{method} {url}: {answer}");
    }
    let nowhere = Snapshot::default();
    assert_eq!(
        request("GET", "/", &[]).answer(&nowhere, &Redaction::default()),
        Err("there is no listener".to_owned())
    );
}

#[test]
fn the_first_thing_that_keeps_a_rule_from_winning_is_told() {
    let world = world();
    let url = "http://api.example.com/e/fin/x";
    for (method, url, expect, told) in [
        ("GET", url, "market/finance/quotes", ""),
        ("GET", url, "market/finance", ""),
        ("GET", url, "market/other", "market/finance/quotes wins by the older object"),
        ("POST", url, "market/finance/v2", "it takes GET, HEAD, and not POST"),
        (
            "GET",
            url,
            "market/finance/v2",
            "it wants header x-api-version to be v2; the request has none",
        ),
        (
            "GET",
            url,
            "market/all/everything",
            "the more specific host api.example.com has rules that know the path",
        ),
        (
            "GET",
            "http://shop.example/e/fin/x",
            "market/finance/quotes",
            "it is for host api.example.com, and not for \"shop.example\"",
        ),
        (
            "GET",
            "http://api.example.com/x",
            "market/finance/quotes",
            "its path /e/fin/* does not match /x",
        ),
        (
            "GET",
            url,
            "market/finance/quots",
            "no such rule is served: fairway routes lists those that are",
        ),
        ("GET", url, "market/financ", "no such rule is served; there is market/finance/beta"),
    ] {
        let asked = WhyRequest { expect: Some(expect.to_owned()), ..request(method, url, &[]) };
        let expected = asked.answer(&world, &Redaction::default()).unwrap().expected.unwrap();
        assert_eq!(
            (expected.reason.as_str(), expected.wins),
            (if told.is_empty() { expected.reason.as_str() } else { told }, told.is_empty()),
            "{expect}"
        );
    }
}

#[test]
fn what_is_no_question_is_told() {
    let world = world();
    let listener = WhyRequest { listener: Some("https".to_owned()), ..request("GET", "/", &[]) };
    for (asked, told) in [
        (request("G T", "/", &[]), "\"G T\" is not a method: write one word"),
        (
            request("GET", "e/fin", &[]),
            "\"e/fin\" is not a URL: write http://api.example.com/e/fin/x",
        ),
        (request("GET", "http://a b/", &[]), "is not a URL"),
        (request("GET", "http://user@a/", &[]), "is not a URL"),
        (request("GET", "/", &["no header"]), "\"no\" is not a header: write 'x-api-version: v2'"),
        (request("GET", "/", &["a b: c"]), "is not a header"),
        (listener, "there is no listener \"https\": write one of http"),
    ] {
        let error = asked.answer(&world, &Redaction::default()).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn the_tests_of_the_winners_object_are_told() {
    let told = |expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let manifest = format!(
            "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: a, namespace: n}}\nspec:\n  rules: [{{name: x, match: [{{path: /x}}], respond: {{status: 204}}}}]\n  tests: [{{request: {{path: /x}}, expect: {{status: {expected}}}}}]\n"
        );
        std::fs::write(folder.path().join("a.yaml"), manifest).unwrap();
        let inputs = load(&[folder.path().to_owned()], &|_| None).unwrap().inputs;
        let compiled = compile(&inputs, &CompileOptions::default(), &mut Memo::default());
        let asked = |url: &str| {
            let url = url.to_owned();
            let request = WhyRequest { method: "GET".to_owned(), url, ..WhyRequest::default() };
            let mut view = request.answer(&compiled.snapshot, &Redaction::default()).unwrap();
            view.tests = tests(&view, &compiled);
            text(&view, false)
        };
        assert!(!asked("/y").contains("tests"));
        asked("/x")
    };
    assert!(told("204").contains("\n  tests     1 test holds\n"), "{}", told("204"));
    let failed = told("200");
    let line = "  tests     spec.tests[0]: GET /x: expected status 200, got status 204";
    assert!(failed.contains(line), "{failed}");
}

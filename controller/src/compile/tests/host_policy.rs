//! Who may use what: nothing is served that the operator does not give, and all of the rest is.

use std::collections::BTreeMap;

use fairway_snapshot::why::WhyRequest;
use fairway_snapshot::{ObjectId, Redaction};
use proptest::prelude::*;

use super::super::{
    Allowed, Compilation, CompileOptions, HostPolicy, HostPolicyEntry, Memo, compile,
};
use super::{held, service, written};
use crate::Inputs;

fn allowed(hosts: &[&str], paths: &[&str]) -> Allowed {
    Allowed {
        hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
        paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
    }
}

fn entry(namespaces: &[&str], allow: Vec<Allowed>) -> HostPolicyEntry {
    HostPolicyEntry {
        namespaces: namespaces.iter().map(|one| one.parse().unwrap()).collect(),
        allow,
    }
}

fn policy() -> HostPolicy {
    let market = vec![
        allowed(&["api.example.com"], &["/e/fin/*", "/fin"]),
        allowed(&["fin.example.com"], &[]),
    ];
    HostPolicy {
        entries: vec![
            entry(&["market"], market),
            entry(&["team-*"], vec![allowed(&["*.teams.example.com"], &[])]),
            entry(&["*-all", "all"], vec![allowed(&[], &["/*"])]),
            entry(&["team-b", "edge"], vec![allowed(&["*"], &[])]),
        ],
    }
}

/// One object of a namespace; a path that begins with `~` is a regular expression.
fn world(namespace: &str, hosts: &[&str], path: &str) -> Inputs {
    let mut object = written("/", "finance", hosts);
    let one = &mut object.spec.rules[0].matches[0];
    match path.strip_prefix('~') {
        Some(regex) => (one.path, one.path_regex) = (None, Some(regex.to_owned())),
        None => one.path = Some(path.to_owned()),
    }
    let mut inputs = Inputs::default();
    inputs.services.insert(ObjectId::new(namespace, "finance"), service(80));
    inputs.routes.insert(ObjectId::new(namespace, "finance"), held(&object));
    inputs
}

fn compiled(inputs: &Inputs) -> Compilation {
    let options = CompileOptions { host_policy: Some(policy()), ..CompileOptions::default() };
    compile(inputs, &options, &mut Memo::default())
}

/// The hosts that serve something.
fn served(compilation: &Compilation) -> Vec<String> {
    let hosts = compilation.snapshot.listeners.values().flat_map(|listener| &listener.hosts);
    hosts.map(|host| host.pattern.to_string()).collect()
}

#[test]
fn each_namespace_has_what_it_is_given() {
    let (api, fin) = ("api.example.com", "fin.example.com");
    let cases: &[(&str, &[&str], &str, &[&str])] = &[
        ("market", &[api], "/e/fin/*", &[api]),
        ("market", &[api], "/e/fin", &[api]),
        ("market", &[api], "/e/fin/", &[api]),
        ("market", &[api], "/e/fin/a/b", &[api]),
        ("market", &[api], "/e/fin/{id}", &[api]),
        ("market", &[api], "/e/fin/{id}/*", &[api]),
        ("market", &[api], "~/e/fin/v[0-9]+", &[api]),
        ("market", &[api], "/fin", &[api]),
        ("market", &[api], "/fin/", &[]),
        ("market", &[api], "/fin/*", &[]),
        ("market", &[api], "/e/finance", &[]),
        ("market", &[api], "/e/finance/*", &[]),
        ("market", &[api], "/e/{x}/*", &[]),
        ("market", &[api], "/{e}/fin/*", &[]),
        ("market", &[api], "~/e/fin.*", &[]),
        ("market", &[api], "~/e/(fin/|other/).*", &[]),
        ("market", &[api], "~(?i)/e/fin/.*", &[]),
        ("market", &[api], "~.*", &[]),
        ("market", &[api], "/*", &[]),
        ("market", &[fin], "/*", &[fin]),
        ("market", &[fin], "~.*", &[fin]),
        ("market", &[api, fin], "/*", &[fin]),
        ("market", &[api, fin, "www.example.com"], "/e/fin/x", &[api, fin]),
        ("market", &["*.example.com"], "/e/fin/*", &[]),
        ("market", &[], "/e/fin/*", &[]),
        ("team-a", &["a.teams.example.com"], "/*", &["a.teams.example.com"]),
        ("team-a", &["*.a.teams.example.com"], "/*", &["*.a.teams.example.com"]),
        ("team-a", &["*.teams.example.com"], "/*", &["*.teams.example.com"]),
        ("team-a", &["teams.example.com"], "/*", &[]),
        ("team-a", &["*.example.com"], "/*", &[]),
        ("team-a", &["evil-teams.example.com"], "/*", &[]),
        // The first entry decides, alone.
        ("team-b", &["x.test"], "/*", &[]),
        ("team", &["a.teams.example.com"], "/*", &[]),
        ("edge", &[], "/*", &["*"]),
        ("edge", &["*.example.com"], "/x", &["*.example.com"]),
        ("all", &[], "~.*", &["*"]),
        ("see-all", &["x.test"], "/x", &["x.test"]),
        ("nobody", &[api], "/e/fin/*", &[]),
    ];
    for (namespace, hosts, path, expected) in cases {
        let compilation = compiled(&world(namespace, hosts, path));
        let case = format!("{namespace} {hosts:?} {path}");
        assert_eq!(served(&compilation), *expected, "{case}");
        let status = compilation.statuses.values().next().unwrap();
        let whole = expected.len() == hosts.len().max(1);
        assert_eq!(status.accepted.status, whole, "{case}: {}", status.accepted.message);
        assert_eq!(whole, status.accepted.reason.as_str() == "Accepted", "{case}");
        assert_eq!(status.rules > 0, !expected.is_empty(), "{case}");
        assert_eq!(compilation.snapshot.upstreams.is_empty(), expected.is_empty(), "{case}");
    }
}

#[test]
fn what_is_refused_is_told_with_what_may_be_used() {
    let may = "api.example.com with /e/fin/*, /fin; fin.example.com";
    let nothing = "its namespace may use nothing: ask the operator for an entry in hostPolicy";
    let cases: &[(&str, &[&str], &str, String)] = &[
        (
            "market",
            &["api.example.com", "www.example.com"],
            "/e/fin/*",
            format!(
                "spec.hosts[1]: \"www.example.com\" is not for namespace market: its namespace may use {may}"
            ),
        ),
        (
            "market",
            &[],
            "/e/fin/*",
            format!(
                "spec.hosts: every host, as without hosts, is not for namespace market: its namespace may use {may}"
            ),
        ),
        (
            "market",
            &["fin.example.com", "api.example.com"],
            "/e/other",
            format!(
                "rule rule-0: spec.rules[0].match[0].path: \"/e/other\" on api.example.com is not for namespace market: its namespace may use {may}"
            ),
        ),
        (
            "market",
            &["api.example.com"],
            "~/e/.*",
            format!(
                "rule rule-0: spec.rules[0].match[0].pathRegex: \"/e/.*\" on api.example.com is not for namespace market: its namespace may use {may}"
            ),
        ),
        (
            "nobody",
            &["a.test"],
            "/",
            format!("spec.hosts[0]: \"a.test\" is not for namespace nobody: {nothing}"),
        ),
    ];
    for (namespace, hosts, path, expected) in cases {
        let compilation = compiled(&world(namespace, hosts, path));
        let status = compilation.statuses.values().next().unwrap();
        assert_eq!(status.accepted.message, *expected);
        assert_eq!(status.accepted.reason.as_str(), "HostNotAllowed");
    }
}

#[test]
fn a_rule_that_serves_under_some_hosts_only_serves_in_part() {
    let hosts = ["api.example.com", "fin.example.com"];
    let status = |path: &str| {
        let compilation = compiled(&world("market", &hosts, path));
        let status = compilation.statuses.into_values().next().unwrap();
        (status.rules, status.partial_rules, status.invalid_rules)
    };
    assert_eq!(status("/e/fin/*"), (1, 0, 0));
    assert_eq!(status("/other"), (1, 1, 0));
    let compilation = compiled(&world("market", &["api.example.com"], "/other"));
    let status = compilation.statuses.into_values().next().unwrap();
    assert_eq!((status.rules, status.partial_rules, status.invalid_rules), (0, 0, 1));
}

const HOSTS: &[&str] = &[
    "api.example.com",
    "fin.example.com",
    "*.teams.example.com",
    "*.example.com",
    "a.teams.example.com",
];
const PATHS: &[&str] = &[
    "/*",
    "/e/*",
    "/e/fin/*",
    "/e/fin",
    "/fin",
    "/fin/*",
    "/{a}/fin/*",
    "/e/fin/{id}",
    "~/e/fin.*",
    "~.*",
    "~/e/fin/.+",
    "~/f.*",
];
const NAMESPACES: &[&str] = &["market", "team-a", "all", "edge", "nobody"];

proptest! {
    /// Whatever objects ask for, a request goes to a rule only when the operator gives the
    /// namespace of that rule the host and the path of that very request.
    #[test]
    fn no_request_goes_to_who_may_not_have_it(
        objects in prop::collection::vec((0..5usize, prop::collection::vec(0..5usize, 0..3), 0..12usize), 1..8),
        host in prop::sample::select(&["api.example.com", "fin.example.com", "a.teams.example.com", "x.example.com", "other.test"][..]),
        path in prop::sample::select(&["/", "/e", "/e/fin", "/e/fin/", "/e/fin/x", "/e/finance", "/fin", "/fin/x", "/x/fin/y", "/foo"][..]),
    ) {
        let mut inputs = Inputs::default();
        for (index, (namespace, hosts, path)) in objects.iter().enumerate() {
            let namespace = NAMESPACES[*namespace];
            let hosts: Vec<&str> = hosts.iter().map(|host| HOSTS[*host]).collect();
            let one = world(namespace, &hosts, PATHS[*path]);
            for (id, route) in one.routes.iter() {
                let id = ObjectId::new(&*id.namespace, format!("object-{index}"));
                inputs.routes.insert(id, route.clone());
            }
            inputs.services.insert(ObjectId::new(namespace, "finance"), service(80));
        }
        let compilation = compiled(&inputs);
        let url = format!("http://{host}{path}");
        let asked = WhyRequest { method: "GET".to_owned(), url, ..WhyRequest::default() };
        let answer = asked.answer(&compilation.snapshot, &Redaction::default()).unwrap();
        if let Some(rule) = answer.outcome.rule {
            let namespace = rule.split('/').next().unwrap();
            let given = policy().of(namespace).iter().any(|allowed| {
                let hosts = &allowed.hosts;
                let paths = &allowed.paths;
                (hosts.is_empty() || hosts.iter().any(|one| one.matches(host)))
                    && (paths.is_empty() || paths.iter().any(|one| one.matches(path)))
            });
            prop_assert!(given, "{rule} took {host}{path}");
        }
        // And nobody is told of a refusal who was refused nothing.
        let statuses: BTreeMap<_, _> = compilation.statuses;
        for status in statuses.values().filter(|status| status.accepted.status) {
            prop_assert!(status.partial_rules == 0 && status.invalid_rules == 0);
        }
    }
}

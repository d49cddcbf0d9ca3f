//! The tests of ServiceRoutes: requests that are looked up in the rules of all objects, and what
//! their authors expect of them. They change nothing of what is served.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_crds::{ServiceRouteSpec, TestExpect};
use fairway_snapshot::dump::BackendView;
use fairway_snapshot::why::{Asking, OutcomeView, WhyRequest};
use fairway_snapshot::{Host, HostPattern, Listener, ListenerName, ObjectId, Snapshot};

use super::diagnostic::{Diagnostic, Severity, listed};
use super::lower::Lowered;
use super::memo::Memo;
use super::{ObjectStatus, Verdict};
use crate::Inputs;

/// A test of an object.
#[derive(Debug)]
pub(super) struct RouteTest {
    request: WhyRequest,
    /// The host as it is compared; empty where there is none.
    host: Box<str>,
    expect: TestExpect,
}

impl RouteTest {
    /// Whether routes of a host may decide about it.
    pub(super) fn concerns(&self, pattern: &HostPattern) -> bool {
        pattern.matches(&self.host)
    }
}

/// The tests of an object. Where they name no host, its first one is meant. What is for clients that
/// come by HTTPS is asked so.
pub(super) fn read(
    spec: &ServiceRouteSpec,
    hosts: &[HostPattern],
    https: bool,
) -> Box<[RouteTest]> {
    let scheme = if https { "https" } else { "http" };
    let own = hosts.iter().find_map(|host| match host {
        HostPattern::Exact(name) => Some(&**name),
        HostPattern::Wildcard(_) | HostPattern::Any => None,
    });
    let read = |test: &fairway_crds::RouteTest| {
        let request = &test.request;
        let host = request.host.as_deref().or(own);
        let origin = host.or(https.then_some("")).map(|host| format!("{scheme}://{host}"));
        let url = origin.unwrap_or_default() + &request.path;
        let headers = request.headers.iter();
        RouteTest {
            host: host.unwrap_or_default().trim_end_matches('.').to_ascii_lowercase().into(),
            request: WhyRequest {
                method: request.method.clone().unwrap_or_else(|| "GET".to_owned()),
                url,
                headers: headers.map(|(name, value)| format!("{name}: {value}")).collect(),
                ..WhyRequest::default()
            },
            expect: test.expect.clone(),
        }
    };
    spec.tests.iter().map(read).collect()
}

/// The requests of all tests of a class that can be read, for whoever compares worlds.
#[must_use]
pub fn requests(inputs: &Inputs, class: &str) -> Vec<WhyRequest> {
    let routes = inputs.routes.values().filter(|route| route.class() == class);
    let tests = routes.filter_map(|route| route.spec().ok()).flat_map(|spec| {
        let hosts = spec.hosts.iter().filter_map(|host| host.parse().ok());
        let mut hosts: Vec<HostPattern> = hosts.collect();
        hosts.sort();
        read(&spec, &hosts, spec.tls.is_some())
    });
    tests.map(|test| test.request).filter(WhyRequest::can_be_read).collect()
}

/// What fails of each object that has tests. Only those are looked up anew about which something
/// that has changed decides.
pub(super) fn run(
    objects: &BTreeMap<ObjectId, Arc<Lowered>>,
    snapshot: &Snapshot,
    memo: &mut Memo,
) -> BTreeMap<ObjectId, Vec<Diagnostic>> {
    let mut worlds = HashMap::new();
    let mut found = BTreeMap::new();
    for (id, lowered) in objects.iter().filter(|(_, lowered)| !lowered.tests.is_empty()) {
        let failures = match memo.tested(id, &lowered.tests) {
            Some(known) => known,
            None => {
                let failures = failures(id, lowered, snapshot, memo, &mut worlds);
                memo.remember_tested(id, failures.clone());
                failures
            }
        };
        found.insert(id.clone(), failures);
    }
    found
}

/// The hosts that decide about requests, and their tables.
type Worlds = HashMap<(ListenerName, Vec<*const Host>), Asking<'static>>;

fn failures(
    id: &ObjectId,
    lowered: &Lowered,
    snapshot: &Snapshot,
    memo: &Memo,
    worlds: &mut Worlds,
) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let serving = lowered.listeners();
    for (index, test) in lowered.tests.iter().enumerate() {
        for name in &serving {
            let Some(listener) = snapshot.listeners.get(name) else { continue };
            let hosts = memo.hosts_for(name, &test.host);
            let key: (ListenerName, _) = ((*name).clone(), hosts.iter().map(Arc::as_ptr).collect());
            let asking = worlds.entry(key).or_insert_with(|| world(name, listener, hosts));
            let Err(message) = test.judge(asking, &id.namespace, &id.name) else { continue };
            let message =
                if serving.len() > 1 { format!("on listener {name}: {message}") } else { message };
            found.push(Diagnostic {
                object: id.clone(),
                rule: None,
                field: format!("spec.tests[{index}]"),
                reason: Reason::TestFailed,
                severity: Severity::Error,
                message,
            });
            // What fails on one listener mostly fails on the others in the same way.
            break;
        }
    }
    found
}

fn world(name: &ListenerName, listener: &Listener, hosts: Vec<Arc<Host>>) -> Asking<'static> {
    let Listener { bind, protocol, proxy_protocol, normalization, certificates: _, hosts: _ } =
        listener;
    let listener = Listener {
        bind: *bind,
        protocol: *protocol,
        proxy_protocol: *proxy_protocol,
        normalization: *normalization,
        certificates: BTreeMap::new(),
        hosts,
    };
    let listeners = BTreeMap::from([(name.clone(), listener)]);
    let world = Snapshot { version: Snapshot::VERSION, listeners, ..Snapshot::default() };
    Asking::of(Cow::Owned(world))
}

impl RouteTest {
    /// What of the expectation does not hold.
    fn judge(&self, asking: &Asking<'_>, namespace: &str, object: &str) -> Result<(), String> {
        let WhyRequest { method, url, .. } = &self.request;
        let (_, outcome) = asking
            .outcome(&self.request)
            .map_err(|problem| format!("{method} {url}: {problem}"))?;
        let TestExpect { rule, backend, path, status } = &self.expect;
        let mut wrong: Vec<(String, String)> = Vec::new();
        if let Some(rule) = rule {
            let whole = if rule.contains('/') {
                rule.clone()
            } else {
                format!("{namespace}/{object}/{rule}")
            };
            if outcome.rule.as_ref() != Some(&whole) {
                wrong
                    .push((format!("rule {rule}"), got("rule", outcome.rule.as_deref(), &outcome)));
            }
        }
        if let Some(backend) = backend {
            let all = || outcome.backends.iter().filter(|one| one.weight > 0);
            let fits = |one: &BackendView| {
                one.invalid.is_none() && is_backend(backend, &one.reference, namespace)
            };
            if !all().any(fits) {
                let names: Vec<String> = all().map(named).collect();
                let names = names.join(", ");
                let some = Some(names.as_str()).filter(|text| !text.is_empty());
                wrong.push((format!("backend {backend}"), got("backend", some, &outcome)));
            }
        }
        if let Some(path) = path
            && outcome.path.as_ref() != Some(path)
        {
            wrong.push((format!("path {path}"), got("path", outcome.path.as_deref(), &outcome)));
        }
        if let Some(status) = status
            && outcome.status != Some(*status)
        {
            let text = outcome.status.map(|status| status.to_string());
            wrong.push((format!("status {status}"), got("status", text.as_deref(), &outcome)));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let (expected, got): (Vec<_>, Vec<_>) = wrong.into_iter().unzip();
        Err(format!("{method} {url}: expected {}, got {}", expected.join(", "), together(got)))
    }
}

/// What came in the place of what was expected.
fn got(what: &str, value: Option<&str>, outcome: &OutcomeView) -> String {
    match (value, &outcome.rule, outcome.status) {
        (Some(value), ..) => format!("{what} {value}"),
        (None, _, Some(status)) => {
            let message = outcome.message.as_ref().map(|message| format!(" ({message})"));
            format!("status {status}{}", message.unwrap_or_default())
        }
        (None, Some(rule), None) => format!("the backends of rule {rule}"),
        (None, None, None) => "nothing".to_owned(),
    }
}

/// A backend, and why it cannot be used.
fn named(backend: &BackendView) -> String {
    let invalid = backend.invalid.as_ref().map(|reason| format!(" ({reason})"));
    format!("{}{}", backend.reference, invalid.unwrap_or_default())
}

/// One thing may stand in the place of several.
fn together(mut got: Vec<String>) -> String {
    got.dedup();
    got.join(", ")
}

/// Whether a reference, `market/finance:8000`, is the one that is expected, which may lack the
/// namespace of the object, and the port.
fn is_backend(expected: &str, reference: &str, namespace: &str) -> bool {
    let own = reference.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('/'));
    [Some(reference), own].into_iter().flatten().any(|reference| {
        let portless = reference.rsplit_once(':').map(|(name, _)| name);
        reference == expected || portless == Some(expected)
    })
}

/// The condition of an object with so many tests, of which these fail.
pub(super) fn with(status: &mut ObjectStatus, tests: usize, failures: Vec<Diagnostic>) {
    let verdict = if failures.is_empty() {
        let message =
            if tests == 1 { "1 test holds".to_owned() } else { format!("{tests} tests hold") };
        Verdict { status: true, reason: Reason::TestsPassed, message: message.into() }
    } else {
        let message = listed(&failures);
        Verdict { status: false, reason: Reason::TestFailed, message: message.into() }
    };
    status.tests_passed = Some(verdict);
    status.diagnostics.extend(failures);
}

//! Compilation: all inputs in, one snapshot and one status per object out.
//!
//! Pure, total and deterministic: no client, clock, log, async or `Result`. Wrong input is a
//! value: a rule that cannot be compiled answers 500 and its neighbours live on.

mod answers;
mod api_versions;
mod backends;
mod certificates;
mod conflicts;
pub mod diagnostic;
mod found;
mod headers;
pub mod host_policy;
mod host_routes;
mod interned;
mod lower;
mod matches;
mod memo;
pub(crate) mod names;
pub mod options;
mod policies;
mod route_tests;
mod table;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_snapshot::{
    Listener, ObjectId, Protocol, Resource, ResourceId, Snapshot, Upstream, UpstreamId,
};

pub(crate) use backends::nearest;
pub use diagnostic::{Diagnostic, Severity};
pub use host_policy::{Allowed, HostPolicy, HostPolicyEntry, NamespacePattern};
pub use memo::Memo;
pub use options::{CompileOptions, Discovery, ExternalHosts, ListenerSettings, UnknownService};
pub use policies::{duration, policy_problems};
pub use route_tests::requests as requests_of_tests;

use crate::Inputs;
use crate::endpoints::Wanted;
use certificates::Certificates;
use found::{Found, found};
use lower::Lowered;

/// The result of compiling.
#[derive(Clone, Debug, Default)]
pub struct Compilation {
    /// What the data plane gets.
    pub snapshot: Snapshot,
    /// What each object of our class is told. Objects of another class have no entry.
    pub statuses: BTreeMap<ObjectId, Arc<ObjectStatus>>,
    /// The upstreams of the snapshot whose endpoints must be told beside it.
    pub wanted: BTreeMap<UpstreamId, Wanted>,
}

/// What is known of one object once it is compiled; whether it is programmed is known later.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStatus {
    /// The generation that was compiled.
    pub generation: Option<i64>,
    /// The hosts that are served, sorted; `*` is any host.
    pub hosts: Vec<String>,
    /// Number of rules that serve: some request gets to one of their backends.
    pub rules: u32,
    /// Number of rules by which no request gets to a backend.
    pub invalid_rules: u32,
    /// Number of rules that serve, though some of their matches answer 500 or are left out.
    pub partial_rules: u32,
    /// Hash of the compiled form of this object alone, in hexadecimal.
    pub hash: String,
    /// Whether every rule compiled.
    pub accepted: Verdict,
    /// Whether every reference was found.
    pub resolved_refs: Verdict,
    /// Which requests go to another rule, or are taken from another object; none where none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflicted: Option<Verdict>,
    /// Whether every test of the object holds; none where it has no tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests_passed: Option<Verdict>,
    /// The certificate that it names, where that can be used.
    #[serde(skip)]
    pub certificate: Option<CertificateEnd>,
    /// Everything that was found; what concerns other rules comes last.
    pub diagnostics: Vec<Diagnostic>,
}

/// When the certificate of an object ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEnd {
    /// The Secret that holds it.
    pub secret: ObjectId,
    /// In seconds since 1970.
    pub not_after: i64,
}

/// The content of a condition, without type and time.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// True or false.
    pub status: bool,
    /// The reason.
    pub reason: Reason,
    /// What a person reads.
    pub message: Cow<'static, str>,
}

/// Compiles all inputs.
#[must_use]
pub fn compile(inputs: &Inputs, options: &CompileOptions, memo: &mut Memo) -> Compilation {
    memo.begin(options, inputs);
    let objects = memo.lowered(inputs, options);
    let mut statuses: BTreeMap<ObjectId, Arc<ObjectStatus>> =
        objects.iter().map(|(id, lowered)| (id.clone(), Arc::clone(&lowered.status))).collect();
    for (id, unreadable) in &inputs.unreadable {
        // One whose class cannot be read may be ours; then silence would be worse.
        if unreadable.class.as_ref().is_some_and(|class| *class != options.class) {
            continue;
        }
        statuses.insert(id.clone(), Arc::new(lower::unreadable_status(id, unreadable)));
    }
    let mut snapshot = Snapshot { version: Snapshot::VERSION, ..Snapshot::default() };
    let mut certificates = Certificates::default();
    for (name, settings) in &options.listeners {
        let hosts = table::hosts(name, &objects, memo);
        let shown = match settings.protocol {
            Protocol::Https => certificates.of(name, &objects),
            Protocol::Http => BTreeMap::new(),
        };
        let listener = Listener {
            bind: settings.bind,
            protocol: settings.protocol,
            proxy_protocol: settings.proxy_protocol,
            normalization: settings.normalization,
            certificates: shown,
            hosts,
        };
        snapshot.listeners.insert(name.clone(), listener);
    }
    (snapshot.upstreams, snapshot.resources) =
        memo.led(|| (upstreams(&objects), resources(&objects)));
    let Certificates { resources, taken } = certificates;
    snapshot.resources.extend(resources);
    for (id, found) in found(&objects, &snapshot, &taken, memo) {
        if let Some(status) = statuses.get_mut(&id) {
            *status = memo.told(&id, status, found);
        }
    }
    let wanted = wanted(&objects, &snapshot);
    memo.end();
    Compilation { snapshot, statuses, wanted }
}

/// The upstreams of the snapshot whose endpoints must be told.
fn wanted(
    objects: &BTreeMap<ObjectId, Arc<Lowered>>,
    snapshot: &Snapshot,
) -> BTreeMap<UpstreamId, Wanted> {
    let all = objects.values().flat_map(|lowered| &lowered.wanted);
    all.filter(|(id, _)| snapshot.upstreams.contains_key(*id))
        .map(|(id, wanted)| (id.clone(), wanted.clone()))
        .collect()
}

/// The resources that upstreams refer to.
fn resources(objects: &BTreeMap<ObjectId, Arc<Lowered>>) -> BTreeMap<ResourceId, Resource> {
    objects.values().flat_map(|lowered| &lowered.resources).cloned().collect()
}

/// The upstreams that routes lead to.
fn upstreams(objects: &BTreeMap<ObjectId, Arc<Lowered>>) -> BTreeMap<UpstreamId, Arc<Upstream>> {
    // Equal ones are one value: looking at where it stands costs less than comparing names.
    let mut seen: HashSet<*const Upstream> = HashSet::new();
    let all = objects.values().flat_map(|lowered| &lowered.upstreams);
    all.filter(|(_, upstream)| seen.insert(Arc::as_ptr(upstream)))
        .map(|(id, upstream)| (id.clone(), Arc::clone(upstream)))
        .collect()
}

//! What lowering says of an object: its hash and its status.

use fairway_crds::RouteRule;
use fairway_crds::conditions::Reason;
use fairway_snapshot::{Action, Backend, HostPattern, ListenerName, ObjectId};
use sha2::{Digest, Sha256};

use super::super::diagnostic::{Diagnostic, Severity};
use super::super::{ObjectStatus, Verdict};
use super::{LoweredRoute, Refused, Shown};
use crate::hexadecimal::hexadecimal;
use crate::inputs::Unreadable;

/// The first 16 hexadecimal digits of the SHA-256 of the compiled form.
pub(super) fn hash(
    hosts: &[HostPattern],
    groups: &[(Vec<ListenerName>, Vec<LoweredRoute>)],
    refused: &Refused,
    certificate: Option<&Shown>,
) -> String {
    let certificate = certificate.map(|shown| (&shown.id, &shown.names));
    // Values without maps that are not ordered: writing them cannot fail, and is the same at
    // every call.
    let written = match certificate {
        None if refused.is_empty() => serde_json::to_vec(&(hosts, groups)),
        None => serde_json::to_vec(&(hosts, groups, refused)),
        Some(certificate) => serde_json::to_vec(&(hosts, groups, refused, certificate)),
    };
    let text = written.unwrap_or_default();
    hexadecimal(&Sha256::digest(&text)[..8])
}

/// How much of an object serves, counted on what was compiled, so that it cannot say more than
/// requests will see.
#[derive(Default)]
pub(super) struct Share {
    /// Rules that serve.
    rules: u32,
    /// Rules by which no request gets to a backend.
    invalid: u32,
    /// Rules that serve by some of their matches only.
    partial: u32,
}

impl Share {
    pub(super) fn of(
        rules: &[RouteRule],
        hosts: &[HostPattern],
        groups: &[(Vec<ListenerName>, Vec<LoweredRoute>)],
        refused: &Refused,
    ) -> Self {
        // What is wrong with a match is wrong on every listener, so that one group speaks for all.
        let routes = groups.first().filter(|_| !hosts.is_empty()).map(|(_, routes)| routes);
        let mut share = Self::default();
        for (index, rule) in (0u16..).zip(rules) {
            let serving = routes.into_iter().flatten().filter(|lowered| {
                let rule = &lowered.route.rule;
                rule.id.index == index && serves(&rule.action)
            });
            let everywhere =
                |lowered: &&LoweredRoute| !hosts.iter().any(|host| refused.holds(host, lowered));
            let whole = serving.clone().filter(everywhere).count();
            let some = serving.count() > 0;
            share.rules += u32::from(some);
            share.invalid += u32::from(!some);
            share.partial += u32::from(some && whole < rule.matches.len().max(1));
        }
        share
    }
}

/// Whether some request gets to a backend, or to the answer that the rule gives. Backends that are all switched off by weight 0 serve
/// as their author wants it.
fn serves(action: &Action) -> bool {
    let backends = match action {
        Action::Forward(backends) => backends,
        Action::Redirect(_) | Action::Respond(_) => return true,
        Action::Invalid { .. } => return false,
    };
    let off = backends.iter().all(|backend| backend.weight() == 0);
    backends
        .iter()
        .any(|backend| matches!(backend, Backend::Upstream { .. }) && (off || backend.weight() > 0))
}

pub(super) fn status(
    generation: Option<i64>,
    hosts: Vec<String>,
    share: &Share,
    hash: String,
    diagnostics: Vec<Diagnostic>,
) -> ObjectStatus {
    ObjectStatus {
        generation,
        hosts,
        rules: share.rules,
        invalid_rules: share.invalid,
        partial_rules: share.partial,
        hash,
        accepted: Verdict::accepted(&diagnostics),
        resolved_refs: Verdict::resolved_refs(&diagnostics),
        conflicted: None,
        certificate: None,
        tests_passed: None,
        diagnostics,
    }
}

/// The status of an object that could not be read at all.
pub(in super::super) fn unreadable_status(id: &ObjectId, unreadable: &Unreadable) -> ObjectStatus {
    let diagnostics = vec![Diagnostic {
        object: id.clone(),
        rule: None,
        field: "spec".to_owned(),
        reason: Reason::InvalidRule,
        severity: Severity::Error,
        message: format!("the object cannot be read: {}", unreadable.message),
    }];
    ObjectStatus {
        generation: unreadable.generation,
        hosts: Vec::new(),
        rules: 0,
        invalid_rules: 0,
        partial_rules: 0,
        hash: String::new(),
        accepted: Verdict::accepted(&diagnostics),
        resolved_refs: Verdict::resolved_refs(&diagnostics),
        conflicted: None,
        certificate: None,
        tests_passed: None,
        diagnostics,
    }
}

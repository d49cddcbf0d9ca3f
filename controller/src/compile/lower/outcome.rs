//! What lowering says of an object: its hash and its status.

use fairway_crds::ServiceRoute;
use fairway_crds::conditions::Reason;
use fairway_snapshot::{HostPattern, ListenerName, ObjectId};
use sha2::{Digest, Sha256};

use super::super::diagnostic::{Diagnostic, Severity};
use super::super::{ObjectStatus, Verdict};
use super::LoweredRoute;
use crate::inputs::Unreadable;

/// The first 16 hexadecimal digits of the SHA-256 of the compiled form.
pub(super) fn hash(
    hosts: &[HostPattern],
    groups: &[(Vec<ListenerName>, Vec<LoweredRoute>)],
) -> String {
    use std::fmt::Write;
    // Values without maps that are not ordered: writing them cannot fail, and is the same at
    // every call.
    let text = serde_json::to_vec(&(hosts, groups)).unwrap_or_default();
    let digest = Sha256::digest(&text);
    digest.iter().take(8).fold(String::with_capacity(16), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

pub(super) fn status(
    route: &ServiceRoute,
    hosts: &[HostPattern],
    (serving, invalid): (usize, usize),
    hash: String,
    diagnostics: Vec<Diagnostic>,
) -> ObjectStatus {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    ObjectStatus {
        generation: route.metadata.generation,
        hosts: hosts.iter().map(ToString::to_string).collect(),
        rules: if hosts.is_empty() { 0 } else { count(serving) },
        invalid_rules: count(invalid),
        hash,
        accepted: Verdict::accepted(&diagnostics),
        resolved_refs: Verdict::resolved_refs(&diagnostics),
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
        hash: String::new(),
        accepted: Verdict::accepted(&diagnostics),
        resolved_refs: Verdict::resolved_refs(&diagnostics),
        diagnostics,
    }
}

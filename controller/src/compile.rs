//! Compilation: all inputs in, one snapshot and one status per object out.
//!
//! Pure, total and deterministic: no client, clock, log, async or `Result`. Wrong input is a
//! value: a rule that cannot be compiled answers 500 and its neighbours live on.

pub mod diagnostic;
pub mod options;

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_snapshot::{ObjectId, Snapshot};

pub use diagnostic::{Diagnostic, Severity};
pub use options::{CompileOptions, ExternalHosts, ListenerSettings, UnknownService};

use crate::Inputs;

/// The result of compiling.
#[derive(Clone, Debug, Default)]
pub struct Compilation {
    /// What the data plane gets.
    pub snapshot: Snapshot,
    /// What each object of our class is told. Objects of another class have no entry.
    pub statuses: BTreeMap<ObjectId, Arc<ObjectStatus>>,
}

/// What is known of one object once it is compiled; whether it is programmed is known later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectStatus {
    /// The generation that was compiled.
    pub generation: Option<i64>,
    /// The hosts that are served, sorted; `*` is any host.
    pub hosts: Vec<String>,
    /// Number of rules that serve.
    pub rules: u32,
    /// Number of rules that answer 500.
    pub invalid_rules: u32,
    /// Hash of the compiled form of this object alone, in hexadecimal.
    pub hash: String,
    /// Whether every rule compiled.
    pub accepted: Verdict,
    /// Whether every reference was found.
    pub resolved_refs: Verdict,
    /// Everything that was found, in the order of the object's fields.
    pub diagnostics: Vec<Diagnostic>,
}

/// The content of a condition, without type and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// True or false.
    pub status: bool,
    /// The reason.
    pub reason: Reason,
    /// What a person reads.
    pub message: String,
}

/// What compiling remembers of the last time. It changes the cost, never the result.
#[derive(Debug, Default)]
pub struct Memo {}

/// Compiles all inputs.
#[must_use]
pub fn compile(inputs: &Inputs, options: &CompileOptions, memo: &mut Memo) -> Compilation {
    let _ = (inputs, options, memo);
    Compilation::default()
}

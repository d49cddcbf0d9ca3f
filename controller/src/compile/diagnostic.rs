//! A problem that was found: it ends in a status condition, in `fairway check` and in the log.

use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_snapshot::ObjectId;

/// A problem that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The object.
    pub object: ObjectId,
    /// The name of the rule, when it is one rule's problem.
    pub rule: Option<Arc<str>>,
    /// The field, as `kubectl explain` names it, with indexes: `spec.rules[0].match[1].path`.
    pub field: String,
    /// The machine word.
    pub reason: Reason,
    /// How bad it is.
    pub severity: Severity,
    /// The problem, the value, and what to write instead.
    pub message: String,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something answers 500, or is left out.
    Error,
    /// Everything serves, but probably not as meant.
    Warning,
}

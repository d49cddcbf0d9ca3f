//! A problem that was found: it ends in a status condition, in `fairway check` and in the log.

use std::fmt;
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_snapshot::ObjectId;
use serde::Serialize;

use super::Verdict;

/// Problems that one condition lists; the rest is counted. A condition's message holds 32,768
/// characters (metav1.Condition).
const LISTED: usize = 8;
/// The characters of each: what is written may be long, and is told percent-encoded too.
const LONGEST: usize = 4000;

/// A problem that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// The object.
    pub object: ObjectId,
    /// The name of the rule, when it is one rule's problem.
    #[serde(skip_serializing_if = "Option::is_none")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something answers 500, or is left out.
    Error,
    /// Everything serves, but probably not as meant.
    Warning,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rule) = &self.rule {
            write!(f, "rule {rule}: ")?;
        }
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl Verdict {
    /// The condition `Accepted`.
    pub(super) fn accepted(diagnostics: &[Diagnostic]) -> Self {
        let wrong = select(diagnostics, |reason| {
            matches!(
                reason,
                Reason::InvalidRule
                    | Reason::UnsupportedValue
                    | Reason::ListenerNotFound
                    | Reason::HostNotAllowed
            )
        });
        Self::of(&wrong, Reason::Accepted, "every rule compiled")
    }

    /// The condition `ResolvedRefs`.
    pub(super) fn resolved_refs(diagnostics: &[Diagnostic]) -> Self {
        let wrong = select(diagnostics, |reason| {
            matches!(
                reason,
                Reason::BackendNotFound
                    | Reason::PortNotFound
                    | Reason::RefNotPermitted
                    | Reason::SecretNotFound
                    | Reason::InvalidCertificate
                    | Reason::ExternalHostNotAllowed
                    | Reason::ConfigMapNotFound
            )
        });
        Self::of(&wrong, Reason::ResolvedRefs, "every reference was found")
    }

    /// True without problems; else the reason of the first, and a message that lists them.
    fn of(wrong: &[&Diagnostic], good: Reason, message: &'static str) -> Self {
        let Some(first) = wrong.first() else {
            return Self { status: true, reason: good, message: message.into() };
        };
        Self { status: false, reason: first.reason, message: listed(wrong).into() }
    }
}

/// The first problems, a line each, and how many more there are.
pub(super) fn listed<D: fmt::Display>(found: &[D]) -> String {
    let mut lines: Vec<String> =
        found.iter().take(LISTED).map(|one| cut(one.to_string())).collect();
    if found.len() > LISTED {
        lines.push(format!("and {} more", found.len() - LISTED));
    }
    lines.join("\n")
}

/// A problem in few enough characters.
fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn select(diagnostics: &[Diagnostic], mut wanted: impl FnMut(Reason) -> bool) -> Vec<&Diagnostic> {
    diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error && wanted(found.reason))
        .collect()
}

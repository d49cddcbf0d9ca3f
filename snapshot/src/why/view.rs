//! The answer to a question, as people and scripts read it.

use serde::{Deserialize, Serialize};

use crate::Timeouts;
use crate::dump::{BackendView, MirrorView, RouteView};

/// Why a request gets where it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyView {
    /// The request.
    pub asked: Asked,
    /// What becomes of it.
    pub outcome: OutcomeView,
    /// The routes that know its path, the strongest first.
    pub candidates: Vec<CandidateView>,
    /// Whether the rule that should win does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedView>,
    /// What became of the tests of the object whose rule takes it, where all objects are at hand: a
    /// running gateway knows only what it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<String>,
}

/// A request, as routes see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The listener.
    pub listener: String,
    /// The method.
    pub method: String,
    /// The host in lower case, without port.
    pub host: String,
    /// The path, normalised where it could be.
    pub path: String,
    /// The query as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeView {
    /// The rule that takes it, as `namespace/name/rule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The status, when the gateway answers itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it answers itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The methods that it says are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// Where it sends the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Path and query that the backend sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `Host` that the backend sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How header fields are changed: `request set x-team: finance`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<String>,
    /// The greatest body that is taken, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// The version of the API that serves it, where the rule knows versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The backends, of which weight chooses one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<BackendView>,
    /// Who gets copies of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<MirrorView>,
    /// The timeouts, with where each came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
}

impl OutcomeView {
    /// An answer of the gateway's own, without a rule.
    pub(super) fn refused(status: u16, message: &str) -> Self {
        Self { status: Some(status), message: Some(message.to_owned()), ..Self::default() }
    }
}

/// A route that knows the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidateView {
    /// Its rule, as `namespace/name/rule`.
    pub rule: String,
    /// Index of the match in the rule.
    pub match_index: u16,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The route.
    pub route: RouteView,
}

/// What became of a route that knows the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It takes the request.
    Wins,
    /// It would, and a stronger one does.
    Loses,
    /// Something of the request is not as it wants it.
    Fails,
    /// A more specific host decides.
    NotAsked,
}

/// Whether the rule that should win does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpectedView {
    /// As it was asked for: `namespace/name` or `namespace/name/rule`.
    pub rule: String,
    /// Whether it wins.
    pub wins: bool,
    /// The first thing that keeps it from winning.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

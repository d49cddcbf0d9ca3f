//! The snapshot: listeners, their hosts, and for each host its routes in order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::normalize::Refusal;
use crate::{
    ApiVersions, Authorities, Certificate, Conditions, Filter, HeaderFields, HostPattern,
    ListenerName, MethodMatch, Mirror, Normalization, PathMatch, PathTemplate, Policy, Redirect,
    ResourceId, Respond, RuleId, Upstream, UpstreamId,
};

/// Everything that the data plane needs to know, as plain values without indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Version of this format: [`Snapshot::VERSION`].
    pub version: u32,
    /// The listeners by name.
    pub listeners: BTreeMap<ListenerName, Listener>,
    /// The upstreams that backends refer to.
    pub upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    /// The resources that policies refer to (certificates, keys); the data plane holds each with
    /// a revision and a state of its own.
    pub resources: BTreeMap<ResourceId, Resource>,
}

impl Snapshot {
    /// The version of the format that this code writes and reads.
    pub const VERSION: u32 = 1;
}

/// A snapshot on its way to the data plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// Counts the snapshots of this process, from 1. It grows only when the content differs.
    pub revision: u64,
    /// The content.
    pub snapshot: Snapshot,
}

/// A port that takes traffic, and the hosts that it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// The address to bind. Port 0 binds a free port.
    pub bind: SocketAddr,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Whether each connection begins with the PROXY protocol, by which a load balancer tells whose it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proxy_protocol: bool,
    /// How paths are normalised before they are matched and forwarded.
    pub normalization: Normalization,
    /// The certificates that are shown to clients, by the names that those ask for: exact ones, and
    /// ones with `*` for the first label (RFC 9525 section 6.3). Empty where HTTP is spoken.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub certificates: BTreeMap<Arc<str>, ResourceId>,
    /// The hosts, the more specific first. A host whose routes did not change is the same `Arc`
    /// as in the snapshot before.
    pub hosts: Vec<Arc<Host>>,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// HTTP over TLS.
    Https,
    /// HTTP without TLS.
    Http,
}

/// The routes of one host pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// For which hosts they speak.
    pub pattern: HostPattern,
    /// The routes in the order of [`crate::Precedence`]: the first that matches wins.
    pub routes: Arc<[Route]>,
}

/// One match of one rule.
///
/// A lookup among many routes waits for the memory of those that it looks at: each takes one line
/// of the processor's cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[repr(align(64))]
pub struct Route {
    /// The path.
    pub path: PathMatch,
    /// The methods.
    pub methods: MethodMatch,
    /// What it asks of header fields and query parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Arc<Conditions>>,
    /// Index of the match in its rule, from 0.
    pub match_index: u16,
    /// What happens to a request that matches.
    pub rule: Arc<Rule>,
}

const _: () = assert!(size_of::<Route>() == 64);

/// What happens to the requests that a rule takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Who it is.
    pub id: RuleId,
    /// When the object was created, in seconds since 1970; objects without a time (from files)
    /// count as created at 0.
    pub created: i64,
    /// What differs between the kinds of routes that are lowered to rules.
    pub semantics: Semantics,
    /// Filters, in the order in which they act within their phase.
    pub filters: Vec<Filter>,
    /// Effective policy; rules that have the same share one.
    pub policy: Arc<Policy>,
    /// Where clients are sent that did not come by HTTPS; without it they are served too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_https: Option<Redirect>,
    /// Where the request ends.
    pub action: Action,
}

/// What ServiceRoute and other kinds of routes do differently, as values, so that the matcher
/// itself has one behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Semantics {
    /// What a wrong method on a known path is answered with.
    pub wrong_method: WrongMethod,
    /// Whether an `OPTIONS` request that no rule takes is answered with 204 and `Allow`.
    pub answer_options: bool,
}

/// The semantics of ServiceRoute.
impl Default for Semantics {
    fn default() -> Self {
        Self { wrong_method: WrongMethod::MethodNotAllowed, answer_options: true }
    }
}

/// What a wrong method on a known path is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WrongMethod {
    /// 405 with `Allow`.
    MethodNotAllowed,
    /// 404, as if the rule were not there.
    NotFound,
}

/// Where a request ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// At one of these backends, by weight. All weights zero: 503.
    Forward(Vec<Backend>),
    /// Elsewhere, as the client is told.
    Redirect(Redirect),
    /// At an answer of the rule's own.
    Respond(Arc<Respond>),
    /// At an answer 500: the rule reads well but could not be compiled.
    Invalid {
        /// What is wrong, for the log; never shown to clients.
        message: Arc<str>,
    },
}

/// A weighted reference to an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Backend {
    /// It was found.
    Upstream {
        /// The upstream.
        upstream: UpstreamId,
        /// As the user wrote it, for logs and tables: `market/finance:8000`.
        reference: Arc<str>,
        /// Share of the requests.
        weight: u32,
    },
    /// It was not; its share of the requests is answered with 500.
    Invalid {
        /// As the user wrote it.
        reference: Arc<str>,
        /// Share of the requests.
        weight: u32,
        /// Why.
        reason: InvalidReason,
    },
}

/// Why a backend cannot be used. Each corresponds to a reason of the condition `ResolvedRefs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum InvalidReason {
    /// The Service does not exist.
    BackendNotFound,
    /// The Service does not have that port.
    PortNotFound,
    /// A reference to another namespace that nobody permitted.
    RefNotPermitted,
    /// The operator does not allow this host.
    ExternalHostNotAllowed,
    /// The Service asks for something that this version cannot do.
    UnsupportedValue,
    /// The ConfigMap with the authorities that vouch for it does not exist.
    ConfigMapNotFound,
    /// A Secret with certificates does not exist.
    SecretNotFound,
    /// A certificate cannot be used.
    InvalidCertificate,
}

/// A resource in the data plane: what never becomes part of routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resource {
    /// A certificate of a Secret.
    Certificate(Arc<Certificate>),
    /// Who vouches for backends.
    Authorities(Arc<Authorities>),
}

impl Rule {
    /// The versions of the API that it knows.
    #[must_use]
    pub fn versions(&self) -> Option<&Arc<ApiVersions>> {
        self.filters.iter().find_map(|filter| match filter {
            Filter::Versions(versions) => Some(versions),
            Filter::RewritePath(_)
            | Filter::RewriteHost(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_) => None,
        })
    }

    /// The upstreams that get its requests, or copies of them.
    pub fn upstreams(&self) -> impl Iterator<Item = &UpstreamId> {
        let (backends, mirrors) = match &self.action {
            Action::Forward(backends) => (backends.as_slice(), &*self.policy.mirror.value),
            Action::Redirect(_) | Action::Respond(_) | Action::Invalid { .. } => (&[][..], &[][..]),
        };
        let backends = backends.iter().filter_map(Backend::upstream);
        backends.chain(mirrors.iter().filter_map(Mirror::upstream))
    }
}

impl Route {
    /// The path that goes on, to the backend or to where the client is sent: what the rule's
    /// template makes of the normalised path, or the normalised path.
    ///
    /// # Errors
    ///
    /// A regular expression captured a part of a segment that makes `.` or `..` of another: the
    /// backend would take it for a step up, past where the template leads.
    pub fn forwarded_path<'p>(&self, path: Cow<'p, str>) -> Result<Cow<'p, str>, Refusal> {
        let mut path = path;
        for filter in &self.rule.filters {
            match filter {
                Filter::RewritePath(template) => path = self.expanded(template, path)?,
                Filter::RewriteHost(_)
                | Filter::Versions(_)
                | Filter::RequestHeaders(_)
                | Filter::ResponseHeaders(_) => {}
            }
        }
        match &self.rule.action {
            Action::Redirect(Redirect { path: Some(template), .. }) => {
                self.expanded(template, path)
            }
            _ => Ok(path),
        }
    }

    fn expanded<'p>(
        &self,
        template: &PathTemplate,
        path: Cow<'p, str>,
    ) -> Result<Cow<'p, str>, Refusal> {
        let Some(captures) = self.path.captures(&path) else { return Ok(path) };
        let made = template.expand(&path, &captures);
        // The captures of a pattern are whole segments of a normalised path.
        let partial = matches!(self.path, PathMatch::Regex { .. });
        if partial && made.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(Refusal::RewrittenDot);
        }
        Ok(Cow::Owned(made))
    }

    /// Whether its conditions on headers and query hold, or it has none. Without headers those are
    /// not looked at: see [`Conditions::hold`].
    #[must_use]
    pub fn asks_no_more(&self, headers: Option<&dyn HeaderFields>, query: Option<&str>) -> bool {
        self.conditions.as_ref().is_none_or(|conditions| conditions.hold(headers, query))
    }
}

impl Backend {
    /// Share of the requests, relative to the other backends of the rule.
    #[must_use]
    pub const fn weight(&self) -> u32 {
        match self {
            Self::Upstream { weight, .. } | Self::Invalid { weight, .. } => *weight,
        }
    }

    /// The upstream, when it was found.
    #[must_use]
    pub const fn upstream(&self) -> Option<&UpstreamId> {
        match self {
            Self::Upstream { upstream, .. } => Some(upstream),
            Self::Invalid { .. } => None,
        }
    }

    /// The reference as the user wrote it.
    #[must_use]
    pub const fn reference(&self) -> &Arc<str> {
        match self {
            Self::Upstream { reference, .. } | Self::Invalid { reference, .. } => reference,
        }
    }
}

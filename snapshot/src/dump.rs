//! A snapshot as people and scripts read it: every route in the order in which it is tried.
//!
//! The same view is printed from files, from a cluster and from a running gateway; the running
//! one adds what it has seen.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    Action, ApiVersions, Backend, FieldTemplate, Filter, Listener, MethodMatch, Mirror,
    MirrorTarget, Resource, Route, Rule, Snapshot, Source, Sourced, Timeouts,
};

/// Every route of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutesView {
    /// The revision, when a gateway runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The listeners by name.
    pub listeners: Vec<ListenerView>,
}

/// A listener and its routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerView {
    /// Its name.
    pub name: String,
    /// The address that it asks for.
    pub bind: SocketAddr,
    /// Why it is not bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The certificates that it shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateView>,
    /// Its routes, the stronger first.
    pub routes: Vec<RouteView>,
}

/// A certificate of a Secret, and for what it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateView {
    /// The name that clients ask for.
    pub name: String,
    /// The Secret.
    pub secret: String,
    /// When it ends, in seconds since 1970.
    pub not_after: i64,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteView {
    /// The host pattern; `*` is any host.
    pub host: String,
    /// The path pattern.
    pub path: String,
    /// The methods; none is every method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Conditions on header fields, for people: `x-api-version=v2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The version of the API that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The versions that there are, for people: `v1 (default, deprecated), v2 (spec)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
    /// Conditions on query parameters, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub route: String,
    /// Name of the rule.
    pub rule: String,
    /// The path and the host that the backend sees, when they are rewritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<String>,
    /// How header fields are changed, for people: `request set x-team: finance`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<String>,
    /// The greatest body in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// What browsers are told about coming by HTTPS only, with who says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts: Option<String>,
    /// Whether clients that did not come by HTTPS are sent there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub https_only: bool,
    /// What the rule answers itself: `redirect 308 /fin`, `respond 200 text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why the rule answers 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// The backends.
    pub backends: Vec<BackendView>,
    /// Who gets copies of the requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<MirrorView>,
    /// The timeouts, with where each came from.
    pub timeouts: Timeouts,
    /// What the running gateway counted for the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<CountsView>,
}

/// A backend of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendView {
    /// As the user wrote it.
    pub reference: String,
    /// Share of the requests.
    pub weight: u32,
    /// The upstream, when it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Why it cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// Where the running gateway finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<EndpointsView>,
}

/// A mirror of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MirrorView {
    /// As the user wrote it.
    pub reference: String,
    /// Its share of the requests, for people: `0.5%`.
    pub percent: String,
    /// Who wrote the list that it stands in.
    pub source: Source,
    /// The upstream, when it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Why it cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// Where the running gateway finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<EndpointsView>,
}

/// What a running gateway knows of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointsView {
    /// `ready`, `pending`, `lastGood` or `failed`.
    pub state: String,
    /// What DNS said, when it said nothing good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The addresses.
    pub addresses: Vec<SocketAddr>,
}

/// What was counted for a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountsView {
    /// Requests.
    pub requests: u64,
    /// Requests that ended with 500 or more.
    pub errors: u64,
    /// Mean duration in microseconds.
    pub mean_microseconds: u64,
}

impl RoutesView {
    /// Every route of `snapshot`, in the order in which routes are tried.
    #[must_use]
    pub fn new(snapshot: &Snapshot) -> Self {
        let listeners = snapshot
            .listeners
            .iter()
            .map(|(name, listener)| ListenerView {
                name: name.to_string(),
                bind: listener.bind,
                failure: None,
                certificates: certificates(snapshot, listener),
                routes: listener
                    .hosts
                    .iter()
                    .flat_map(|host| {
                        let pattern = host.pattern.to_string();
                        host.routes.iter().map(move |route| route_view(&pattern, route))
                    })
                    .collect(),
            })
            .collect();
        Self { revision: None, listeners }
    }
}

/// What browsers are told, and who said for how long.
fn hsts(rule: &Rule) -> Option<String> {
    let hsts = rule.policy.hsts;
    Some(format!("{} ({})", hsts.value()?, hsts.max_age.source.as_str()))
}

fn certificates(snapshot: &Snapshot, listener: &Listener) -> Vec<CertificateView> {
    let shown = listener.certificates.iter().filter_map(|(name, id)| {
        let Resource::Certificate(certificate) = snapshot.resources.get(id)? else { return None };
        Some(CertificateView {
            name: name.to_string(),
            secret: certificate.secret.to_string(),
            not_after: certificate.not_after,
        })
    });
    shown.collect()
}

/// A route of a host, for people and scripts.
pub(crate) fn route_view(host: &str, route: &Route) -> RouteView {
    let rule = &route.rule;
    let (backends, invalid) = match &rule.action {
        Action::Forward(backends) => (backends.as_slice(), None),
        Action::Invalid { message } => (&[][..], Some(message.to_string())),
        Action::Redirect(_) | Action::Respond(_) => (&[][..], None),
    };
    let rewrites = rule.filters.iter().filter_map(|filter| match filter {
        Filter::RewritePath(template) => Some(template.to_string()),
        Filter::RewriteHost(host) => {
            Some(format!("host {}", String::from_utf8_lossy(host.as_bytes())))
        }
        Filter::Versions(_) | Filter::RequestHeaders(_) | Filter::ResponseHeaders(_) => None,
    });
    let rewrites: Vec<String> = rewrites.collect();
    let conditions = route.conditions.as_deref();
    let headers = conditions.into_iter().flat_map(|conditions| &conditions.headers);
    let version = conditions.and_then(|conditions| conditions.version.as_ref());
    let query = conditions.into_iter().flat_map(|conditions| &conditions.query);
    RouteView {
        host: host.to_owned(),
        path: route.path.to_string(),
        methods: match &route.methods {
            MethodMatch::Any | MethodMatch::Guarded => Vec::new(),
            MethodMatch::Only(set) => set.sorted().into_iter().map(ToString::to_string).collect(),
        },
        headers: headers.map(|one| format!("{}{}", one.name, one.value)).collect(),
        version: version.map(|one| one.name().to_owned()),
        versions: rule.versions().map(|all| versions(all)),
        query: query.map(|one| format!("{}{}", one.name, one.value)).collect(),
        namespace: rule.id.object.namespace.to_string(),
        route: rule.id.object.name.to_string(),
        rule: rule.id.name.to_string(),
        rewrite: (!rewrites.is_empty()).then(|| rewrites.join(", ")),
        edits: edits(&rule.filters),
        body_bytes: rule.policy.limits.body_bytes.value,
        hsts: hsts(rule),
        https_only: rule.to_https.is_some(),
        answer: answer(&rule.action),
        invalid,
        backends: backends.iter().map(backend_view).collect(),
        mirrors: mirrors(rule),
        timeouts: rule.policy.timeouts.clone(),
        counts: None,
    }
}

/// How header fields are changed, for people.
fn edits(filters: &[Filter]) -> Vec<String> {
    let mut lines = Vec::new();
    for filter in filters {
        let (whose, edits) = match filter {
            Filter::RequestHeaders(edits) => ("request", edits),
            Filter::ResponseHeaders(edits) => ("response", edits),
            Filter::RewritePath(_) | Filter::RewriteHost(_) | Filter::Versions(_) => continue,
        };
        for (what, fields) in [("set", &edits.set), ("add", &edits.add)] {
            let told =
                |field: &FieldTemplate| format!("{whose} {what} {}: {}", field.name, field.value);
            lines.extend(fields.iter().map(told));
        }
        lines.extend(edits.remove.iter().map(|name| format!("{whose} remove {name}")));
    }
    lines
}

/// The versions of the API that a rule knows, for people.
fn versions(versions: &ApiVersions) -> String {
    let names = versions.known.iter().enumerate().map(|(index, version)| {
        let marks = [
            (versions.default == Some(index)).then_some("default"),
            version.deprecation.as_ref().map(|_| "deprecated"),
            version.sunset.as_ref().map(|_| "with a sunset"),
        ];
        let marks: Vec<&str> = marks.into_iter().flatten().collect();
        let marks =
            if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        format!("{}{marks}", version.name)
    });
    names.collect::<Vec<_>>().join(", ")
}

/// What a rule answers itself, for people.
fn answer(action: &Action) -> Option<String> {
    match action {
        Action::Redirect(to) => {
            let scheme = to.scheme.map(|scheme| format!("{}:", scheme.as_str()));
            let host = to.host.as_ref().map(|host| format!("//{host}"));
            let port = to.port.map(|port| format!(":{port}"));
            let path = to.path.as_ref().map(ToString::to_string);
            let parts: String = [scheme, host, port, path].into_iter().flatten().collect();
            Some(format!("redirect {} {parts}", to.status))
        }
        Action::Respond(with) => {
            Some(format!("respond {} with {} bytes", with.status, with.body.len()))
        }
        Action::Forward(_) | Action::Invalid { .. } => None,
    }
}

fn backend_view(backend: &Backend) -> BackendView {
    let (upstream, invalid) = match backend {
        Backend::Upstream { upstream, .. } => (Some(upstream.to_string()), None),
        Backend::Invalid { reason, .. } => (None, Some(format!("{reason:?}"))),
    };
    BackendView {
        reference: backend.reference().to_string(),
        weight: backend.weight(),
        upstream,
        invalid,
        endpoints: None,
    }
}

/// The mirrors of a rule that forwards; others have nothing to copy.
fn mirrors(rule: &Rule) -> Vec<MirrorView> {
    let Action::Forward(_) = &rule.action else { return Vec::new() };
    let Sourced { value, source } = &rule.policy.mirror;
    let view = |mirror: &Mirror| MirrorView {
        reference: mirror.reference.to_string(),
        percent: mirror.percent(),
        source: *source,
        upstream: mirror.upstream().map(ToString::to_string),
        invalid: match &mirror.target {
            MirrorTarget::Upstream(_) => None,
            MirrorTarget::Invalid(reason) => Some(format!("{reason:?}")),
        },
        endpoints: None,
    };
    value.iter().map(view).collect()
}

impl Source {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Installation => "installation",
            Self::Listener => "listener",
            Self::Spec => "spec",
            Self::Rule => "rule",
            Self::Override => "override",
        }
    }
}

/// A limit as people write it: `30s (built-in)`.
#[must_use]
pub fn limit(limit: &Sourced<Option<std::time::Duration>>) -> String {
    let source = limit.source.as_str();
    match limit.value {
        Some(value) => format!("{value:?} ({source})"),
        None => format!("none ({source})"),
    }
}

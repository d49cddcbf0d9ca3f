//! What the data plane keeps beside each rule: its backends with their pools and counters, found
//! once when a snapshot is applied, so that a request looks nothing up by name.

use std::sync::Arc;

use bytes::Bytes;
use fairway_snapshot::{Action, Backend, InvalidReason, RedirectedRequest, Respond, Rule, Scheme};
use http::StatusCode;

use crate::error::ProxyError;
use crate::fields::{Fields, Known};
use crate::message::RequestHead;
use crate::mirror::Mirror;
use crate::reply::Reply;
use crate::telemetry::access_log;
use crate::telemetry::rule_metrics::RuleMetrics;
use crate::upstream::{UpstreamRegistry, UpstreamRuntime};

/// A rule with everything that serving it needs.
#[derive(Debug)]
pub(crate) struct RuleRuntime {
    pub(crate) rule: Arc<Rule>,
    pub(crate) metrics: Arc<RuleMetrics>,
    backends: Box<[Choice]>,
    /// Who gets copies of what the backends get.
    pub(crate) mirrors: Box<[Mirror]>,
    /// Sum of all weights.
    total: u32,
    /// What the log tells of the rule.
    pub(crate) told: Box<[u8]>,
    /// `Strict-Transport-Security`, as clients that come by HTTPS get it.
    pub(crate) hsts: Option<Box<[u8]>>,
    /// The fixed answer of the rule.
    answer: Option<Box<FixedAnswer>>,
}

/// A fixed answer, as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct FixedAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Fields,
    pub(crate) body: Bytes,
}

impl FixedAnswer {
    fn new(respond: &Respond) -> Self {
        Self {
            // A snapshot holds only statuses that there are.
            status: StatusCode::from_u16(respond.status).unwrap_or(StatusCode::OK),
            headers: respond.headers.iter().map(|(name, value)| (name, value)).collect(),
            body: Bytes::copy_from_slice(respond.body.as_bytes()),
        }
    }
}

/// Why there is no backend, and which one was picked, if any.
type NoBackend = (Option<usize>, ProxyError);

/// A backend and the upper end of its share of the weights.
#[derive(Debug)]
struct Choice {
    until: u32,
    /// What the log tells of it.
    told: Box<[u8]>,
    target: Result<Arc<UpstreamRuntime>, InvalidReason>,
}

impl RuleRuntime {
    /// Finds the upstreams of a rule in the registry.
    pub(crate) fn new(
        rule: &Arc<Rule>,
        metrics: Arc<RuleMetrics>,
        upstreams: &UpstreamRegistry,
    ) -> Self {
        let backends: &[Backend] = match &rule.action {
            Action::Forward(backends) => backends,
            Action::Invalid { .. } | Action::Redirect(_) | Action::Respond(_) => &[],
        };
        let answer = match &rule.action {
            Action::Respond(respond) => Some(Box::new(FixedAnswer::new(respond))),
            Action::Forward(_) | Action::Redirect(_) | Action::Invalid { .. } => None,
        };
        let mut total = 0u32;
        let backends = backends
            .iter()
            .map(|backend| {
                total = total.saturating_add(backend.weight());
                let target = match backend {
                    // A snapshot holds every upstream that its backends name; one that it did not
                    // would be answered like a Service that is not there.
                    Backend::Upstream { upstream, .. } => {
                        upstreams.get(upstream).ok_or(InvalidReason::BackendNotFound)
                    }
                    Backend::Invalid { reason, .. } => Err(*reason),
                };
                let told = access_log::backend(backend.reference());
                Choice { until: total, told, target }
            })
            .collect();
        let mirrors = &rule.policy.mirror.value;
        let mirrors = mirrors.iter().map(|mirror| Mirror::new(mirror, upstreams)).collect();
        let hsts = rule.policy.hsts.value().map(|value| value.into_bytes().into());
        let told = access_log::rule(&rule.id);
        Self { rule: Arc::clone(rule), metrics, backends, mirrors, total, told, hsts, answer }
    }

    /// What clients are answered that did not come by HTTPS, where the rule is for those alone.
    pub(crate) fn to_https(&self, head: &RequestHead) -> Option<Reply> {
        let to = self.rule.to_https.as_ref()?;
        let authority = authority(head);
        if authority.is_empty() {
            // Without a host there is nowhere to send the client but back here.
            return Some(ProxyError::NoHost.into());
        }
        let (path, query) = (head.target.path(), head.target.query());
        let request = RedirectedRequest { scheme: Scheme::Http, authority, path, query };
        Some(Reply::redirect(to.status, &to.location(&request)))
    }

    /// What the rule answers itself. `path` is what its redirect made of the path, when it did.
    pub(crate) fn reply(
        &self,
        head: &RequestHead,
        path: Option<&str>,
        https: bool,
    ) -> Option<Reply> {
        if let Some(answer) = &self.answer {
            return Some(Reply::fixed(FixedAnswer::clone(answer)));
        }
        let Action::Redirect(to) = &self.rule.action else { return None };
        let location = to.location(&RedirectedRequest {
            scheme: if https { Scheme::Https } else { Scheme::Http },
            authority: authority(head),
            path: path.unwrap_or_else(|| head.target.path()),
            query: head.target.query(),
        });
        Some(Reply::redirect(to.status, &location))
    }

    /// Picks a backend by weight: its index and its upstream.
    pub(crate) fn pick(&self) -> Result<(usize, &Arc<UpstreamRuntime>), NoBackend> {
        if let Action::Invalid { .. } = self.rule.action {
            return Err((None, ProxyError::RuleInvalid));
        }
        if self.total == 0 {
            return Err((None, ProxyError::NoWeight));
        }
        let index = match self.backends.len() {
            1 => 0,
            _ => {
                let ticket = fastrand::u32(..self.total);
                self.backends.partition_point(|choice| choice.until <= ticket)
            }
        };
        match &self.backends[index].target {
            Ok(upstream) => Ok((index, upstream)),
            Err(_) => Err((Some(index), ProxyError::BackendInvalid)),
        }
    }

    /// What the log tells of the backend that was picked, if one was.
    pub(crate) fn backend_told(&self, backend: Option<usize>) -> &[u8] {
        backend.map_or(&[], |index| &self.backends[index].told)
    }
}

/// The host that a client wrote.
fn authority(head: &RequestHead) -> &str {
    let host = head.headers.get(Known::Host).and_then(|host| std::str::from_utf8(host).ok());
    host.unwrap_or_default()
}

//! The life of a request, from its head to the head of the answer. Each step is one call; what a
//! step means stands in the file that it calls.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fairway_snapshot::table::preflight;
use fairway_snapshot::{Find, Mode, RouteRequest, Source};
use http::HeaderValue;
use http::StatusCode;

use crate::attempt::HeadLimits;
use crate::authority::host;
use crate::body::{Body, BodyLimits, ClientBody, UpstreamBody};
use crate::context::{Exchange, RequestContext};
use crate::downstream::{ClientConnection, ClientSource};
use crate::edits::Taken;
use crate::error::ProxyError;
use crate::fields::Known;
use crate::headers::check_request;
use crate::message::{RequestHead, ResponseHead};
use crate::reply::{Reply, local_reply};
use crate::rules::RuleRuntime;
use crate::upgrade::Upgrade;
use crate::upstream::exchange::{Outgoing, RequestBody};
use crate::worker::Worker;
use crate::{edits, filters, mirror, retry};

/// How long a protocol that was switched to may be silent in both directions, where nobody said
/// otherwise.
const UPGRADED_IDLE: Duration = Duration::from_secs(300);

/// What comes behind the head of a request.
pub(crate) struct Incoming {
    pub(crate) body: Option<ClientSource>,
    /// Whether the client waits to be told to send its body.
    pub(crate) expects: bool,
    /// The protocol that the client asks for, where it may.
    pub(crate) tunnel: Option<Tunnel>,
    pub(crate) exchange: Rc<Exchange>,
}

/// Another protocol that a client asks for.
pub(crate) struct Tunnel {
    pub(crate) protocol: HeaderValue,
    /// What the client sends once it was switched to.
    pub(crate) client: ClientSource,
    /// Whether the client can do nothing else with the answer (RFC 8441).
    pub(crate) only: bool,
}

/// Answers one request.
pub(crate) async fn serve(
    worker: &Rc<Worker>,
    connection: &Rc<ClientConnection>,
    head: RequestHead,
    incoming: Incoming,
) -> (ResponseHead, Body) {
    let Incoming { body, expects, tunnel, exchange } = incoming;
    let client = |body: ClientSource| ClientBody::new(body, Rc::clone(&exchange));
    let only = tunnel.as_ref().is_some_and(|tunnel| tunnel.only);
    let upgrade = tunnel.map(|tunnel| Upgrade::new(tunnel.protocol, client(tunnel.client)));
    let body = body.map(client).map(RequestBody::Client);
    let mut request = Outgoing { head, body, expects, upgrade };
    // The guard: from here on the request is counted, and its end is told.
    let mut context = RequestContext::begin(worker, connection, &request.head, exchange);
    let answer = forward(&mut context, &mut request).await;
    let answer = answer.and_then(|(head, body)| match head.status {
        // The client would take it for the switch.
        status if only && status.is_success() => Err(ProxyError::UpstreamProtocolError.into()),
        _ => Ok((head, body)),
    });
    match answer {
        Ok((mut head, body)) => {
            filters::response(&context, &mut head);
            context.status = Some(head.status);
            let limits = body_limits(&context, head.status);
            (head, Body::Upstream(UpstreamBody::new(body, context, limits)))
        }
        Err(reply) => {
            // Who waits to be told to go on has not sent its body, and is not asked for it in vain.
            let body = request.body.as_mut().filter(|_| !expects);
            if let Some(body) = body.and_then(RequestBody::of_client) {
                body.skip().await;
            }
            local_reply(context, reply)
        }
    }
}

/// Answers what is no request that can be served: it is counted and told all the same.
pub(crate) fn refuse(
    worker: &Rc<Worker>,
    connection: &Rc<ClientConnection>,
    head: &RequestHead,
    error: ProxyError,
) -> (ResponseHead, Body) {
    // Whatever comes behind it is read by nobody.
    let exchange = Exchange::begin(connection, true);
    let context = RequestContext::begin(worker, connection, head, exchange);
    local_reply(context, error.into())
}

/// Finds the rule and sends the request to one of its backends.
async fn forward(
    context: &mut RequestContext,
    request: &mut Outgoing,
) -> Result<crate::attempt::Answer, Reply> {
    if context.worker.is_overloaded() {
        return Err(ProxyError::Overloaded.into());
    }
    let head = &mut request.head;
    check_request(head)?;
    let (rule, Taken { path, made, version }) = route(context, head)?;
    context.rule = Some(Arc::clone(&rule));
    context.made = made;
    context.version_served = version.served;
    if let Some(reply) = rule.to_https(head).filter(|_| !context.is_https()) {
        return Err(reply);
    }
    let path = path.map_err(ProxyError::Path)?;
    if version.unknown {
        check_version(context, &rule)?;
    }
    take_body(&rule, request.body.as_mut().and_then(RequestBody::of_client))?;
    if let Some(reply) = rule.reply(head, path.as_deref(), context.is_https()) {
        return Err(reply);
    }
    // The filters take the field off; HTTP/2 has none.
    let asks = request.upgrade.is_some() || head.headers.contains(Known::Upgrade);
    let upgrade = !rule.mirrors.is_empty() && asks;
    filters::request(context, &rule.rule, head, path)?;
    let (backend, upstream) = rule.pick().map_err(|(backend, error)| {
        context.backend = backend;
        error
    })?;
    context.backend = Some(backend);
    if !head.headers.contains(Known::Host) {
        // HTTP/1.0 needs none, but what we speak does (RFC 9112 section 3.2).
        head.headers.add(Known::Host, upstream.authority.as_bytes());
    }
    let limits = head_limits(context, &rule);
    mirror::mirror(&context.worker, &rule, request, upgrade);
    Ok(retry::send(context, upstream, request, limits).await?)
}

/// Refuses a request for a version that there is not, or only counts it.
fn check_version(context: &RequestContext, rule: &RuleRuntime) -> Result<(), ProxyError> {
    match rule.rule.versions().map(|versions| versions.mode) {
        Some(Mode::Enforce) => Err(ProxyError::VersionUnknown),
        Some(Mode::Observe) => {
            context.worker.metrics.observed(ProxyError::VersionUnknown);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Holds a body against its limit: one that says too much is refused before it is read, one that
/// says nothing when it comes to be too much.
fn take_body(rule: &RuleRuntime, body: Option<&mut ClientBody>) -> Result<(), ProxyError> {
    let limits = &rule.rule.policy.limits;
    let (Some(body), Some(most)) = (body, limits.body_bytes.value) else { return Ok(()) };
    let enforced = limits.mode.value == Mode::Enforce;
    if enforced && body.length().is_some_and(|length| length > most) {
        return Err(ProxyError::BodyTooLarge);
    }
    body.limit(most, enforced);
    Ok(())
}

/// Matches the request against the table that is live now. Nothing of the table is kept: a
/// request sees one revision, and a new one need not wait for it.
fn route(
    context: &RequestContext,
    head: &mut RequestHead,
) -> Result<(Arc<RuleRuntime>, Taken), Reply> {
    let host = host(head)?;
    if context.connection.misdirects(&host) {
        return Err(ProxyError::Misdirected.into());
    }
    let mut live = context.worker.live.borrow_mut();
    let Some(table) = live.load().table.listener(&context.connection.listener) else {
        // The listener is gone from the snapshot, and this connection has not noticed yet.
        return Err(ProxyError::RouteNotFound.into());
    };
    let given = head.target.path();
    let path = fairway_snapshot::normalize::normalize_path(given, &table.normalization)
        .map_err(ProxyError::Path)?;
    let asked_for = preflight(&head.method, &head.headers);
    let found = table.find(&RouteRequest {
        host: &host,
        path: &path,
        method: &head.method,
        headers: &head.headers,
        query: head.target.query(),
        preflight: asked_for.as_ref(),
    });
    match found {
        Find::Match(found) => {
            let request = edits::Request { context, host: &host, path: &path };
            let made = edits::made(found.route, &request);
            let path = found.route.forwarded_path(path).map(|path| match path {
                Cow::Owned(path) => Some(path),
                Cow::Borrowed(_) => None,
            });
            // A CORS preflight names no version: the request that it asks for will.
            let versions = found.route.rule.versions().filter(|_| asked_for.is_none());
            let version = versions.map(|versions| versions.judge(&head.headers));
            let version = version.unwrap_or_default();
            Ok((Arc::clone(found.attached), Taken { path, made, version }))
        }
        Find::MethodNotAllowed { allow } => Err(Reply::method_not_allowed(&allow)),
        Find::Options { allow } => Err(Reply::options(&allow)),
        Find::NotFound => Err(ProxyError::RouteNotFound.into()),
    }
}

fn head_limits(context: &RequestContext, rule: &RuleRuntime) -> HeadLimits {
    let timeouts = &rule.rule.policy.timeouts;
    HeadLimits {
        response: timeouts.response.value,
        attempt: timeouts.attempt.value,
        idle: timeouts.idle.value,
        deadline: timeouts.request.value.map(|limit| context.started + limit),
    }
}

fn body_limits(context: &RequestContext, status: StatusCode) -> BodyLimits {
    let timeouts = context.rule.as_ref().map(|rule| &rule.rule.policy.timeouts);
    let switched = status == StatusCode::SWITCHING_PROTOCOLS;
    let idle = timeouts.and_then(|timeouts| match timeouts.idle.source {
        // A conversation has longer pauses than an answer.
        Source::BuiltIn if switched => Some(UPGRADED_IDLE),
        _ => timeouts.idle.value,
    });
    context.exchange.write_idle.set(idle);
    if switched {
        context.exchange.unpaced();
    }
    BodyLimits {
        idle,
        // The request has ended where another protocol begins.
        deadline: timeouts
            .filter(|_| !switched)
            .and_then(|timeouts| timeouts.request.value)
            .map(|limit| context.started + limit),
    }
}

//! What is known of one request, and the guard that tells log and metrics when it ends.
//!
//! The guard travels with the request and then with the body of the response. Whatever way the
//! exchange ends (success, error, a client that leaves), dropping it writes one line and counts
//! one request.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};

use crate::downstream::ClientConnection;
use crate::edits::MadeValues;
use crate::error::ProxyError;
use crate::forwarded::{RequestId, Told, request_id};
use crate::message::{RequestHead, ResponseHead};
use crate::rules::RuleRuntime;
use crate::telemetry::access_log::Record;
use crate::worker::Worker;

/// The state of one request.
pub(crate) struct RequestContext {
    pub(crate) worker: Rc<Worker>,
    pub(crate) connection: Rc<ClientConnection>,
    pub(crate) started: Instant,
    time: SystemTime,
    pub(crate) id: RequestId,
    /// What a trusted peer says of the client.
    pub(crate) told: Option<Box<Told>>,
    method: Method,
    target: Uri,
    version: Version,
    host: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    pub(crate) accept: Option<HeaderValue>,
    /// Whether the client speaks gRPC, which has a status of its own.
    pub(crate) grpc: bool,
    /// The rule that took the request.
    pub(crate) rule: Option<Arc<RuleRuntime>>,
    /// What its policy made of header values for this request.
    pub(crate) made: Option<Box<MadeValues>>,
    /// Index of the version of the API that serves it, where the rule knows versions.
    pub(crate) version_served: Option<usize>,
    /// Index of the backend that was picked.
    pub(crate) backend: Option<usize>,
    /// The address of the last attempt.
    pub(crate) endpoint: Option<SocketAddr>,
    /// How many attempts were made.
    pub(crate) attempts: u32,
    /// The status that the client was sent.
    pub(crate) status: Option<StatusCode>,
    /// What went wrong.
    pub(crate) error: Option<ProxyError>,
    /// From the start of the last attempt to the head of the backend's response.
    pub(crate) upstream: Option<Duration>,
    /// Whether the response was sent to its end.
    pub(crate) complete: bool,
    /// Bytes of the response's body.
    pub(crate) sent: u64,
    pub(crate) exchange: Rc<Exchange>,
}

/// What both bodies of a request share.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Bytes of the request's body.
    pub(crate) received: Cell<u64>,
    /// When the request's body ended.
    pub(crate) request_ended: Cell<Option<Instant>>,
    /// Whether there is a connection, over which the request's body is being sent.
    pub(crate) sending: Cell<bool>,
    /// When a body moved last.
    pub(crate) moved: Cell<Instant>,
    /// Whether the client was waited for when the body was asked for last.
    pub(crate) awaits_client: Cell<bool>,
    /// Whether the request's body came to more than a policy that only counts would take.
    pub(crate) over: Cell<bool>,
    /// Why the request's body broke off.
    pub(crate) broken: Cell<Option<ProxyError>>,
    /// How long the client may take nothing of the answer.
    pub(crate) write_idle: Cell<Option<Duration>>,
    /// Interim answers (1xx) that are on their way to the client.
    pub(crate) interim: Interim,
}

/// A queue of interim answers.
pub(crate) type Interim = RefCell<Vec<ResponseHead>>;

impl Exchange {
    /// An exchange that begins now.
    pub(crate) fn begin(has_body: bool) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            received: Cell::new(0),
            request_ended: Cell::new((!has_body).then_some(now)),
            sending: Cell::new(false),
            moved: Cell::new(now),
            awaits_client: Cell::new(false),
            over: Cell::new(false),
            broken: Cell::new(None),
            write_idle: Cell::new(None),
            interim: RefCell::default(),
        })
    }
}

impl RequestContext {
    /// Begins a request: from here on it is counted as in flight.
    pub(crate) fn begin(
        worker: &Rc<Worker>,
        connection: &Rc<ClientConnection>,
        head: &RequestHead,
        exchange: Rc<Exchange>,
    ) -> Box<Self> {
        let started = exchange.moved.get();
        let time = SystemTime::now();
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let milliseconds = u64::try_from(since_epoch.as_millis()).unwrap_or_default();
        let trust = connection.trusted.then_some(&worker.config.trust);
        let told = trust.map(|trust| Box::new(trust.read(&head.headers)));
        let given = told.as_ref().and_then(|told| told.id());
        worker.metrics.request_started();
        connection.request_started();
        Box::new(Self {
            worker: Rc::clone(worker),
            connection: Rc::clone(connection),
            started,
            time,
            id: given.unwrap_or_else(|| request_id(milliseconds)),
            told,
            method: head.method.clone(),
            target: head.target.clone(),
            version: head.version,
            host: head.headers.get(HOST).cloned(),
            agent: head.headers.get(USER_AGENT).cloned(),
            accept: head.headers.get(ACCEPT).cloned(),
            grpc: head.version == Version::HTTP_2 && speaks_grpc(&head.headers),
            rule: None,
            made: None,
            version_served: None,
            backend: None,
            endpoint: None,
            attempts: 0,
            status: None,
            error: None,
            upstream: None,
            complete: false,
            sent: 0,
            exchange,
        })
    }

    /// The client's address: the peer's, or the one that a trusted peer names.
    pub(crate) fn client(&self) -> IpAddr {
        let told = self.told.as_ref().and_then(|told| told.client());
        told.unwrap_or_else(|| self.connection.peer.ip().to_canonical())
    }

    /// Whether the client came by HTTPS.
    pub(crate) fn is_https(&self) -> bool {
        self.connection.forwarded.is_https(self.told.as_deref())
    }

    /// The method.
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// The error that the log tells: what was noticed, or that the client left.
    fn outcome(&self) -> Option<ProxyError> {
        match self.error {
            Some(error) => Some(error),
            None if self.complete => None,
            None if self.worker.cut.get() => Some(ProxyError::ShuttingDown),
            None => Some(self.exchange.broken.get().unwrap_or(ProxyError::ClientClosed)),
        }
    }
}

/// `application/grpc`, and what is told behind it of the messages' form.
fn speaks_grpc(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let rest = media.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
}

/// The end of every request.
impl Drop for RequestContext {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let error = self.outcome();
        let status =
            self.status.unwrap_or_else(|| error.map_or(StatusCode::OK, ProxyError::status));
        self.connection.request_ended(self.started + duration);
        self.worker.metrics.request_ended();
        if self.exchange.over.get() {
            self.worker.metrics.observed(ProxyError::BodyTooLarge);
        }
        match &self.rule {
            Some(rule) => rule.metrics.record(self.worker.index, status.as_u16(), duration),
            None => self.worker.metrics.unrouted(status.as_u16(), error),
        }
        let rule = self.rule.as_deref();
        let backend = rule.zip(self.backend).map(|(rule, index)| rule.backend_reference(index));
        self.worker.log.write(&Record {
            time: self.time,
            request_id: self.id.as_str(),
            peer: self.connection.peer,
            client: self.told.as_ref().and_then(|told| told.client()),
            listener: self.connection.listener.as_str(),
            method: self.method.as_str(),
            host: self.host.as_ref().map_or(&b""[..], HeaderValue::as_bytes),
            path: self.target.path(),
            query: self.target.query().unwrap_or_default(),
            version: self.version,
            status: status.as_u16(),
            error,
            rule: rule.map(|rule| &rule.rule.id),
            backend,
            endpoint: self.endpoint,
            attempts: self.attempts,
            bytes_received: self.exchange.received.get(),
            bytes_sent: self.sent,
            duration,
            upstream: self.upstream,
            user_agent: self.agent.as_ref().map_or(&b""[..], HeaderValue::as_bytes),
        });
    }
}

//! What is known of one request, and the guard that tells log and metrics when it ends.
//!
//! The guard travels with the request and then with the body of the response. Whatever way the
//! exchange ends (success, error, a client that leaves), dropping it writes one line and counts
//! one request.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode, Uri, Version};

use crate::downstream::ClientConnection;
use crate::edits::MadeValues;
use crate::error::ProxyError;
use crate::fields::{Fields, Known, Noted};
use crate::forwarded::{RequestId, Told, request_id};
use crate::message::{RequestHead, ResponseHead};
use crate::pace::Pace;
use crate::rules::RuleRuntime;
use crate::telemetry::access_log::Record;
use crate::worker::Worker;

/// The state of one request.
pub(crate) struct RequestContext {
    pub(crate) worker: Rc<Worker>,
    pub(crate) connection: Rc<ClientConnection>,
    pub(crate) started: Instant,
    /// The same as the time of day, since 1970.
    time: Duration,
    pub(crate) id: RequestId,
    /// What a trusted peer says of the client.
    pub(crate) told: Option<Box<Told>>,
    method: Method,
    target: Uri,
    version: Version,
    /// What is needed of the fields when they have gone on.
    noted: Noted<3>,
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
    /// How long the client may take nothing of the answer, and how far it may be behind.
    pub(crate) write_idle: Cell<Option<Duration>>,
    /// How it keeps up with sending the request's body, and with taking the answer.
    pub(crate) sends: Pace,
    pub(crate) reads: Pace,
    /// Whether it is asked for any rate in either.
    paced: Cell<(bool, bool)>,
    connection: Rc<ClientConnection>,
    /// Interim answers (1xx) that are on their way to the client.
    pub(crate) interim: Interim,
}

/// A queue of interim answers.
pub(crate) type Interim = RefCell<Vec<ResponseHead>>;

impl Exchange {
    /// An exchange that begins now.
    pub(crate) fn begin(connection: &Rc<ClientConnection>, has_body: bool) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            received: Cell::new(0),
            request_ended: Cell::new((!has_body).then_some(now)),
            sending: Cell::new(false),
            moved: Cell::new(now),
            awaits_client: Cell::new(false),
            over: Cell::new(false),
            broken: Cell::new(None),
            // Until a rule says otherwise: also who gets answers of our own takes them in time.
            write_idle: Cell::new(Some(connection.idle)),
            sends: Pace::default(),
            reads: Pace::default(),
            paced: Cell::new((true, true)),
            connection: Rc::clone(connection),
            interim: RefCell::default(),
        })
    }

    /// What comes now is a conversation: who has nothing to say is not slow.
    pub(crate) fn unpaced(&self) {
        self.paced.set((false, false));
    }

    /// The client has sent so many bytes of its body.
    pub(crate) fn has_sent(&self, bytes: u64) {
        self.sends
            .moved(bytes, || if self.paced.get().0 { self.connection.send_rate() } else { 0 });
    }

    /// The client has taken so many bytes of its answer.
    pub(crate) fn has_read(&self, bytes: u64) {
        self.reads
            .moved(bytes, || if self.paced.get().1 { self.connection.read_rate() } else { 0 });
    }

    /// When the client will have taken too little of its answer for too long.
    pub(crate) fn reads_until(&self) -> Option<Instant> {
        self.reads.deadline(self.write_idle.get()?)
    }

    /// The client has taken too little, and gets no more.
    pub(crate) fn gives_up(&self) {
        let most = self.write_idle.get().unwrap_or_default();
        self.broken.set(Some(if self.reads.is_slow(most) {
            ProxyError::ClientReadsSlowly
        } else {
            ProxyError::ClientIdleTimeout
        }));
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
        let time = worker.time.at(started);
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or_default();
        let trust = connection.trusted.then_some(&worker.config.trust);
        let told = trust.map(|trust| Box::new(trust.read(&head.headers)));
        let given = told.as_ref().and_then(|told| told.id());
        let grpc = head.version == Version::HTTP_2 && speaks_grpc(&head.headers);
        if grpc {
            // Its messages come when there are any.
            exchange.paced.set((false, true));
        }
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
            noted: head.headers.note_values([Known::Host, Known::UserAgent, Known::Accept]),
            grpc,
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

    /// `Accept`.
    pub(crate) fn accept(&self) -> Option<&[u8]> {
        self.noted.value(2)
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
            // The backend's part is complete; whether the client took it is another question.
            None if self.complete => self.exchange.broken.get().filter(|error| {
                matches!(error, ProxyError::ClientReadsSlowly | ProxyError::ClientIdleTimeout)
            }),
            None if self.worker.cut.get() => Some(ProxyError::ShuttingDown),
            None => Some(self.exchange.broken.get().unwrap_or(ProxyError::ClientClosed)),
        }
    }
}

/// `application/grpc`, and what is told behind it of the messages' form.
fn speaks_grpc(headers: &Fields) -> bool {
    let media = headers.get(Known::ContentType).unwrap_or_default();
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
        if let Some(error @ (ProxyError::ClientSendsSlowly | ProxyError::ClientReadsSlowly)) = error
        {
            self.worker.metrics.slow_client(error);
        }
        if self.exchange.over.get() {
            self.worker.metrics.observed(ProxyError::BodyTooLarge);
        }
        match &self.rule {
            Some(rule) => rule.metrics.record(self.worker.index, status.as_u16(), duration),
            None => self.worker.metrics.unrouted(status.as_u16(), error),
        }
        self.worker.log.write(&Record {
            time: self.time,
            request_id: self.id.bytes(),
            peer: self.connection.forwarded.peer(),
            client: self.told.as_ref().and_then(|told| told.client()),
            listener: self.connection.listener.as_str(),
            method: self.method.as_str(),
            host: self.noted.value(0).unwrap_or_default(),
            path: self.target.path(),
            query: self.target.query().unwrap_or_default(),
            version: self.version,
            status: status.as_u16(),
            error,
            rule: self.rule.as_ref().map_or(&[], |rule| &rule.told),
            backend: self.rule.as_ref().map_or(&[], |rule| rule.backend_told(self.backend)),
            endpoint: self.endpoint,
            attempts: self.attempts,
            bytes_received: self.exchange.received.get(),
            bytes_sent: self.sent,
            duration,
            upstream: self.upstream,
            user_agent: self.noted.value(1).unwrap_or_default(),
        });
    }
}

//! The HTTP/2 that is spoken with backends (RFC 9113), on the codec of the `h2` crate: a connection has
//! a task that reads and writes it, and carries the exchanges of many requests at once.

mod pool;
mod upload;

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Error, Reason, RecvStream};
use http::header::{CONTENT_LENGTH, EXPECT, HeaderMap, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body::Frame;

use super::connect::BackendSocket;
use super::exchange::{Interims, Outgoing, RequestBody, SendError};
use super::tls::BackendTls;
use crate::error::{ProxyError, TlsProblem};
use crate::fields::{Fields, Known};
use crate::gather::Gather;
use crate::h1::content_length;
use crate::message::ResponseHead;
use crate::streams::{StreamBody, has_outer_blanks};
use crate::worker::spawn;
pub(super) use pool::{Http2Pool, Taken};
use upload::Upload;

/// What a stream may hold that the client has not taken yet.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for a connection: more than all streams that are taken at once can hold, so that those
/// whose clients take nothing leave room for the others.
const CONNECTION_WINDOW: u32 = 40 * 1024 * 1024;
/// The most streams at once over one connection, whatever the backend allows.
const MAX_STREAMS: usize = 128;
/// What waits of a request to be sent.
const SEND_BUFFER: usize = 64 * 1024;
/// The greatest head of an answer.
const MAX_HEAD: u32 = 64 * 1024;

/// An open connection, for all requests of its worker.
pub(crate) struct Http2Connection {
    sender: SendRequest<Bytes>,
    endpoint: SocketAddr,
    tls: Option<Arc<BackendTls>>,
    opened: Instant,
    /// Whether it takes no more streams.
    closed: Cell<bool>,
    /// Whether an exchange was given up without an answer, and none has come since.
    doubtful: Cell<bool>,
    /// Whether it has served a request.
    served: Cell<bool>,
    /// Exchanges that go over it now.
    streams: Cell<usize>,
    /// When the last one ended.
    idle_since: Cell<Instant>,
}

/// An exchange that is counted from its beginning to its end.
struct Counted {
    connection: Rc<Http2Connection>,
    answered: bool,
}

/// The body of a response, with what is left of the request's.
pub(crate) struct ResponseBody {
    stream: StreamBody,
    upload: Upload,
    counted: Counted,
}

/// Why there is no head.
struct Failure {
    error: ProxyError,
    /// Whether the backend did nothing with the request, by its own word (RFC 9113 section 8.7).
    refused: bool,
    /// Whether the connection ended.
    closed: bool,
}

/// Speaks HTTP/2 over a new socket. It is open when the backend has said how many streams it takes: until
/// then nobody knows how many requests may share it (RFC 9113 section 5.1.2).
pub(super) async fn handshake(
    stream: BackendSocket,
    endpoint: SocketAddr,
    tls: Option<Arc<BackendTls>>,
) -> Result<Rc<Http2Connection>, ProxyError> {
    let mut builder = Builder::new();
    builder
        .initial_max_send_streams(0)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        .enable_push(false);
    let ended = |error: Option<Error>| {
        let error = error.map(|error| Failure::of(&error, endpoint, tls.as_deref()).error);
        match (error.unwrap_or(ProxyError::UpstreamReset), &tls) {
            // Who does not take us for who we are may close before its alert can be read.
            (ProxyError::UpstreamReset, Some(tls)) => {
                tls.tell(endpoint, TlsProblem::Broken, None);
                ProxyError::UpstreamTls(TlsProblem::Broken)
            }
            (error, _) => error,
        }
    };
    let socket = Gather::new(stream);
    let shaken = builder.handshake(socket.clone()).await;
    let (sender, mut codec) = shaken.map_err(|error| ended(Some(error)))?;
    std::future::poll_fn(|cx| match Pin::new(&mut codec).poll(cx) {
        Poll::Ready(closed) => Poll::Ready(Err(ended(closed.err()))),
        Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    let connection = Rc::new(Http2Connection {
        sender,
        endpoint,
        tls,
        opened: Instant::now(),
        closed: Cell::new(false),
        doubtful: Cell::new(false),
        served: Cell::new(false),
        streams: Cell::new(0),
        idle_since: Cell::new(Instant::now()),
    });
    // The task must not keep what keeps it: it ends when the last handle is gone.
    let held = Rc::downgrade(&connection);
    spawn(async move {
        let mut turn = |cx: &mut Context<'_>| Pin::new(&mut codec).poll(cx);
        let ended = std::future::poll_fn(|cx| socket.poll_turn(cx, &mut turn)).await;
        if let Some(connection) = held.upgrade() {
            connection.closed.set(true);
        }
        if let Err(error) = ended {
            tracing::debug!(%error, "end of HTTP/2 with a backend");
        }
    });
    Ok(connection)
}

/// Sends a request, and waits for the head of the response.
pub(super) async fn send(
    connection: Rc<Http2Connection>,
    request: &mut Outgoing,
    interims: Interims<'_>,
) -> Result<(ResponseHead, ResponseBody), SendError> {
    let unsent = |error| SendError { error, nothing_sent: true, closed: false };
    let head = head(request, connection.tls.is_some()).map_err(unsent)?;
    let mut sender = connection.sender.clone();
    let mut counted = Counted::new(connection);
    let ready = std::future::poll_fn(|cx| sender.poll_ready(cx)).await;
    let sent = ready.and_then(|()| sender.send_request(head, request.body.is_none()));
    let (response, stream) = sent.map_err(|error| {
        tracing::debug!(%error, "a stream was not opened");
        counted.connection.closed.set(true);
        unsent(ProxyError::UpstreamReset)
    })?;
    let mut upload = Upload::begin(stream, request.body.take());
    let mut wait = Wait { connection: &counted.connection, response, interims };
    match std::future::poll_fn(|cx| wait.poll(&mut upload, cx)).await {
        Ok((head, stream)) => {
            counted.answered();
            Ok((head, ResponseBody { stream, upload, counted }))
        }
        Err(Failure { error, refused, closed }) => {
            if closed || refused {
                counted.connection.closed.set(closed);
                counted.answered();
            }
            let (body, whole) = upload.into_unread();
            request.body = body;
            Err(SendError { error, nothing_sent: refused && whole, closed })
        }
    }
}

/// The head of a request as HTTP/2 has it (section 8.3.1).
fn head(request: &Outgoing, secured: bool) -> Result<Request<()>, ProxyError> {
    let length = request.body.as_ref().and_then(RequestBody::length);
    let replaced = Known::Host.bit() | length.map_or(0, |_| Known::ContentLength.bit());
    let host = request.head.headers.get(Known::Host);
    let mut headers = request.head.headers.to_map(replaced);
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if secured { Scheme::HTTPS } else { Scheme::HTTP });
    let authority = host.and_then(|host| host.try_into().ok());
    parts.authority = Some(authority.ok_or(ProxyError::BadHost)?);
    let path = request.head.target.path_and_query().cloned();
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if request.expects {
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
    let mut whole = Request::new(());
    *whole.method_mut() = request.head.method.clone();
    *whole.uri_mut() = Uri::from_parts(parts).map_err(|_| ProxyError::BadHost)?;
    *whole.version_mut() = Version::HTTP_2;
    *whole.headers_mut() = headers;
    Ok(whole)
}

/// The wait for a head.
struct Wait<'a> {
    connection: &'a Http2Connection,
    response: ResponseFuture,
    interims: Interims<'a>,
}

type Answered = (ResponseHead, StreamBody);

impl Wait<'_> {
    fn poll(
        &mut self,
        upload: &mut Upload,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Answered, Failure>> {
        if let Poll::Ready(Err(error)) = upload.poll(cx) {
            return Poll::Ready(Err(Failure { error, refused: false, closed: false }));
        }
        while let Poll::Ready(Some(Ok(interim))) = self.response.poll_informational(cx) {
            let (parts, ()) = interim.into_parts();
            let headers = Fields::from(&parts.headers);
            let head = ResponseHead { status: parts.status, reason: None, headers };
            self.interims.tell(head).map_err(|_| Failure::malformed())?;
        }
        self.interims.poll_patience(cx).map_err(|_| Failure::malformed())?;
        let answer = ready!(Pin::new(&mut self.response).poll(cx));
        let connection = self.connection;
        let failure = |error| Failure::of(&error, connection.endpoint, connection.tls.as_deref());
        Poll::Ready(answer.map_err(failure).and_then(check))
    }
}

/// Checks what the codec does not: what a client of HTTP/1 would read in another way.
fn check(answer: Response<RecvStream>) -> Result<Answered, Failure> {
    let (parts, stream) = answer.into_parts();
    // There is no switch inside of HTTP/2 (section 8.6).
    let switched = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    if switched || parts.headers.values().any(|value| has_outer_blanks(value.as_bytes())) {
        return Err(Failure::malformed());
    }
    let body = StreamBody::new(stream, length(&parts.headers)?);
    let headers = Fields::from(&parts.headers);
    let head = ResponseHead { status: parts.status, reason: None, headers };
    Ok((head, body))
}

fn length(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(None),
        (Some(only), None) => {
            content_length(only.as_bytes()).map(Some).map_err(|_| Failure::malformed())
        }
        (Some(_), Some(_)) => Err(Failure::malformed()),
    }
}

// === impl Failure ===

impl Failure {
    const fn malformed() -> Self {
        Self { error: ProxyError::UpstreamProtocolError, refused: false, closed: false }
    }

    fn of(error: &Error, endpoint: SocketAddr, tls: Option<&BackendTls>) -> Self {
        tracing::debug!(%error, "no answer over HTTP/2");
        if let (Some(tls), Some(io)) = (tls, error.get_io())
            && let Some(problem) = TlsProblem::of_text(io)
        {
            tls.tell(endpoint, problem, Some(io));
            let error = ProxyError::UpstreamTls(problem);
            return Self { error, refused: false, closed: false };
        }
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        // Only streams behind the last one that was taken end with it (section 6.8).
        let behind = error.is_go_away() && error.is_remote();
        let ours = error.is_library();
        Self {
            error: if ours { ProxyError::UpstreamProtocolError } else { ProxyError::UpstreamReset },
            refused: refused || behind,
            closed: error.is_io() || behind,
        }
    }
}

// === impl Counted ===

impl Counted {
    fn new(connection: Rc<Http2Connection>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self { connection, answered: false }
    }

    fn answered(&mut self) {
        self.answered = true;
        self.connection.served.set(true);
        self.connection.doubtful.set(false);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.connection.streams.set(self.connection.streams.get() - 1);
        self.connection.idle_since.set(Instant::now());
        if !self.answered {
            self.connection.doubtful.set(true);
        }
    }
}

// === impl Http2Connection ===

impl Http2Connection {
    /// Whether it has served a request.
    pub(crate) fn has_served(&self) -> bool {
        self.served.get()
    }

    /// Whether one more request can be sent over it.
    fn has_room(&self) -> bool {
        let free = self.streams.get() < self.most_streams();
        free && !self.closed.get() && !self.doubtful.get()
    }

    /// How many streams it takes at once.
    fn most_streams(&self) -> usize {
        self.sender.current_max_send_streams().min(MAX_STREAMS)
    }
}

// === impl ResponseBody ===

impl ResponseBody {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        let _ = self.upload.poll(cx);
        let next = self.stream.poll_frame(cx);
        let connection = &self.counted.connection;
        let (endpoint, tls) = (connection.endpoint, connection.tls.as_deref());
        next.map(|next| {
            next.map(|next| next.map_err(|error| Failure::of(&error, endpoint, tls).error))
        })
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    pub(super) fn remaining(&self) -> Option<u64> {
        self.stream.remaining()
    }

    /// The client takes nothing now.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        let _ = self.upload.poll(cx);
        self.stream.poll_gather(cx);
    }
}

//! An exchange with a backend, whichever protocol it speaks: a connection, the request over it, the
//! head of the answer, and its body.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fairway_snapshot::Speaks;
use http::StatusCode;
use http_body::Frame;
use tokio::time::Sleep;

use super::connect::{Opened, Opening, UpstreamConnection};
use super::http2::{Http2Connection, Taken};
use super::pool::Pool;
use super::{UpstreamRuntime, http1, http2};
use crate::body::ClientBody;
use crate::context::Interim;
use crate::error::ProxyError;
use crate::fields::Fields;
use crate::h1::Malformed;
use crate::headers::strip_response;
use crate::message::{RequestHead, ResponseHead};
use crate::mirror::CopyBody;
use crate::telemetry::metrics::WorkerMetrics;
use crate::upgrade::Upgrade;

/// How many interim answers may come before the final one.
const MAX_INTERIM: usize = 16;
/// How long a backend may leave a client without a word that waits to send its body. Some know nothing
/// of `Expect`, and some clients wait for ever.
const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

/// A request as a backend gets it.
pub(crate) struct Outgoing {
    pub(crate) head: RequestHead,
    /// What stands behind it; none once a part of it was taken.
    pub(crate) body: Option<RequestBody>,
    /// Whether the client waits to be told to send its body (RFC 9110 section 10.1.1).
    pub(crate) expects: bool,
    /// What the client wants to switch to; none once it was switched to.
    pub(crate) upgrade: Option<Upgrade>,
}

/// The body of a request.
pub(crate) enum RequestBody {
    /// What the client sends.
    Client(ClientBody),
    /// What a mirror gets of it.
    Copy(CopyBody),
    /// One of which a part was taken and not sent: that comes first.
    Unsent(Option<Frame<Bytes>>, Box<Self>),
}

/// Why a request got no answer over a connection.
pub(crate) struct SendError {
    pub(crate) error: ProxyError,
    /// Whether provably nothing of the request was sent, or nothing was done with it; its body is then
    /// still there.
    pub(crate) nothing_sent: bool,
    /// Whether the connection ended before the first byte of an answer, as it does when a backend
    /// closes an idle connection at the moment in which a request is sent.
    pub(crate) closed: bool,
}

/// A connection that a request can be sent over.
pub(crate) enum Connection {
    /// For this request alone.
    Http1(Box<UpstreamConnection>),
    /// For others beside it.
    Http2(Rc<Http2Connection>),
}

/// The body of a response, with the connection that it comes over, and with what is left of the
/// request's body: a backend may answer before it has read all.
pub(crate) enum ResponseBody {
    Http1(Box<http1::ResponseBody>),
    Http2(Box<http2::ResponseBody>),
}

/// What a request asks of its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wants {
    /// A new one.
    pub(crate) fresh: bool,
    /// One of HTTP/1.1, for a protocol that is switched to, wherever the backend has the choice.
    pub(crate) http1: bool,
}

/// An idle connection to an endpoint of an upstream, or a new one. `metrics` counts it.
pub(crate) async fn connection(
    pool: &Pool,
    upstream: &UpstreamRuntime,
    endpoint: SocketAddr,
    limit: Option<Duration>,
    wants: Wants,
    metrics: Option<&WorkerMetrics>,
) -> Result<Connection, ProxyError> {
    let offers = match upstream.speaks {
        Speaks::Either if wants.http1 || upstream.tls.is_none() => Speaks::Http1,
        speaks => speaks,
    };
    if offers != Speaks::Http2
        && !wants.fresh
        && let Some(connection) = pool.take(upstream.number, endpoint)
    {
        return Ok(Connection::Http1(connection));
    }
    let opening = || Opening::new(upstream, endpoint, offers, limit, metrics);
    if offers != Speaks::Http1 {
        match pool.http2().take(opening(), wants.fresh).await? {
            Taken::Shared(connection) => return Ok(Connection::Http2(connection)),
            Taken::Own(Some(connection)) => return Ok(Connection::Http1(connection)),
            Taken::Own(None) => {}
        }
    }
    let opening = opening();
    // Requests that find a connection need not have the room for opening one.
    match Box::pin(opening.run()).await? {
        Opened::Http1(connection) => Ok(Connection::Http1(connection)),
        Opened::Http2(connection) => {
            pool.http2().adopt(&opening, &connection);
            Ok(Connection::Http2(connection))
        }
    }
}

/// Sends a request, and waits for the head of the response. `interim` takes those that come before it.
pub(crate) async fn send(
    connection: Connection,
    request: &mut Outgoing,
    interim: Option<&Interim>,
) -> Result<(ResponseHead, ResponseBody), SendError> {
    let interims = Interims::new(interim, request.expects);
    match connection {
        Connection::Http1(connection) => {
            let (head, body) = http1::send(connection, request, interims).await?;
            Ok((head, ResponseBody::Http1(body)))
        }
        Connection::Http2(connection) => {
            let (head, body) = http2::send(connection, request, interims).await?;
            Ok((head, ResponseBody::Http2(Box::new(body))))
        }
    }
}

/// Interim answers on their way to a client.
pub(super) struct Interims<'a> {
    to: Option<&'a Interim>,
    /// How many came.
    told: usize,
    /// How long a client still waits to be told to send its body.
    patience: Option<Pin<Box<Sleep>>>,
}

// === impl Interims ===

impl<'a> Interims<'a> {
    fn new(to: Option<&'a Interim>, expects: bool) -> Self {
        let patience = expects.then(|| Box::pin(tokio::time::sleep(CONTINUE_PATIENCE)));
        Self { to, told: 0, patience }
    }

    /// Passes an interim answer on.
    pub(super) fn tell(&mut self, mut head: ResponseHead) -> Result<(), Malformed> {
        self.told += 1;
        if self.told > MAX_INTERIM {
            return Err(Malformed("too many interim answers"));
        }
        if head.status == StatusCode::CONTINUE {
            self.patience = None;
        }
        if let Some(to) = self.to {
            strip_response(&mut head.headers);
            to.borrow_mut().push(head);
        }
        Ok(())
    }

    /// Tells a client to go on for which the backend had no word for too long.
    pub(super) fn poll_patience(&mut self, cx: &mut Context<'_>) -> Result<(), Malformed> {
        if self.patience.as_mut().is_some_and(|patience| patience.as_mut().poll(cx).is_ready()) {
            let headers = Fields::new();
            self.tell(ResponseHead { status: StatusCode::CONTINUE, reason: None, headers })?;
        }
        Ok(())
    }
}

// === impl Connection ===

impl Connection {
    /// Whether it has served a request before.
    pub(crate) fn is_reused(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.reused,
            Self::Http2(connection) => connection.has_served(),
        }
    }
}

// === impl RequestBody ===

impl RequestBody {
    /// What a client sends of it, unless it is a copy.
    pub(crate) fn of_client(&mut self) -> Option<&mut ClientBody> {
        match self {
            Self::Client(body) => Some(body),
            Self::Copy(_) => None,
            Self::Unsent(_, rest) => rest.of_client(),
        }
    }

    /// Its length, when the client said it.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Client(body) => body.length(),
            Self::Copy(body) => body.length(),
            Self::Unsent(part, rest) => {
                let part = part.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
                rest.length()?.checked_add(u64::try_from(part).ok()?)
            }
        }
    }

    /// Whether nothing comes any more.
    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Client(body) => body.is_end_stream(),
            Self::Copy(body) => body.is_end_stream(),
            Self::Unsent(part, rest) => part.is_none() && rest.is_end_stream(),
        }
    }

    /// The next part.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        match self {
            Self::Client(body) => body.poll_frame(cx),
            Self::Copy(body) => body.poll_frame(cx),
            Self::Unsent(part, rest) => match part.take() {
                Some(part) => Poll::Ready(Some(Ok(part))),
                None => rest.poll_frame(cx),
            },
        }
    }

    /// The backend takes nothing now: what comes in small parts is gathered.
    pub(super) fn poll_gather(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Client(body) => body.poll_gather(cx),
            Self::Copy(_) => {}
            Self::Unsent(_, rest) => rest.poll_gather(cx),
        }
    }
}

// === impl ResponseBody ===

impl ResponseBody {
    /// The next part.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        match self {
            Self::Http1(body) => body.poll_frame(cx),
            Self::Http2(body) => body.poll_frame(cx),
        }
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    /// How much comes still, when that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            Self::Http1(body) => body.remaining(),
            Self::Http2(body) => body.remaining(),
        }
    }

    /// Sends what can be sent of the rest of the request's body. How it ends changes nothing of the
    /// answer.
    pub(crate) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Http1(body) => body.poll_upload(cx),
            Self::Http2(body) => body.poll_upload(cx),
        }
    }

    /// Gives the connection back, when another request can be sent over it.
    pub(crate) fn finish(self, pool: &Pool, now: Instant) {
        if let Self::Http1(body) = self
            && let Some(connection) = body.into_reusable()
        {
            pool.put(connection, now);
        }
    }
}

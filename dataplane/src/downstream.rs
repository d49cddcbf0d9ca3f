//! The side of the clients: hyper's server, and the translation between its types and ours.

mod io;

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fairway_snapshot::ListenerName;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::body::Body;
use crate::forwarded::Forwarded;
use crate::message::{RequestHead, ResponseHead};
use crate::proxy;
use crate::worker::OpenConnection;
use io::ClientIo;

/// A body as the codec reads it from a connection.
pub(crate) struct WireBody(pub(crate) Incoming);

/// A client's connection.
pub(crate) struct ClientConnection {
    pub(crate) peer: SocketAddr,
    pub(crate) listener: ListenerName,
    pub(crate) forwarded: Forwarded,
    state: Cell<State>,
    /// Since when nothing could be written although there was something to write.
    stuck: Cell<Option<Instant>>,
    write_idle: Cell<Option<Duration>>,
    linger: Cell<bool>,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The first byte of a request, since then.
    Idle(Instant),
    /// The rest of a head, since then.
    Head(Instant),
    /// Answers to this many requests.
    Busy(u32),
}

/// Serves a client until the connection ends.
pub(crate) async fn serve(
    worker: OpenConnection,
    listener: ListenerName,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let worker = &*worker;
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    let connection = Rc::new(ClientConnection {
        peer,
        listener,
        forwarded: Forwarded::new(peer, local),
        state: Cell::new(State::Idle(Instant::now())),
        stuck: Cell::new(None),
        write_idle: Cell::new(None),
        linger: Cell::new(false),
    });
    let io = ClientIo::new(stream, Rc::clone(&connection), Rc::clone(worker));
    let service = service_fn(|request| {
        let (worker, connection) = (Rc::clone(worker), Rc::clone(&connection));
        async move {
            let (head, body) = split(request);
            let (head, body) = proxy::serve(&worker, &connection, head, body).await;
            Ok::<_, Infallible>(join(head, body))
        }
    });
    let mut server = http1::Builder::new();
    // The deadlines are ours: see ClientIo. A date is added where the backend says none (RFC 9110
    // section 6.6.1).
    server.header_read_timeout(None);
    server.max_buf_size(worker.config.client_head_bytes.max(MIN_BUFFER));
    let mut http = pin!(server.serve_connection(TokioIo::new(io), service));
    let mut closing = pin!(worker.closing.notified());
    closing.as_mut().enable();
    let mut waits = false;
    // How a connection ends is told by the guards of its requests.
    let _ = std::future::poll_fn(|cx| {
        if !waits {
            // Once is enough: the order to close wakes the task, and its socket then looks at its
            // deadline again, which is nearer now.
            waits = true;
            let _ = closing.as_mut().poll(cx);
        }
        http.as_mut().poll(cx)
    })
    .await;
}

/// The least that hyper takes as its limit of a buffer.
const MIN_BUFFER: usize = 8192;

/// A request in our own types. A request without a body has none, so that it costs nothing.
fn split(request: Request<Incoming>) -> (RequestHead, Option<WireBody>) {
    let (parts, body) = request.into_parts();
    let head = RequestHead {
        method: parts.method,
        target: parts.uri,
        version: parts.version,
        headers: parts.headers,
    };
    let body = (!body.is_end_stream()).then_some(WireBody(body));
    (head, body)
}

/// A response in hyper's types.
fn join(head: ResponseHead, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if let Some(reason) = head.reason
        && let Ok(reason) = hyper::ext::ReasonPhrase::try_from(reason)
    {
        response.extensions_mut().insert(reason);
    }
    response
}

// === impl WireBody ===

impl HttpBody for WireBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

// === impl ClientConnection ===

impl ClientConnection {
    /// A head is complete, and its request begins.
    pub(crate) fn request_started(&self) {
        let others = match self.state.get() {
            State::Busy(count) => count,
            State::Idle(_) | State::Head(_) => 0,
        };
        self.state.set(State::Busy(others + 1));
    }

    /// A request has ended.
    pub(crate) fn request_ended(&self, now: Instant) {
        self.state.set(match self.state.get() {
            State::Busy(count) if count > 1 => State::Busy(count - 1),
            State::Busy(_) | State::Idle(_) | State::Head(_) => State::Idle(now),
        });
    }

    /// The client may still be sending a body that nobody reads: the connection ends with the
    /// answer, but not at once.
    pub(crate) fn linger(&self) {
        self.linger.set(true);
    }

    /// How long a client may take nothing of the response that is written now.
    pub(crate) fn write_idle(&self, limit: Option<Duration>) {
        self.write_idle.set(limit);
    }
}

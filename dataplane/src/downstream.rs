//! The side of the clients: a connection, its requests one after the other, and their answers, all in
//! one task.

mod http2;
mod request;
mod respond;
mod source;
mod wire;

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use fairway_snapshot::ListenerName;
use http::Method;
use tokio::net::TcpStream;

use crate::context::Exchange;
use crate::forwarded::Forwarded;
use crate::message::RequestHead;
use crate::proxy::{self, Incoming, Tunnel};
use crate::upgrade::asked;
use crate::worker::OpenConnection;
use request::Request;
use respond::{Asked, respond};
pub(crate) use source::{Broken, ClientSource};
use wire::{End, Wire, WireBody};

/// A client's connection.
pub(crate) struct ClientConnection {
    pub(crate) peer: SocketAddr,
    pub(crate) listener: ListenerName,
    pub(crate) forwarded: Forwarded,
    /// Whether the peer's word about the client behind it is taken.
    pub(crate) trusted: bool,
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
        trusted: worker.config.trust.believes(peer),
        state: Cell::new(State::Idle(Instant::now())),
        stuck: Cell::new(None),
        write_idle: Cell::new(None),
        linger: Cell::new(false),
    });
    let wire = Rc::new(Wire::new(stream, Rc::clone(&connection), Rc::clone(worker)));
    let http2 = {
        let mut http = pin!(exchanges(&wire));
        let mut closing = pin!(worker.closing.notified());
        closing.as_mut().enable();
        let mut waits = false;
        std::future::poll_fn(|cx| {
            if !waits {
                // Once is enough: the order to close wakes the task, and its socket then looks at its
                // deadline again, which is nearer now.
                waits = true;
                let _ = closing.as_mut().poll(cx);
            }
            http.as_mut().poll(cx)
        })
        .await
    };
    if http2 && let Ok(wire) = Rc::try_unwrap(wire) {
        let (stream, before) = wire.into_parts();
        connection.state.set(State::Idle(Instant::now()));
        // Most connections are of HTTP/1, and need not have the room for it.
        Box::pin(http2::serve(worker, &connection, stream, before)).await;
    }
}

/// Serves requests until the connection ends, or turns out to be of HTTP/2, which it says then. How an
/// exchange ends is told by its guard.
async fn exchanges(wire: &Rc<Wire>) -> bool {
    loop {
        match std::future::poll_fn(|cx| wire.poll_request(cx)).await {
            Ok(request) => {
                if !exchange(wire, request).await {
                    break;
                }
            }
            Err(End::Refused(error)) => {
                let unreadable = RequestHead::unreadable();
                let (head, body) =
                    proxy::refuse(&wire.worker, &wire.connection, &unreadable, error);
                let asked = Asked {
                    head_only: false,
                    version: http::Version::HTTP_11,
                    keep_alive: false,
                    exchange: Exchange::begin(true),
                };
                respond(wire, &asked, &head, body).await;
                break;
            }
            Err(End::Closed) => return false,
            Err(End::Http2) => return true,
        }
    }
    wire.close().await;
    false
}

/// Serves one request; says whether the connection can serve another.
async fn exchange(wire: &Rc<Wire>, request: Request) -> bool {
    let Request { head, decoder, keep_alive, expects, upgrade } = request;
    let exchange = Exchange::begin(!decoder.is_done());
    let answering = Asked {
        head_only: head.method == Method::HEAD,
        version: head.version,
        keep_alive,
        exchange: Rc::clone(&exchange),
    };
    let protocol = upgrade.then(|| asked(&head, &wire.worker.config.upgrades)).flatten();
    let tunnel = protocol.map(|protocol| {
        let client = ClientSource::Http1(WireBody(Rc::clone(wire)));
        Tunnel { protocol, client, only: false }
    });
    let incoming = Incoming {
        body: (!decoder.is_done()).then(|| ClientSource::Http1(WireBody(Rc::clone(wire)))),
        expects,
        tunnel,
        exchange,
    };
    wire.decoder.replace(decoder);
    wire.expects.set(expects);
    let answer = {
        let mut served = pin!(proxy::serve(&wire.worker, &wire.connection, head, incoming));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(answer) = served.as_mut().poll(cx) {
                return Poll::Ready(Some(answer));
            }
            if matches!(answering.poll_interim(wire, cx), Poll::Ready(false)) {
                return Poll::Ready(None);
            }
            wire.poll_gone(cx).map(|()| None)
        })
        .await
    };
    match answer {
        Some((head, body)) => respond(wire, &answering, &head, body).await,
        None => false,
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

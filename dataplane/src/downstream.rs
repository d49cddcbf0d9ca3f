//! The side of the clients: a connection, its requests one after the other, and their answers, all in
//! one task.

mod http2;
mod request;
mod respond;
mod source;
mod stream;
mod wire;

use std::cell::{Cell, OnceCell};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use fairway_snapshot::ListenerName;
use http::Method;
use rustls::HandshakeKind;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::context::Exchange;
use crate::error::{MessageProblem, ProxyError};
use crate::forwarded::Forwarded;
use crate::message::RequestHead;
use crate::proxy::{self, Incoming, Tunnel};
use crate::telemetry::metrics::Handshake;
use crate::tls::{self, Secured, Shown};
use crate::upgrade::asked;
use crate::worker::{OpenConnection, Worker};
use request::Request;
use respond::{Asked, respond};
pub(crate) use source::{Broken, ClientSource};
use stream::ClientStream;
use wire::{End, Wire, WireBody};

/// The first byte of TLS (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// A client's connection.
pub(crate) struct ClientConnection {
    pub(crate) peer: SocketAddr,
    pub(crate) listener: ListenerName,
    pub(crate) forwarded: Forwarded,
    /// Whether the peer's word about the client behind it is taken.
    pub(crate) trusted: bool,
    /// The certificate that the client was shown, once TLS has begun.
    shown: OnceCell<Shown>,
    state: Cell<State>,
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
    trusted: bool,
    tls: Option<Secured>,
) {
    let worker = &*worker;
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    let connection = Rc::new(ClientConnection {
        peer,
        listener,
        forwarded: Forwarded::new(peer, local, tls.is_some()),
        trusted,
        shown: OnceCell::new(),
        state: Cell::new(State::Idle(Instant::now())),
        linger: Cell::new(false),
    });
    match tls {
        None => serve_http(worker, &connection, ClientStream::Plain(stream)).await,
        // Most of what a handshake needs is gone when it is over.
        Some(secured) => Box::pin(serve_tls(worker, &connection, stream, secured)).await,
    }
}

/// What a client of a listener with TLS begins with.
enum Begun {
    /// A handshake, which is over.
    Secured(Box<TlsStream<TcpStream>>),
    /// Something else than TLS.
    Plain(TcpStream),
    /// A handshake that came to nothing.
    Failed,
    /// Nothing: it was looking whether somebody listens.
    Left,
}

/// Serves a client that should begin with TLS.
async fn serve_tls(
    worker: &Rc<Worker>,
    connection: &Rc<ClientConnection>,
    stream: TcpStream,
    secured: Secured,
) {
    let limit = worker.config.client_head;
    let Secured { config, choice } = secured;
    let acceptor = TlsAcceptor::from(config);
    let error = match tokio::time::timeout(limit, shake(connection, stream, acceptor)).await {
        Ok(Begun::Left) => return,
        Ok(Begun::Secured(stream)) => {
            let (_, session) = stream.get_ref();
            let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
            let kind = if resumed { Handshake::Resumed } else { Handshake::Full };
            worker.metrics.tls_handshake(kind);
            // Set once: a connection has one handshake.
            let _ = connection.shown.set(Shown::new(session.server_name(), choice));
            let http2 = session.alpn_protocol() == Some(tls::HTTP2);
            let stream = ClientStream::Tls(stream);
            if http2 {
                return http2::serve(worker, connection, stream, Bytes::new()).await;
            }
            return serve_http(worker, connection, stream).await;
        }
        Ok(Begun::Plain(stream)) => {
            worker.metrics.tls_handshake(Handshake::Failed);
            let stream = ClientStream::Plain(stream);
            let wire = Rc::new(Wire::new(stream, Rc::clone(connection), Rc::clone(worker)));
            refuse(&wire, MessageProblem::NoTls.into()).await;
            return wire.close().await;
        }
        Ok(Begun::Failed) => ProxyError::TlsHandshake,
        Err(_) => ProxyError::ClientHeadTimeout,
    };
    worker.metrics.tls_handshake(Handshake::Failed);
    drop(proxy::refuse(worker, connection, &RequestHead::unreadable(), error));
}

async fn shake(connection: &ClientConnection, stream: TcpStream, acceptor: TlsAcceptor) -> Begun {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) | Err(_) => return Begun::Left,
        Ok(_) if first[0] != HANDSHAKE => return Begun::Plain(stream),
        Ok(_) => {}
    }
    match acceptor.accept(stream).await {
        Ok(stream) => Begun::Secured(Box::new(stream)),
        Err(error) => {
            tracing::debug!(client = %connection.peer, %error, "no TLS");
            Begun::Failed
        }
    }
}

/// Serves a client until the connection ends.
async fn serve_http(worker: &Rc<Worker>, connection: &Rc<ClientConnection>, stream: ClientStream) {
    let wire = Rc::new(Wire::new(stream, Rc::clone(connection), Rc::clone(worker)));
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
        Box::pin(http2::serve(worker, connection, stream, before)).await;
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
                refuse(wire, error).await;
                break;
            }
            Err(End::Closed) => return false,
            Err(End::Http2) => return true,
        }
    }
    wire.close().await;
    false
}

/// Answers what is no request.
async fn refuse(wire: &Rc<Wire>, error: ProxyError) {
    let unreadable = RequestHead::unreadable();
    let (head, body) = proxy::refuse(&wire.worker, &wire.connection, &unreadable, error);
    let asked = Asked {
        head_only: false,
        version: http::Version::HTTP_11,
        keep_alive: false,
        exchange: Exchange::begin(true),
    };
    respond(wire, &asked, &head, body).await;
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
    /// Whether a request for this host needs another connection, which would show another certificate
    /// (RFC 9110 section 15.5.20). A trusted peer sends the requests of many clients over one.
    pub(crate) fn misdirects(&self, host: &str) -> bool {
        !self.trusted && self.shown.get().is_some_and(|shown| shown.is_other(host))
    }

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
}

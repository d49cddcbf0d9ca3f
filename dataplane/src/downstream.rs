//! The side of the clients: a connection, its requests one after the other, and their answers, all in
//! one task.

mod announced;
mod connection;
mod http2;
pub(crate) mod request;
mod respond;
mod socket;
mod source;
mod stream;
mod wire;

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
use crate::message::RequestHead;
use crate::proxy::{self, Incoming, Tunnel};
use crate::telemetry::metrics::Handshake;
use crate::tls::{self, Secured, Shown};
use crate::upgrade::asked;
use crate::worker::{OpenConnection, Worker};
pub(crate) use connection::ClientConnection;
use connection::{State, Whose};
use request::Request;
use respond::{Asked, respond};
use socket::ClientSocket;
pub(crate) use source::{Broken, ClientSource};
use stream::ClientStream;
use wire::{End, Wire, WireBody};

/// The first byte of TLS (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// How connections of a listener begin.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    pub(crate) listener: ListenerName,
    pub(crate) tls: Option<Secured>,
    /// Whether a load balancer says first whose connection it is.
    pub(crate) announced: bool,
    /// Where it listens: a connection need not be asked where it came to, of which only the port matters.
    pub(crate) local: SocketAddr,
}

/// Serves a client until the connection ends.
pub(crate) async fn serve(
    mut open: OpenConnection,
    entrance: Rc<Entrance>,
    mut stream: TcpStream,
    peer: SocketAddr,
) {
    let mut whose =
        Whose { peer, local: entrance.local, trusted: open.config.trust.believes(peer) };
    let mut ahead = Bytes::new();
    if entrance.announced {
        let limit = open.config.client_head;
        // What it needs is gone when it is over, too.
        let read = Box::pin(tokio::time::timeout(limit, announced::read(&mut stream)));
        let read = match read.await {
            Ok(read) => read.map_err(ProxyError::from),
            Err(_) => Err(ProxyError::ClientHeadTimeout),
        };
        match read {
            Ok(Some((announced, rest))) => {
                whose.hear(announced, &open);
                ahead = rest;
            }
            Ok(None) => return,
            Err(error) => {
                let connection = ClientConnection::new(&open, &entrance, &whose);
                drop(proxy::refuse(&open, &connection, &RequestHead::unreadable(), error));
                return;
            }
        }
        if open.is_one_too_many(whose.peer.ip(), whose.trusted || whose.peer == peer) {
            let _ = stream.set_zero_linger();
            return;
        }
    }
    let worker = &*open;
    let connection = ClientConnection::new(worker, &entrance, &whose);
    let stream = ClientSocket::new(stream, ahead);
    match &entrance.tls {
        None => serve_http(worker, &connection, ClientStream::Plain(stream)).await,
        // Most of what a handshake needs is gone when it is over.
        Some(secured) => Box::pin(serve_tls(worker, &connection, stream, secured.clone())).await,
    }
}

/// What a client of a listener with TLS begins with.
enum Begun {
    /// A handshake, which is over.
    Secured(Box<TlsStream<ClientSocket>>),
    /// Something else than TLS.
    Plain(ClientSocket),
    /// A handshake that came to nothing.
    Failed,
    /// Nothing: it was looking whether somebody listens.
    Left,
}

/// Serves a client that should begin with TLS.
async fn serve_tls(
    worker: &Rc<Worker>,
    connection: &Rc<ClientConnection>,
    stream: ClientSocket,
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

async fn shake(
    connection: &ClientConnection,
    stream: ClientSocket,
    acceptor: TlsAcceptor,
) -> Begun {
    match stream.peek().await {
        None => return Begun::Left,
        Some(HANDSHAKE) => {}
        Some(_) => return Begun::Plain(stream),
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
        exchange: Exchange::begin(&wire.connection, true),
    };
    respond(wire, &asked, &head, body).await;
}

/// Serves one request; says whether the connection can serve another.
async fn exchange(wire: &Rc<Wire>, request: Request) -> bool {
    let Request { head, decoder, keep_alive, expects, upgrade } = request;
    let exchange = Exchange::begin(&wire.connection, !decoder.is_done());
    let last = wire.connection.takes_last();
    if last {
        // What stands behind it was read and is served by nobody: it must not take the answer with it.
        wire.connection.linger();
    }
    let answering = Asked {
        head_only: head.method == Method::HEAD,
        version: head.version,
        keep_alive: keep_alive && !last,
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
    wire.answers(Some(&answering.exchange));
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

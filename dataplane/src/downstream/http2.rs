//! HTTP/2 with clients (RFC 9113), on the codec of the `h2` crate: one task reads and writes the
//! connection, and each stream has a task that does for it what `exchange` does for HTTP/1.

mod io;
pub(super) mod meter;
mod request;
mod respond;
#[cfg(test)]
mod tests;

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{Builder, Connection as Codec};
use h2::{Error, Reason};
use tokio::io::AsyncWriteExt;
use tokio::time::Sleep;

use super::stream::{ClientStream, poll_discard};
use super::{ClientConnection, State};
use crate::error::{MessageProblem, ProxyError};
use crate::gather::Gather;
use crate::message::RequestHead;
use crate::proxy;
use crate::worker::{Worker, spawn};
use io::Io;

/// What a stream may send before it is read: enough for a fast client that is not near.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection, well above one of them: a body that nobody reads must not
/// hold up the others.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What frames may cost that were read and not taken, in bytes. The codec counts nearly 256 for each small
/// one, and closes the connection beyond: a client that streams small messages sends a whole window of them
/// at once, and all of that may be read before anybody has a turn to take it.
const FRAMES_COST: usize = 8 * 1024 * 1024;
/// What waits of an answer for a stream to be sent.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that a client has reset and that we have not seen the end of.
const PENDING_RESETS: usize = 50;
/// Streams that we may be made to reset by a client's mistakes.
const OWN_RESETS: usize = 200;
/// How much larger than our limit a head may be to be answered with a reason rather than by the codec.
const HEAD_MARGIN: usize = 16 * 1024;
/// How long what was said last may take to reach the client.
const LINGER: Duration = Duration::from_secs(1);
/// How much it may send meanwhile.
const LINGER_BYTES: usize = 256 * 1024;
/// GOAWAY with PROTOCOL_ERROR, before any stream (RFC 9113 section 6.8).
const WRONG_PREFACE: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A connection of HTTP/2.
struct Connection {
    worker: Rc<Worker>,
    connection: Rc<ClientConnection>,
    io: Io,
    codec: Codec<Io, Bytes>,
    /// Whether the client was told to open no more streams.
    closing: bool,
    /// Whether it was told to be calm.
    calmed: bool,
    timer: Pin<Box<Sleep>>,
}

/// Serves a client that began with the preface of HTTP/2, of which `before` was read.
pub(super) async fn serve(
    worker: &Rc<Worker>,
    connection: &Rc<ClientConnection>,
    stream: ClientStream,
    before: Bytes,
) {
    let mut io = Io::new(stream, before);
    let limit = worker.config.client_head;
    let shaken = tokio::time::timeout(limit, builder(worker).handshake(io.clone())).await;
    let error = match shaken {
        Ok(Ok(codec)) => {
            let timer = Box::pin(tokio::time::sleep(worker.config.client_idle));
            let worker = Rc::clone(worker);
            let connection = Rc::clone(connection);
            let io = io.clone();
            Connection { worker, connection, io, codec, closing: false, calmed: false, timer }
                .run()
                .await
        }
        Ok(Err(error)) if error.is_io() => None,
        Ok(Err(_)) => {
            // The codec has said nothing.
            let _ = io.write_all(WRONG_PREFACE).await;
            Some(MessageProblem::Http2.into())
        }
        Err(_) => Some(ProxyError::ClientHeadTimeout),
    };
    if let Some(error) = error {
        // It is counted and told; the client has been told by a frame.
        drop(proxy::refuse(worker, connection, &RequestHead::unreadable(), error));
    }
    linger(&mut io.socket).await;
}

fn builder(worker: &Worker) -> Builder {
    let mut builder = Builder::new();
    let heads = worker.config.client_head_bytes + HEAD_MARGIN;
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(worker.config.http2_streams)
        .max_header_list_size(u32::try_from(heads).unwrap_or(u32::MAX))
        .data_frame_budget(FRAMES_COST)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(Some(OWN_RESETS));
    if !worker.config.upgrades.is_empty() {
        builder.enable_connect_protocol();
    }
    builder
}

/// Closes our side, and waits for the client to close its own: what it has sent and nobody reads would
/// reset the connection, and what we said last with it. Who floods is not listened to for long.
async fn linger(socket: &mut Gather<ClientStream>) {
    if socket.shutdown().await.is_err() {
        return;
    }
    let mut left = LINGER_BYTES;
    let rest = std::future::poll_fn(|cx| poll_discard(socket, &mut left, cx));
    let _ = tokio::time::timeout(LINGER, rest).await;
}

impl Connection {
    /// Serves streams until the connection ends; says what was wrong with it, if anything.
    async fn run(mut self) -> Option<ProxyError> {
        let worker = Rc::clone(&self.worker);
        let mut closing = pin!(worker.closing.notified());
        closing.as_mut().enable();
        let mut told = false;
        std::future::poll_fn(|cx| {
            if !told && (closing.as_mut().poll(cx).is_ready() || worker.closed.get()) {
                told = true;
                self.close();
            }
            self.poll(cx)
        })
        .await
    }

    /// One turn: what the codec says in it goes out in one piece.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<ProxyError>> {
        let socket = self.io.socket.clone();
        socket.poll_turn(cx, |cx| self.poll_streams(cx))
    }

    fn poll_streams(&mut self, cx: &mut Context<'_>) -> Poll<Option<ProxyError>> {
        loop {
            match self.codec.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, answer)))) => {
                    let worker = Rc::clone(&self.worker);
                    let connection = Rc::clone(&self.connection);
                    spawn(respond::exchange(worker, connection, request, answer));
                    // Streams that the client has opened before it hears of it are served too.
                    if self.connection.takes_last() || self.worker.draining.get() {
                        self.close();
                    }
                    continue;
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(self.reason(&error)),
                Poll::Ready(None) => {
                    return Poll::Ready(self.io.flood().map(|_| ProxyError::Http2Flood));
                }
                Poll::Pending => {}
            }
            let Some(kind) = self.io.flood().filter(|_| !self.calmed) else { break };
            let peer = self.connection.peer;
            tracing::debug!(client = %peer, kind = kind.as_str(), "too many frames");
            self.codec.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            self.calmed = true;
        }
        self.poll_idle(cx)
    }

    /// Tells a client that opens no streams for too long to open no more.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Option<ProxyError>> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            // Who was told has the time that the answer to it takes.
            let told = self.worker.closed.get();
            let limit = if told { LINGER } else { self.worker.config.client_idle };
            let mut at = now + limit;
            if let State::Idle(since) = self.connection.state.get() {
                if since + limit <= now && self.closing {
                    // It was told, and does not go.
                    return Poll::Ready(None);
                }
                if since + limit <= now {
                    self.close();
                    at = now + LINGER;
                    cx.waker().wake_by_ref();
                } else {
                    at = since + limit;
                }
            }
            self.timer.as_mut().reset(at.into());
        }
        Poll::Pending
    }

    /// Says that no more streams are taken; those that are open go on.
    fn close(&mut self) {
        if self.worker.closed.get() {
            self.timer.as_mut().reset((Instant::now() + LINGER).into());
        }
        self.closing = true;
        self.codec.graceful_shutdown();
    }

    /// What is told of the end of a connection: its client's mistake, and nothing when it just left.
    fn reason(&self, error: &Error) -> Option<ProxyError> {
        tracing::debug!(client = %self.connection.peer, %error, "end of HTTP/2");
        let calm = error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
        if error.is_go_away() && !error.is_remote() {
            return Some(if calm { ProxyError::Http2Flood } else { MessageProblem::Http2.into() });
        }
        None
    }
}

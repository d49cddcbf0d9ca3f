//! A client's socket with what was read from it and what is to be written, and with its deadlines:
//! one timer for each connection, set again only when it fires or when a nearer deadline begins, so
//! that a request costs no timer.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::Frame;
use tokio::io::AsyncWrite;
use tokio::time::Sleep;

use super::http2::meter::PREFACE;
use super::request::{Request, parse};
use super::source::Broken;
use super::stream::{ClientStream, poll_discard};
use super::{ClientConnection, State};
use crate::context::Exchange;
use crate::error::ProxyError;
use crate::h1::{Decoder, Input, Output, Step};
use crate::timers::poll_deadline;
use crate::worker::Worker;

/// How long a connection must have been idle to be closed when the worker closes. A connection
/// that was just accepted, or just answered, may have a request on its way.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// How long, and how much, a client may go on sending a body that nobody reads after the end of
/// our answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// What tells HTTP/2 from everything else: `PRI `.
const HTTP2_BEGINS: usize = 4;

/// A client's socket. Both bodies of an exchange have it, and one task.
pub(crate) struct Wire {
    pub(super) connection: Rc<ClientConnection>,
    pub(super) worker: Rc<Worker>,
    stream: RefCell<ClientStream>,
    input: RefCell<Input>,
    pub(super) output: RefCell<Output>,
    /// What takes the body of the current request off.
    pub(super) decoder: RefCell<Decoder>,
    /// Whether the client waits to be told to send its body.
    pub(super) expects: Cell<bool>,
    /// Whether the connection is of another protocol now.
    switched: Cell<bool>,
    /// The exchange whose answer is written now.
    answers: RefCell<Option<Rc<Exchange>>>,
    timer: RefCell<Option<Pin<Box<Sleep>>>>,
    /// Whether the client was given up: there is nothing more to say to it.
    gone: Cell<bool>,
    /// Whether nothing was taken yet: a client may begin with HTTP/2.
    fresh: Cell<bool>,
}

/// The body of the request that is being served.
pub(crate) struct WireBody(pub(super) Rc<Wire>);

/// How a connection ends.
pub(super) enum End {
    /// There is nothing more to say.
    Closed,
    /// What came is no request that can be served.
    Refused(ProxyError),
    /// What came is HTTP/2; nothing of it was taken.
    Http2,
}

impl Wire {
    pub(super) fn new(
        stream: ClientStream,
        connection: Rc<ClientConnection>,
        worker: Rc<Worker>,
    ) -> Self {
        Self {
            connection,
            worker,
            stream: RefCell::new(stream),
            input: RefCell::default(),
            output: RefCell::default(),
            decoder: RefCell::new(Decoder::Done),
            expects: Cell::new(false),
            switched: Cell::new(false),
            answers: RefCell::default(),
            timer: RefCell::default(),
            gone: Cell::new(false),
            fresh: Cell::new(true),
        }
    }

    /// The socket, and what was read and not taken.
    pub(super) fn into_parts(self) -> (ClientStream, Bytes) {
        (self.stream.into_inner(), self.input.into_inner().take(usize::MAX))
    }

    /// Whether a client begins with HTTP/2; none as long as that cannot be told. The method PRI is of
    /// nothing else (RFC 9113 section 11.5).
    fn begins_http2(&self, input: &Input) -> Option<bool> {
        let some = input.bytes().len().min(HTTP2_BEGINS);
        let begins = self.fresh.get() && input.bytes()[..some] == PREFACE[..some];
        if begins && some < HTTP2_BEGINS {
            return None;
        }
        self.fresh.set(begins);
        Some(begins)
    }

    /// The next request.
    pub(super) fn poll_request(&self, cx: &mut Context<'_>) -> Poll<Result<Request, End>> {
        let mut input = self.input.borrow_mut();
        let mut stream = self.stream.borrow_mut();
        loop {
            let http2 = self.begins_http2(&input);
            if http2 == Some(true) {
                return Poll::Ready(Err(End::Http2));
            }
            if http2.is_some() {
                let request = parse(&mut input, &self.worker.config);
                if let Some(request) = request.map_err(End::Refused)? {
                    return Poll::Ready(Ok(request));
                }
            }
            if input.is_empty() {
                // Who waits for a client has no memory for it.
                input.release();
                self.output.borrow_mut().release();
                if stream.poll_read_ready(cx).is_pending() {
                    return self.poll_late(cx);
                }
            } else if let State::Idle(_) = self.connection.state.get() {
                self.connection.state.set(State::Head(Instant::now()));
            }
            match input.poll_fill(&mut *stream, cx) {
                Poll::Pending => {
                    input.release();
                    return self.poll_late(cx);
                }
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(End::Closed)),
                Poll::Ready(Ok(_)) => {}
            }
        }
    }

    /// Pending until the wait for a request has been too long.
    fn poll_late(&self, cx: &mut Context<'_>) -> Poll<Result<Request, End>> {
        ready!(self.poll_deadline(cx));
        Poll::Ready(Err(match self.connection.state.get() {
            State::Head(_) => End::Refused(ProxyError::ClientHeadTimeout),
            State::Idle(_) | State::Busy(_) => End::Closed,
        }))
    }

    /// Pending as long as the client is there. A client that has sent its request whole, and then
    /// ends its side of the connection, is taken for gone.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut input = self.input.borrow_mut();
        // Who has switched may end its side alone.
        if !self.decoder.borrow().is_done() || !input.is_empty() || self.switched.get() {
            return Poll::Pending;
        }
        let mut stream = self.stream.borrow_mut();
        ready!(stream.poll_read_ready(cx));
        match ready!(input.poll_fill(&mut *stream, cx)) {
            Ok(0) | Err(_) => Poll::Ready(()),
            // The next request is there already.
            Ok(_) => Poll::Pending,
        }
    }

    /// What is written from now on answers this.
    pub(super) fn answers(&self, exchange: Option<&Rc<Exchange>>) {
        self.answers.replace(exchange.map(Rc::clone));
    }

    /// Writes until nothing is left, as long as the client takes it fast enough.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.stream.borrow_mut();
        let before = stream.written();
        let flushed = self.output.borrow_mut().poll_flush(&mut *stream, cx);
        let moved = stream.written() - before;
        drop(stream);
        let answers = self.answers.borrow();
        let Some(exchange) = answers.as_ref() else { return flushed };
        if flushed.is_ready() || moved > 0 {
            exchange.has_read(moved);
        }
        if flushed.is_ready() {
            return flushed;
        }
        exchange.reads.wait();
        ready!(self.poll_deadline(cx));
        exchange.gives_up();
        self.stream.borrow().give_up();
        self.gone.set(true);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// When the connection has waited for too long.
    fn deadline(&self) -> Option<Instant> {
        let reading = match self.connection.state.get() {
            State::Idle(since) if self.worker.closed.get() => Some(since + CLOSE_GRACE),
            State::Idle(since) => Some(since + self.worker.config.client_idle),
            State::Head(since) => Some(since + self.worker.config.client_head),
            State::Busy(_) => None,
        };
        let answers = self.answers.borrow();
        let writing = answers.as_ref().and_then(|exchange| exchange.reads_until());
        match (reading, writing) {
            (Some(reading), Some(writing)) => Some(reading.min(writing)),
            (reading, writing) => reading.or(writing),
        }
    }

    /// Pending until the deadline passes.
    fn poll_deadline(&self, cx: &mut Context<'_>) -> Poll<()> {
        poll_deadline(&mut self.timer.borrow_mut(), || self.deadline(), cx)
    }

    /// Closes our side. If the client may still be sending a body that nobody reads, it gets the
    /// time to read our answer: closing a socket with unread bytes resets the connection, and the
    /// answer with it (RFC 9112 section 9.6).
    pub(super) async fn close(&self) {
        let lingers = self.connection.linger.get();
        // Dropping the socket says the same, where nobody has to be waited for.
        if self.gone.get() || (!lingers && self.stream.borrow().is_plain()) {
            return;
        }
        let shut =
            std::future::poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx));
        if shut.await.is_err() || !lingers {
            return;
        }
        let mut left = LINGER_BYTES;
        let rest =
            std::future::poll_fn(|cx| poll_discard(&mut *self.stream.borrow_mut(), &mut left, cx));
        let _ = tokio::time::timeout(LINGER, rest).await;
    }
}

// === impl WireBody ===

impl WireBody {
    /// The next part.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let wire = &*self.0;
        let mut decoder = wire.decoder.borrow_mut();
        let mut input = wire.input.borrow_mut();
        loop {
            match decoder.next(&mut input) {
                Ok(Step::Data(data)) => {
                    // Who sends its body does not wait to be told any more.
                    wire.expects.set(false);
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Step::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(*trailers))));
                }
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(problem) => {
                    tracing::debug!(client = %wire.connection.peer, ?problem, "malformed body");
                    return Poll::Ready(Some(Err(Broken)));
                }
            }
            match ready!(input.poll_fill(&mut *wire.stream.borrow_mut(), cx)) {
                Ok(0) if decoder.end_of_connection() => {}
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Broken))),
                Ok(_) => {}
            }
        }
    }

    /// From here on everything that comes is of another protocol.
    pub(crate) fn open(&mut self) {
        self.0.switched.set(true);
        self.0.decoder.replace(Decoder::UntilClose);
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.0.decoder.borrow().is_done()
    }

    /// How much comes still, when that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.0.decoder.borrow().remaining()
    }
}

//! A client's socket with its deadlines: one timer for each connection, set again only when it
//! fires or when a nearer deadline begins, so that a request costs no timer.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::{ClientConnection, State};
use crate::worker::Worker;

/// How long a connection must have been idle to be closed when the worker closes. A connection
/// that was just accepted, or just answered, may have a request on its way.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// How long, and how much, a client may go on sending a body that nobody reads after the end of
/// our answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// A client's socket.
pub(super) struct ClientIo {
    stream: TcpStream,
    connection: Rc<ClientConnection>,
    worker: Rc<Worker>,
    timer: Option<Pin<Box<Sleep>>>,
    lingering: Option<Lingering>,
}

/// Our side of the connection is closed.
struct Lingering {
    until: Instant,
    bytes: usize,
}

impl ClientIo {
    pub(super) fn new(
        stream: TcpStream,
        connection: Rc<ClientConnection>,
        worker: Rc<Worker>,
    ) -> Self {
        Self { stream, connection, worker, timer: None, lingering: None }
    }

    /// When the connection has waited for too long.
    fn deadline(&self) -> Option<Instant> {
        let reading = match self.connection.state.get() {
            State::Idle(since) if self.worker.closed.get() => Some(since + CLOSE_GRACE),
            State::Idle(since) => Some(since + self.worker.config.client_idle),
            State::Head(since) => Some(since + self.worker.config.client_head),
            State::Busy(_) => None,
        };
        let stuck = self.connection.stuck.get();
        let writing =
            stuck.zip(self.connection.write_idle.get()).map(|(since, limit)| since + limit);
        match (reading, writing) {
            (Some(reading), Some(writing)) => Some(reading.min(writing)),
            (reading, writing) => reading.or(writing),
        }
    }

    /// Pending until the deadline passes, then an error that closes the connection.
    fn poll_deadline<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            let Some(at) = self.deadline() else { return Poll::Pending };
            let timer =
                self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())));
            if timer.deadline() > at.into() {
                timer.as_mut().reset(at.into());
            }
            ready!(timer.as_mut().poll(cx));
            if at <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(at.into());
        }
    }

    /// Reads on and throws away, until the client has had the time to read our answer: closing a
    /// socket with unread bytes resets the connection, and the answer with it (RFC 9112 section
    /// 9.6).
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(Lingering { until, bytes }) = &mut self.lingering else { return Poll::Ready(()) };
        let mut scratch = [0; 4096];
        while *bytes < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *bytes += buffer.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let until = (*until).into();
                    let timer =
                        self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                    if timer.deadline() != until {
                        timer.as_mut().reset(until);
                    }
                    return timer.as_mut().poll(cx);
                }
            }
        }
        Poll::Ready(())
    }

    /// Remembers since when nothing could be written.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.connection.stuck.set(None);
            return result;
        }
        if self.connection.stuck.get().is_none() {
            self.connection.stuck.set(Some(Instant::now()));
        }
        self.poll_deadline(cx)
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                let received = buffer.filled().len() > before;
                if received && let State::Idle(_) = self.connection.state.get() {
                    self.connection.state.set(State::Head(Instant::now()));
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_deadline(cx),
        }
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if !self.connection.linger.get() {
                return Poll::Ready(Ok(()));
            }
            self.lingering = Some(Lingering { until: Instant::now() + LINGER, bytes: 0 });
        }
        self.poll_linger(cx).map(Ok)
    }
}

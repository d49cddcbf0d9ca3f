//! What is to be written to a connection: bytes of our own (heads, chunk sizes), and behind them a
//! part of a body that is not copied.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::AsyncWrite;

/// The bytes of a usual head.
const USUAL: usize = 1024;

/// A part of a body of at most so many bytes is copied behind the head that it goes with: the system
/// takes one piece in less time than two.
const SMALL: usize = 1024;

/// How a body is framed (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    /// In chunks: its length is not known before its end.
    Chunked,
    /// As it is, until the end of the connection.
    UntilClose,
}

/// The bytes that are written next, in this order: `own`, `data`, `end`.
#[derive(Debug, Default)]
pub(crate) struct Output {
    own: Vec<u8>,
    data: Bytes,
    end: &'static [u8],
    /// How much of `own` was written.
    written: usize,
    /// Whether any byte of the current request was written.
    touched: bool,
}

impl Output {
    /// Begins a message: its head is what is put into these bytes.
    pub(crate) fn begin(&mut self) -> &mut Vec<u8> {
        self.clear();
        self.touched = false;
        self.own.reserve(USUAL / 2);
        &mut self.own
    }

    /// A part of a body that needs no framing of its own, behind a head that was not written yet.
    pub(crate) fn data(&mut self, data: Bytes) {
        self.next();
        self.part(data, b"");
    }

    /// A chunk (RFC 9112 section 7.1), behind a head that was not written yet; with the `last` one of a
    /// body without trailers comes its end.
    pub(crate) fn chunk(&mut self, data: Bytes, last: bool) {
        use std::io::Write;
        self.next();
        // Writing to memory does not fail.
        let _ = write!(self.own, "{:x}\r\n", data.len());
        self.part(data, if last { b"\r\n0\r\n\r\n" } else { b"\r\n" });
    }

    /// Puts a part behind our own bytes, and its end behind it.
    fn part(&mut self, data: Bytes, end: &'static [u8]) {
        if self.own.is_empty() || data.len() > SMALL {
            (self.data, self.end) = (data, end);
        } else {
            self.own.extend_from_slice(&data);
            self.own.extend_from_slice(end);
        }
    }

    /// The last chunk, with trailers, behind a head that was not written yet.
    pub(crate) fn last_chunk(&mut self, trailers: Option<&HeaderMap>) {
        self.next();
        self.own.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flatten() {
            field(&mut self.own, name, value);
        }
        self.own.extend_from_slice(b"\r\n");
    }

    /// Whether everything was written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.written == self.own.len() && self.data.is_empty() && self.end.is_empty()
    }

    /// Gives the memory back, but for what a usual head takes.
    pub(crate) fn release(&mut self) {
        if self.own.capacity() > USUAL {
            self.own = Vec::new();
        }
    }

    /// What was written is over.
    fn next(&mut self) {
        if self.is_flushed() {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.own.clear();
        self.data = Bytes::new();
        self.end = b"";
        self.written = 0;
    }

    /// Whether no byte of the current request was written.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// Writes until nothing is left.
    pub(crate) fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let own = self.own.get(self.written..).unwrap_or_default();
            let mut stream = Pin::new(&mut *stream);
            let wrote = if self.data.is_empty() && self.end.is_empty() {
                if own.is_empty() {
                    // What TLS has encrypted may wait for the socket; a socket has nothing to do.
                    return stream.poll_flush(cx);
                }
                ready!(stream.as_mut().poll_write(cx, own))?
            } else {
                let slices = [own, &self.data, self.end].map(IoSlice::new);
                ready!(stream.as_mut().poll_write_vectored(cx, &slices))?
            };
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.touched = true;
            self.advance(wrote);
        }
    }

    fn advance(&mut self, wrote: usize) {
        let own = wrote.min(self.own.len() - self.written);
        self.written += own;
        let data = (wrote - own).min(self.data.len());
        let _ = self.data.split_to(data);
        let end = wrote - own - data;
        self.end = self.end.get(end..).unwrap_or_default();
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn waiting(&self) -> Vec<u8> {
        [self.own.get(self.written..).unwrap_or_default(), &self.data, self.end].concat()
    }
}

/// A field of a head.
fn field(own: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    own.extend_from_slice(name.as_str().as_bytes());
    own.extend_from_slice(b": ");
    own.extend_from_slice(value.as_bytes());
    own.extend_from_slice(b"\r\n");
}

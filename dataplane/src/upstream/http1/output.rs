//! What is to be written to a connection: bytes of our own (heads, chunk sizes), and behind them a
//! part of a body that is not copied.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::message::RequestHead;

/// How the body of a request is framed (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    /// In chunks: its length is not known before its end.
    Chunked,
}

/// The bytes that are written next, in this order: `own`, `data`, `end`.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Output {
    own: Vec<u8>,
    data: Bytes,
    end: &'static [u8],
    /// How much of `own` was written.
    written: usize,
    /// Whether any byte of the current request was written.
    touched: bool,
}

impl Output {
    /// Begins a request: its head is written next.
    pub(super) fn begin(&mut self, head: &RequestHead, framing: Framing) {
        self.clear();
        self.touched = false;
        let own = &mut self.own;
        own.extend_from_slice(head.method.as_str().as_bytes());
        own.push(b' ');
        let target = head.target.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        own.extend_from_slice(target.as_bytes());
        own.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &head.headers {
            let frames = *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING;
            // A length of zero tells a backend that there is no body where it expects one.
            if !frames || (*name == CONTENT_LENGTH && framing == Framing::Empty) {
                field(own, name, value);
            }
        }
        match framing {
            Framing::Empty => {}
            Framing::Length(length) => {
                own.extend_from_slice(b"content-length: ");
                own.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                own.extend_from_slice(b"\r\n");
            }
            Framing::Chunked => own.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
        own.extend_from_slice(b"\r\n");
    }

    /// A part of a body that needs no framing of its own.
    pub(super) fn data(&mut self, data: Bytes) {
        self.clear();
        self.data = data;
    }

    /// A chunk (RFC 9112 section 7.1).
    pub(super) fn chunk(&mut self, data: Bytes) {
        use std::io::Write;
        self.clear();
        // Writing to memory does not fail.
        let _ = write!(self.own, "{:x}\r\n", data.len());
        self.data = data;
        self.end = b"\r\n";
    }

    /// The last chunk, with trailers.
    pub(super) fn last_chunk(&mut self, trailers: Option<&HeaderMap>) {
        self.clear();
        self.own.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flatten() {
            field(&mut self.own, name, value);
        }
        self.own.extend_from_slice(b"\r\n");
    }

    fn clear(&mut self) {
        self.own.clear();
        self.data = Bytes::new();
        self.end = b"";
        self.written = 0;
    }

    /// Whether no byte of the current request was written.
    pub(super) fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// Writes until nothing is left.
    pub(super) fn poll_flush(
        &mut self,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let own = self.own.get(self.written..).unwrap_or_default();
            let mut stream = Pin::new(&mut *stream);
            let wrote = if self.data.is_empty() && self.end.is_empty() {
                if own.is_empty() {
                    return Poll::Ready(Ok(()));
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

    #[cfg(test)]
    pub(super) fn waiting(&self) -> Vec<u8> {
        [self.own.get(self.written..).unwrap_or_default(), &self.data, self.end].concat()
    }
}

fn field(own: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    own.extend_from_slice(name.as_str().as_bytes());
    own.extend_from_slice(b": ");
    own.extend_from_slice(value.as_bytes());
    own.extend_from_slice(b"\r\n");
}

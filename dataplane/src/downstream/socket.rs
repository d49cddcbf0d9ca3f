//! The socket of a client's connection, with what was read of it ahead, and how much it took.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The socket itself.
#[derive(Debug)]
pub(crate) struct ClientSocket {
    stream: TcpStream,
    /// What was read and is nobody's yet.
    ahead: Bytes,
    /// How many bytes were written. Behind TLS this alone says what the client has taken.
    written: u64,
}

impl ClientSocket {
    pub(super) fn new(stream: TcpStream, ahead: Bytes) -> Self {
        Self { stream, ahead, written: 0 }
    }

    /// The connection ends at once when it is dropped: what the kernel holds for it is thrown away.
    pub(super) fn give_up(&self) {
        let _ = self.stream.set_zero_linger();
    }

    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// The first byte, which stays where it is; none at the end of the connection.
    pub(super) async fn peek(&self) -> Option<u8> {
        if let Some(first) = self.ahead.first() {
            return Some(*first);
        }
        let mut first = [0];
        let length = self.stream.peek(&mut first).await.ok()?;
        first.first().copied().filter(|_| length > 0)
    }

    /// Pending when certainly nothing can be read.
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ahead.is_empty() {
            self.stream.poll_read_ready(cx).map(|_| ())
        } else {
            Poll::Ready(())
        }
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let bytes = ready!(written)?;
        self.written += u64::try_from(bytes).unwrap_or_default();
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let length = this.ahead.len().min(buffer.remaining());
        buffer.put_slice(this.ahead.get(..length).unwrap_or_default());
        this.ahead.advance(length);
        if this.ahead.is_empty() {
            // What it was a part of is not held for as long as the connection.
            this.ahead = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.wrote(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

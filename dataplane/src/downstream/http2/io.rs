//! A client's socket as the codec of HTTP/2 has it. It outlives the codec, so that what the codec said
//! last still reaches the client.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::meter::{Kind, Meter};
use crate::downstream::stream::ClientStream;
use crate::gather::Gather;

/// A socket with what was read from it before, and with a count of what comes.
#[derive(Clone, Debug)]
pub(super) struct Io {
    pub(super) socket: Gather<ClientStream>,
    seen: Rc<Seen>,
}

#[derive(Debug)]
struct Seen {
    before: RefCell<Bytes>,
    meter: RefCell<Meter>,
}

impl Io {
    pub(super) fn new(stream: ClientStream, before: Bytes) -> Self {
        let mut meter = Meter::new(Instant::now());
        meter.see(&before, Instant::now());
        let seen = Seen { before: RefCell::new(before), meter: RefCell::new(meter) };
        Self { socket: Gather::new(stream), seen: Rc::new(seen) }
    }

    /// What came too often.
    pub(super) fn flood(&self) -> Option<Kind> {
        self.seen.meter.borrow().flood()
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let bytes = ready!(written)?;
        self.seen.meter.borrow_mut().sent(bytes);
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { socket, seen } = &mut *self;
        let mut before = seen.before.borrow_mut();
        if !before.is_empty() {
            let length = before.len().min(buffer.remaining());
            let part = before.split_to(length);
            buffer.put_slice(&part);
            return Poll::Ready(Ok(()));
        }
        if seen.meter.borrow().flood().is_some() {
            // Whatever else it sends, nobody reads it: the codec need only say so.
            return Poll::Pending;
        }
        let known = buffer.filled().len();
        ready!(Pin::new(socket).poll_read(cx, buffer))?;
        seen.meter.borrow_mut().see(&buffer.filled()[known..], Instant::now());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

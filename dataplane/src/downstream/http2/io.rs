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
use crate::socket::Socket;

/// A socket with what was read from it before, and with a count of what comes.
#[derive(Clone, Debug)]
pub(super) struct Io(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    before: RefCell<Bytes>,
    stream: RefCell<Socket>,
    meter: RefCell<Meter>,
}

impl Io {
    pub(super) fn new(stream: Socket, before: Bytes) -> Self {
        let mut meter = Meter::new(Instant::now());
        meter.see(&before, Instant::now());
        Self(Rc::new(Inner {
            before: RefCell::new(before),
            stream: RefCell::new(stream),
            meter: RefCell::new(meter),
        }))
    }

    /// What came too often.
    pub(super) fn flood(&self) -> Option<Kind> {
        self.0.meter.borrow().flood()
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let bytes = ready!(written)?;
        self.0.meter.borrow_mut().sent(bytes);
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut before = self.0.before.borrow_mut();
        if !before.is_empty() {
            let length = before.len().min(buffer.remaining());
            let part = before.split_to(length);
            buffer.put_slice(&part);
            return Poll::Ready(Ok(()));
        }
        let known = buffer.filled().len();
        ready!(Pin::new(&mut *self.0.stream.borrow_mut()).poll_read(cx, buffer))?;
        self.0.meter.borrow_mut().see(&buffer.filled()[known..], Instant::now());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.0.stream.borrow_mut()).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.0.stream.borrow_mut()).poll_write_vectored(cx, slices);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_shutdown(cx)
    }
}

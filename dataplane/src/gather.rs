//! Writes that are gathered: a codec that says many small things in one turn has them sent by one system
//! call, and over TLS in one record.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::turn;

/// What is gathered at most, in bytes: a record of TLS holds as much (RFC 8446 section 5.1).
const MOST: usize = 16 * 1024;

/// A socket whose writes may be held back for a while; clones are the same socket, of which a codec has
/// one.
#[derive(Debug)]
pub(crate) struct Gather<S>(Rc<RefCell<Inner<S>>>);

#[derive(Debug)]
struct Inner<S> {
    stream: S,
    /// What was written, and how much of it the socket has taken.
    kept: Vec<u8>,
    taken: usize,
    /// Whether a flush waits until the end of the turn.
    holds: bool,
    /// What the codec has not been told yet.
    failed: Option<io::Error>,
}

impl<S> Clone for Gather<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S: AsyncWrite + Unpin> Gather<S> {
    /// Over this socket; until told otherwise, it sends what is flushed.
    pub(crate) fn new(stream: S) -> Self {
        let inner = Inner { stream, kept: Vec::new(), taken: 0, holds: false, failed: None };
        Self(Rc::new(RefCell::new(inner)))
    }

    /// Does what a codec does in one turn, and sends what it said in it. What goes wrong then the codec is
    /// told in another turn, by its next read or write; what was not sent is lost with the connection.
    pub(crate) fn poll_turn<T>(
        &self,
        cx: &mut Context<'_>,
        mut turn: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut told = false;
        loop {
            self.0.borrow_mut().holds = true;
            let done = turn(cx);
            let mut inner = self.0.borrow_mut();
            inner.holds = false;
            match inner.poll_send(cx) {
                Poll::Ready(Err(error)) if done.is_pending() && !told => {
                    inner.failed = Some(error);
                    inner.clear();
                    told = true;
                }
                // Whether all was sent or not: the codec has more to wait for, or closes the socket.
                _ => return done,
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Inner<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(waiting) = self.kept.get(self.taken..).filter(|waiting| !waiting.is_empty())
        {
            let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, waiting))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.took(taken);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// The socket has taken so much of what waits.
    fn took(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= self.kept.len() {
            self.clear();
        }
    }

    /// Nothing waits. A connection that says nothing keeps no room for it.
    fn clear(&mut self) {
        self.kept = Vec::new();
        self.taken = 0;
    }

    /// Keeps `slices` when they have room beside what waits.
    fn keep(&mut self, slices: &[IoSlice<'_>], total: usize) -> bool {
        if self.kept.len() + total > MOST {
            return false;
        }
        if self.kept.capacity() == 0 {
            self.kept.reserve(MOST);
        }
        for slice in slices {
            self.kept.extend_from_slice(slice);
        }
        true
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let total = slices.iter().map(|slice| slice.len()).sum();
        loop {
            if self.keep(slices, total) {
                return Poll::Ready(Ok(total));
            }
            // What has no room goes with what waits, which goes first.
            let waiting = self.kept.len() - self.taken;
            let taken = {
                let mut all: SmallVec<[IoSlice<'_>; 4]> = SmallVec::new();
                let first = self.kept.get(self.taken..).filter(|first| !first.is_empty());
                all.extend(first.map(IoSlice::new));
                all.extend(slices.iter().copied());
                ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &all))?
            };
            let beyond = taken.saturating_sub(waiting);
            self.took(taken - beyond);
            if beyond > 0 || taken == 0 {
                return Poll::Ready(Ok(beyond));
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        match inner.failed.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => {
                let known = buffer.filled().len();
                ready!(Pin::new(&mut inner.stream).poll_read(cx, buffer))?;
                turn::spend(buffer.filled().len() - known, turn::FRAMES, cx);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        if inner.holds { Poll::Ready(Ok(())) } else { inner.poll_send(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.stream).poll_shutdown(cx)
    }
}

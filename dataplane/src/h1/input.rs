//! What was read from a connection and not yet taken.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::turn;

/// The size of a buffer to begin with: most messages fit, with a body of 16 KiB.
const ROOM: usize = 24 * 1024;
/// The least room for a read.
const LEAST: usize = 8 * 1024;
/// The greatest size of a read. More saves no time: the kernel seldom has more at once.
const MOST: usize = 128 * 1024;
/// So many reads in a row must fill their buffers before larger ones are made: what a client does not take
/// of an answer is held in one of them, and one that takes nothing is to stop before. The kernel takes
/// less than so many for it.
const FULL: u8 = 8;
/// What is copied rather than shared, so that a buffer is free again as soon as it was read: a head is
/// needed for as long as its exchange takes.
const SMALL: usize = 2 * 1024;
/// How many buffers a thread keeps for connections that have none: as many as there are at work at
/// the same moment, mostly.
const SPARE: usize = 16;

thread_local! {
    /// Buffers that nobody uses. A connection that waits has none, and needs one a moment later. The
    /// last one that was used is the first to be taken, for it is in the processor's cache.
    static SPARES: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// A buffer whose reads grow while they are filled, for long bodies.
#[derive(Debug)]
pub(crate) struct Input {
    buffer: BytesMut,
    /// The size of the next buffer.
    size: usize,
    /// How many reads in a row have filled theirs.
    full: u8,
}

impl Default for Input {
    fn default() -> Self {
        Self { buffer: BytesMut::new(), size: ROOM, full: 0 }
    }
}

impl Input {
    /// Reads once; 0 is the end of the connection. While there is nothing to read no more memory is held
    /// than for what was read before.
    pub(crate) fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() - self.buffer.len() < LEAST {
            self.make_room();
        }
        let room = self.buffer.capacity() - self.buffer.len();
        let Poll::Ready(read) = pin!(stream.read_buf(&mut self.buffer)).poll(cx) else {
            self.shrink();
            return Poll::Pending;
        };
        let read = read?;
        turn::spend(read, turn::BODY, cx);
        self.full = if read == room { self.full.saturating_add(1) } else { 0 };
        if self.full == FULL {
            self.size = MOST;
        }
        Poll::Ready(Ok(read))
    }

    /// Takes another buffer when nothing is left in this one, and else a larger one.
    fn make_room(&mut self) {
        if !self.buffer.is_empty() {
            self.buffer.reserve(self.size);
            return;
        }
        let spare = || SPARES.with_borrow_mut(Vec::pop);
        let spare = if self.size == ROOM { spare() } else { None };
        self.buffer = spare.unwrap_or_else(|| BytesMut::with_capacity(self.size));
    }

    /// Gives back what is not needed for what was read.
    fn shrink(&mut self) {
        if self.buffer.is_empty() {
            return self.release();
        }
        let left = self.buffer.len();
        if left <= SMALL && self.buffer.capacity() > 2 * SMALL {
            let whole = std::mem::replace(&mut self.buffer, BytesMut::new());
            self.buffer.extend_from_slice(&whole);
            keep(whole);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// What is there.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes so many bytes, or all that there are.
    pub(crate) fn take(&mut self, length: usize) -> Bytes {
        let length = length.min(self.buffer.len());
        if length > SMALL {
            return self.buffer.split_to(length).freeze();
        }
        let taken = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        taken
    }

    /// Goes past so many bytes.
    pub(crate) fn skip(&mut self, length: usize) {
        self.buffer.advance(length.min(self.buffer.len()));
    }

    /// Gives the memory back, when nothing is in it: a connection that waits for its client has none.
    pub(crate) fn release(&mut self) {
        if self.buffer.is_empty() {
            keep(std::mem::take(self).buffer);
        }
    }

    #[cfg(test)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { buffer: bytes.into(), ..Self::default() }
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }
}

/// Keeps a buffer for others. One that parts are still used of is freed with the last of them, and one
/// that a long body made large at once.
fn keep(mut buffer: BytesMut) {
    if buffer.capacity() == 0 {
        return;
    }
    buffer.clear();
    if buffer.try_reclaim(ROOM) && buffer.capacity() == ROOM {
        SPARES.with_borrow_mut(|spares| {
            if spares.len() < SPARE {
                spares.push(buffer);
            }
        });
    }
}

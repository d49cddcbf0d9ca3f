//! What was read from a connection and not yet taken.

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The size of a read to begin with: most answers fit.
const LEAST: usize = 8 * 1024;
/// The greatest size of a read. More saves no time: the kernel seldom has more at once.
const MOST: usize = 128 * 1024;
/// How many buffers a thread keeps for connections that have none: as many as there are at work at
/// the same moment, mostly.
const SPARE: usize = 16;

thread_local! {
    /// Buffers that nobody uses. A connection that waits has none, and needs one a moment later.
    static SPARES: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// A buffer whose reads grow while they are filled, for long bodies.
#[derive(Debug)]
pub(crate) struct Input {
    buffer: BytesMut,
    size: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self { buffer: BytesMut::new(), size: LEAST }
    }
}

impl Input {
    /// Reads once; 0 is the end of the connection.
    pub(crate) fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() == 0
            && let Some(spare) = SPARES.with_borrow_mut(Vec::pop)
        {
            self.buffer = spare;
        }
        self.buffer.reserve(self.size);
        let room = self.buffer.capacity() - self.buffer.len();
        let read = ready!(pin!(stream.read_buf(&mut self.buffer)).poll(cx))?;
        if read == room {
            self.size = (self.size * 2).min(MOST);
        }
        Poll::Ready(Ok(read))
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
        self.buffer.split_to(length.min(self.buffer.len())).freeze()
    }

    /// Gives the memory back, when nothing is in it: a connection that waits for its client has none.
    pub(crate) fn release(&mut self) {
        if !self.buffer.is_empty() {
            return;
        }
        let Self { mut buffer, size } = std::mem::take(self);
        // One that parts are still used of is freed with the last of them.
        if size == LEAST && buffer.capacity() > 0 && buffer.try_reclaim(LEAST) {
            SPARES.with_borrow_mut(|spares| {
                if spares.len() < SPARE {
                    spares.push(buffer);
                }
            });
        }
    }

    /// Between two exchanges: what a long body made large is given back.
    pub(crate) fn rest(&mut self) {
        if self.size > LEAST {
            *self = Self::default();
        }
    }

    #[cfg(test)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { buffer: bytes.into(), size: LEAST }
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }
}

//! What both sides do with a stream of HTTP/2 (RFC 9113): take a body off it, and send one as its window
//! has room.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::{Error, RecvStream, SendStream};
use http_body::Frame;

/// A part of fewer bytes is not worth what the codec keeps beside it.
const SMALL: usize = 1024;

/// A body that comes over a stream.
pub(crate) struct StreamBody {
    stream: RecvStream,
    /// What of a length that was said has not come yet.
    left: Option<u64>,
    /// Small parts that came while nobody took them, as one; no more than the window lets come.
    gathered: BytesMut,
    /// A part behind those that is not small.
    held: Option<Bytes>,
}

impl StreamBody {
    /// With the length that its head says.
    pub(crate) fn new(stream: RecvStream, length: Option<u64>) -> Self {
        Self { stream, left: length, gathered: BytesMut::new(), held: None }
    }

    /// The next part. What is handed over makes room for more.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let data = match self.take_gathered() {
            Some(data) => Some(data),
            None => ready!(self.stream.poll_data(cx)).transpose()?,
        };
        if let Some(data) = data {
            let _ = self.stream.flow_control().release_capacity(data.len());
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let trailers = ready!(self.stream.poll_trailers(cx)).transpose();
        Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)))
    }

    /// Takes small parts out of the codec that nobody takes yet. It keeps a frame for each, and closes the
    /// connection, with all its streams, when frames cost it too much. Their window is given back when
    /// they are handed over.
    pub(crate) fn poll_gather(&mut self, cx: &mut Context<'_>) {
        while self.held.is_none() {
            // An end, and an error, are there again when the rest was handed over.
            let Poll::Ready(Some(Ok(data))) = self.stream.poll_data(cx) else { return };
            if data.len() < SMALL {
                self.gathered.extend_from_slice(&data);
            } else {
                self.held = Some(data);
            }
        }
    }

    fn take_gathered(&mut self) -> Option<Bytes> {
        if self.gathered.is_empty() {
            return self.held.take();
        }
        Some(std::mem::take(&mut self.gathered).freeze())
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.gathered.is_empty() && self.held.is_none() && self.stream.is_end_stream()
    }

    /// How much comes still, when that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        if self.is_end_stream() { Some(0) } else { self.left }
    }
}

/// Sends `data`, `last` of its body or not, as there is room for it, and takes off what was sent; says in
/// the end whether the other side took it.
pub(crate) fn poll_send(
    stream: &mut SendStream<Bytes>,
    data: &mut Bytes,
    last: bool,
    cx: &mut Context<'_>,
) -> Poll<bool> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let Some(Ok(room)) = ready!(stream.poll_capacity(cx)) else { return Poll::Ready(false) };
        let part = data.split_to(room.min(data.len()));
        // No room is no part: an empty one would cost a frame.
        if !part.is_empty() && stream.send_data(part, last && data.is_empty()).is_err() {
            return Poll::Ready(false);
        }
    }
    Poll::Ready(true)
}

/// Whether a value begins or ends with a blank, which a reader of HTTP/1 would take off (section 8.2.1).
pub(crate) fn has_outer_blanks(value: &[u8]) -> bool {
    value.trim_ascii().len() != value.len()
}

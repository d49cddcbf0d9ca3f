//! Where the body of a request comes from: the bytes of a connection, or a stream of HTTP/2.

use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use super::wire::WireBody;
use crate::streams::StreamBody;

/// The body of the request that is being served.
pub(crate) enum ClientSource {
    /// Bytes of a connection.
    Http1(WireBody),
    /// A stream beside others.
    Http2(StreamBody),
}

/// A body that broke off, or that is none.
#[derive(Debug)]
pub(crate) struct Broken;

// === impl ClientSource ===

impl ClientSource {
    /// The next part.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self {
            Self::Http1(body) => body.poll_frame(cx),
            Self::Http2(body) => {
                body.poll_frame(cx).map(|next| next.map(|next| next.map_err(|_| Broken)))
            }
        }
    }

    /// Nobody takes a part now: what comes in small ones is gathered.
    pub(crate) fn poll_gather(&mut self, cx: &mut Context<'_>) {
        match self {
            // Bytes that were not read cost nothing.
            Self::Http1(_) => {}
            Self::Http2(body) => body.poll_gather(cx),
        }
    }

    /// From here on everything that comes is of another protocol.
    pub(crate) fn open(&mut self) {
        match self {
            Self::Http1(body) => body.open(),
            // A stream carries nothing else from its beginning (RFC 8441 section 5).
            Self::Http2(_) => {}
        }
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    /// How much comes still, when that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            Self::Http1(body) => body.remaining(),
            Self::Http2(body) => body.remaining(),
        }
    }
}

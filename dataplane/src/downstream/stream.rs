//! A client's socket, with TLS or without.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::socket::ClientSocket;
use crate::socket::Socket;

/// A client's socket.
pub(crate) type ClientStream = Socket<ClientSocket, TlsStream<ClientSocket>>;

impl ClientStream {
    /// The connection ends at once when it is dropped.
    pub(super) fn give_up(&self) {
        match self {
            Self::Plain(stream) => stream.give_up(),
            Self::Tls(stream) => stream.get_ref().0.give_up(),
        }
    }

    /// Whether its end needs no word of a protocol.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// How many bytes the socket took.
    pub(super) fn written(&self) -> u64 {
        match self {
            Self::Plain(stream) => stream.written(),
            Self::Tls(stream) => stream.get_ref().0.written(),
        }
    }

    /// Pending when certainly nothing can be read, and nothing was read and not taken.
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(stream) => stream.poll_read_ready(cx),
            // What was decrypted may lie in the session, whatever the socket says.
            Self::Tls(_) => Poll::Ready(()),
        }
    }
}

/// Reads what nobody needs, until the connection ends or `left` bytes have come.
pub(super) fn poll_discard<S: AsyncRead + Unpin>(
    stream: &mut S,
    left: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let mut scratch = [0; 4096];
    while *left > 0 {
        let mut buffer = ReadBuf::new(&mut scratch);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => {
                *left = left.saturating_sub(buffer.filled().len());
            }
            Ok(()) | Err(_) => break,
        }
    }
    Poll::Ready(())
}

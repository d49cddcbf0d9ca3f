//! The HTTP/1.1 that is spoken with backends (RFC 9112): one exchange over one connection, driven
//! by the task of the request that it belongs to. There is no task for a connection, and nothing is
//! handed from one task to another.

pub(crate) mod response;
#[cfg(test)]
mod tests;
mod upload;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;
use http::header::HeaderValue;
use http_body::Frame;
use tokio::io::{AsyncRead, ReadBuf};

use super::connect::{BackendSocket, UpstreamConnection};
use super::exchange::{Interims, Outgoing, SendError};
use crate::error::{ProxyError, TlsProblem};
use crate::h1::{Decoder, Malformed, Step};
use crate::message::ResponseHead;
use crate::socket::Socket;
use response::{Head, Parsed};
use upload::Upload;

/// The body of a response, with the connection that it comes over, and with what is left of the
/// request's body: a backend may answer before it has read all.
pub(crate) struct ResponseBody {
    connection: Box<UpstreamConnection>,
    upload: Upload,
    decoder: Decoder,
    /// Whether the backend keeps the connection open behind this response.
    keep_alive: bool,
}

/// Sends a request, and waits for the head of the response.
pub(super) async fn send(
    mut connection: Box<UpstreamConnection>,
    request: &mut Outgoing,
    interims: Interims<'_>,
) -> Result<(ResponseHead, Box<ResponseBody>), SendError> {
    let mut upload = Upload::begin(request, &mut connection.output);
    let mut wait = Wait {
        method: request.head.method.clone(),
        upgrade: request.upgrade.as_ref().map(|upgrade| upgrade.protocol.clone()),
        interims,
    };
    let head = std::future::poll_fn(|cx| wait.poll_head(&mut connection, &mut upload, cx));
    match head.await {
        Ok(Head { head, decoder, keep_alive, switched }) => {
            if let Some(upgrade) = request.upgrade.take_if(|_| switched) {
                upload = Upload::tunnel(upgrade.open());
            }
            Ok((head, Box::new(ResponseBody { connection, upload, decoder, keep_alive })))
        }
        Err(error) => {
            let nothing_sent = connection.output.is_untouched();
            if nothing_sent {
                request.body = upload.into_unsent_body();
            }
            let (error, closed) = match error {
                HeadError::Closed => (ProxyError::UpstreamReset, true),
                HeadError::Reset => (ProxyError::UpstreamReset, false),
                HeadError::Tls(problem) => (ProxyError::UpstreamTls(problem), false),
                HeadError::Malformed(Malformed(problem)) => {
                    let endpoint = connection.endpoint;
                    tracing::debug!(%endpoint, problem, "malformed answer");
                    (ProxyError::UpstreamProtocolError, false)
                }
                HeadError::Upload(error) => (error, false),
            };
            Err(SendError { error, nothing_sent, closed })
        }
    }
}

/// Why there is no head.
enum HeadError {
    /// The connection ended before the first byte.
    Closed,
    /// It ended in the middle of the head.
    Reset,
    /// The backend does not take us for who we are, or broke TLS.
    Tls(TlsProblem),
    Malformed(Malformed),
    /// The request's body broke off.
    Upload(ProxyError),
}

/// The wait for a head.
struct Wait<'a> {
    method: Method,
    upgrade: Option<HeaderValue>,
    interims: Interims<'a>,
}

impl Wait<'_> {
    fn poll_head(
        &mut self,
        connection: &mut UpstreamConnection,
        upload: &mut Upload,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, HeadError>> {
        let UpstreamConnection { stream, output, .. } = connection;
        // A backend that does not read on may have answered already: it is listened to all the same.
        if let Poll::Ready(Err(error)) = upload.poll(output, stream, cx) {
            return Poll::Ready(Err(HeadError::Upload(error)));
        }
        loop {
            let UpstreamConnection { stream, input, .. } = connection;
            match response::parse(input, &self.method, self.upgrade.as_ref())
                .map_err(HeadError::Malformed)?
            {
                Parsed::Final(head) => return Poll::Ready(Ok(head)),
                Parsed::Interim(head) => {
                    self.interims.tell(head).map_err(HeadError::Malformed)?;
                    continue;
                }
                Parsed::Partial => {}
            }
            let Poll::Ready(filled) = input.poll_fill(stream, cx) else { break };
            if let Err(error) = &filled
                && let Some(problem) = connection.tls_problem(error)
            {
                return Poll::Ready(Err(HeadError::Tls(problem)));
            }
            let input = &connection.input;
            match filled {
                Ok(0) | Err(_) if input.is_empty() => return Poll::Ready(Err(HeadError::Closed)),
                Ok(0) | Err(_) => return Poll::Ready(Err(HeadError::Reset)),
                Ok(_) => {}
            }
        }
        self.interims.poll_patience(cx).map_err(HeadError::Malformed)?;
        Poll::Pending
    }
}

// === impl ResponseBody ===

impl ResponseBody {
    /// The next part.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        self.poll_upload(cx);
        if self.upload.is_cut() {
            return Poll::Ready(Some(Err(ProxyError::ClientClosed)));
        }
        let UpstreamConnection { stream, input, .. } = &mut *self.connection;
        loop {
            match self.decoder.next(input) {
                Ok(Step::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Step::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(*trailers))));
                }
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(Malformed(problem)) => {
                    let endpoint = self.connection.endpoint;
                    tracing::debug!(%endpoint, problem, "malformed body");
                    return Poll::Ready(Some(Err(ProxyError::UpstreamProtocolError)));
                }
            }
            match ready!(input.poll_fill(stream, cx)) {
                Ok(0) if self.decoder.end_of_connection() => {}
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(ProxyError::UpstreamReset))),
                Ok(_) => {}
            }
        }
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.decoder.is_done()
    }

    /// How much comes still, when that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.decoder.remaining()
    }

    /// Sends what can be sent of the rest of the request's body. How it ends changes nothing of the
    /// answer.
    pub(crate) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        let UpstreamConnection { stream, output, .. } = &mut *self.connection;
        if !self.upload.is_over() {
            let _ = self.upload.poll(output, stream, cx);
        }
    }

    /// The connection, when another request can be sent over it.
    pub(crate) fn into_reusable(self: Box<Self>) -> Option<Box<UpstreamConnection>> {
        // What came behind the response belongs to no request.
        let empty = self.connection.input.is_empty();
        if !self.keep_alive || !self.decoder.is_done() || !self.upload.is_complete() || !empty {
            return None;
        }
        let Self { mut connection, .. } = *self;
        connection.reused = true;
        connection.input.release();
        Some(connection)
    }
}

/// Whether an idle connection has nothing to say: no end, no error, and no bytes that nobody asked
/// for. Costs a system call only when there is something.
pub(super) fn is_silent(socket: &mut BackendSocket) -> bool {
    let mut noop = Context::from_waker(std::task::Waker::noop());
    match socket {
        Socket::Plain(stream) => {
            if stream.poll_read_ready(&mut noop).is_pending() {
                return true;
            }
            let read = stream.try_read(&mut [0]);
            read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        }
        // What came may be no byte of a message: tickets, or new keys.
        Socket::Tls(stream) => {
            let mut byte = [0];
            Pin::new(&mut **stream).poll_read(&mut noop, &mut ReadBuf::new(&mut byte)).is_pending()
        }
    }
}

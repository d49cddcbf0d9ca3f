//! Opening a connection to a backend, and sending a request over it: hyper's client side.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::Request;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::body::Body;
use crate::downstream::WireBody;
use crate::error::ProxyError;
use crate::message::ResponseHead;

/// An open connection to an endpoint.
#[derive(Debug)]
pub(crate) struct UpstreamConnection {
    sender: SendRequest<Body>,
    /// The upstream's number.
    pub(crate) upstream: u64,
    pub(crate) endpoint: SocketAddr,
    pub(crate) opened: Instant,
    /// Whether it has served a request before.
    pub(crate) reused: bool,
}

/// Why a request got no answer over a connection.
pub(crate) struct SendError {
    pub(crate) error: ProxyError,
    /// The request, when provably nothing of it was sent.
    pub(crate) unsent: Option<Box<Request<Body>>>,
    /// Whether the connection ended before the first byte of an answer, as it does when a backend
    /// closes an idle connection at the moment in which a request is sent.
    pub(crate) closed: bool,
}

/// Opens a connection within `limit`.
pub(crate) async fn connect(
    upstream: u64,
    endpoint: SocketAddr,
    limit: Option<Duration>,
) -> Result<UpstreamConnection, ProxyError> {
    let stream = match limit {
        Some(limit) => tokio::time::timeout(limit, TcpStream::connect(endpoint))
            .await
            .map_err(|_| ProxyError::ConnectTimeout)?,
        None => TcpStream::connect(endpoint).await,
    }
    .map_err(|error| connect_error(&error))?;
    // Without it the last part of a body may wait for an acknowledgement of the part before.
    let _ = stream.set_nodelay(true);
    let (sender, connection) = Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| ProxyError::ConnectFailed)?;
    crate::worker::spawn(async move {
        // How a connection ends is told to whoever uses it; an idle one may simply end.
        let _ = connection.await;
    });
    Ok(UpstreamConnection { sender, upstream, endpoint, opened: Instant::now(), reused: false })
}

fn connect_error(error: &io::Error) -> ProxyError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ProxyError::ConnectRefused,
        io::ErrorKind::TimedOut => ProxyError::ConnectTimeout,
        _ => ProxyError::ConnectFailed,
    }
}

impl UpstreamConnection {
    /// Whether the backend has not closed it.
    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request, and waits for the head of the response.
    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<(ResponseHead, WireBody), SendError> {
        if !self.sender.is_ready()
            && std::future::poll_fn(|cx| self.sender.poll_ready(cx)).await.is_err()
        {
            return Err(SendError {
                error: ProxyError::UpstreamReset,
                unsent: Some(Box::new(request)),
                closed: true,
            });
        }
        match self.sender.try_send_request(request).await {
            Ok(response) => {
                let (mut parts, body) = response.into_parts();
                let reason = parts.extensions.remove::<hyper::ext::ReasonPhrase>();
                let head = ResponseHead {
                    status: parts.status,
                    reason: reason.map(bytes::Bytes::from),
                    headers: parts.headers,
                };
                Ok((head, WireBody(body)))
            }
            Err(mut failed) => {
                let unsent = failed.take_message().map(Box::new);
                let error = failed.into_error();
                Err(SendError {
                    error: send_error(&error),
                    unsent,
                    closed: error.is_incomplete_message()
                        || error.is_canceled()
                        || is_reset(&error),
                })
            }
        }
    }
}

fn send_error(error: &hyper::Error) -> ProxyError {
    if error.is_parse() { ProxyError::UpstreamProtocolError } else { ProxyError::UpstreamReset }
}

/// Whether the connection was reset or closed under us.
fn is_reset(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return matches!(
                io.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::UnexpectedEof
            );
        }
        source = cause.source();
    }
    false
}

//! Opening a connection to a backend.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::UpstreamRuntime;
use super::discovery::EndpointSet;
use super::http1::{Input, Output, is_silent};
use crate::error::ProxyError;

/// An open connection to an endpoint. It belongs to one request at a time, or to the pool.
#[derive(Debug)]
pub(crate) struct UpstreamConnection {
    pub(super) stream: TcpStream,
    pub(super) input: Input,
    pub(super) output: Output,
    /// The upstream's number.
    pub(crate) upstream: u64,
    pub(crate) endpoint: SocketAddr,
    endpoints: Arc<EndpointSet>,
    pub(crate) opened: Instant,
    /// Whether it has served a request before.
    pub(crate) reused: bool,
}

/// Opens a connection within `limit`.
pub(crate) async fn connect(
    upstream: &UpstreamRuntime,
    endpoint: SocketAddr,
    limit: Option<Duration>,
) -> Result<Box<UpstreamConnection>, ProxyError> {
    let stream = match limit {
        Some(limit) => tokio::time::timeout(limit, TcpStream::connect(endpoint))
            .await
            .map_err(|_| ProxyError::ConnectTimeout)?,
        None => TcpStream::connect(endpoint).await,
    }
    .map_err(|error| connect_error(&error))?;
    // Without it the last part of a body may wait for an acknowledgement of the part before.
    let _ = stream.set_nodelay(true);
    Ok(Box::new(UpstreamConnection {
        stream,
        input: Input::default(),
        output: Output::default(),
        upstream: upstream.number,
        endpoint,
        endpoints: Arc::clone(&upstream.endpoints),
        opened: Instant::now(),
        reused: false,
    }))
}

fn connect_error(error: &io::Error) -> ProxyError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ProxyError::ConnectRefused,
        io::ErrorKind::TimedOut => ProxyError::ConnectTimeout,
        _ => ProxyError::ConnectFailed,
    }
}

impl UpstreamConnection {
    /// Whether its endpoint is still one of the upstream's.
    pub(crate) fn is_current(&self) -> bool {
        self.endpoints.holds(self.endpoint)
    }

    /// Whether the backend has not closed it while it was idle.
    pub(crate) fn is_open(&self) -> bool {
        is_silent(&self.stream)
    }
}

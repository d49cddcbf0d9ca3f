//! Opening a connection to a backend.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::UpstreamRuntime;
use super::discovery::EndpointSet;
use super::http1::is_silent;
use crate::error::ProxyError;
use crate::h1::{Input, Output};

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

/// How long an address may be silent before another connection is begun beside the first. Behind the
/// address of a Service the kernel has chosen a pod for the first one, which may be gone without a
/// word; it chooses anew for the next.
const BESIDE: Duration = Duration::from_millis(250);
/// Connections that are begun for one, at most.
const DIALS: usize = 3;

/// Opens a connection within `limit`.
pub(crate) async fn connect(
    upstream: &UpstreamRuntime,
    endpoint: SocketAddr,
    limit: Option<Duration>,
) -> Result<Box<UpstreamConnection>, ProxyError> {
    let stream = open(endpoint, limit).await?;
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

/// Opens a socket within `limit`.
pub(super) async fn open(
    endpoint: SocketAddr,
    limit: Option<Duration>,
) -> Result<TcpStream, ProxyError> {
    let stream = match limit {
        Some(limit) => tokio::time::timeout(limit, dial(endpoint))
            .await
            .map_err(|_| ProxyError::ConnectTimeout)?,
        None => dial(endpoint).await,
    }
    .map_err(|error| connect_error(&error))?;
    // Without it the last part of a body may wait for an acknowledgement of the part before.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// The first connection that is open, of those that are begun one after another while nothing is
/// heard. Nothing is sent over the others.
async fn dial(endpoint: SocketAddr) -> io::Result<TcpStream> {
    let mut dials = vec![Box::pin(TcpStream::connect(endpoint))];
    let mut begun = 1;
    let mut beside = pin!(tokio::time::sleep(BESIDE));
    std::future::poll_fn(|cx| {
        loop {
            let mut index = 0;
            while let Some(dial) = dials.get_mut(index) {
                match dial.as_mut().poll(cx) {
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        drop(dials.swap_remove(index));
                        if dials.is_empty() {
                            return Poll::Ready(Err(error));
                        }
                    }
                    Poll::Pending => index += 1,
                }
            }
            if begun == DIALS || beside.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            begun += 1;
            dials.push(Box::pin(TcpStream::connect(endpoint)));
            beside.as_mut().reset(tokio::time::Instant::now() + BESIDE);
        }
    })
    .await
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

//! Opening a connection to a backend.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use fairway_snapshot::Speaks;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::discovery::EndpointSet;
use super::http1::is_silent;
use super::http2::Http2Connection;
use super::tls::BackendTls;
use super::{UpstreamRuntime, http2};
use crate::error::{ProxyError, TlsProblem};
use crate::h1::{Input, Output};
use crate::socket::Socket;
use crate::telemetry::metrics::WorkerMetrics;

/// A socket to a backend.
pub(super) type BackendSocket = Socket<TcpStream, TlsStream<TcpStream>>;

/// An open connection to an endpoint. It belongs to one request at a time, or to the pool.
#[derive(Debug)]
pub(crate) struct UpstreamConnection {
    pub(super) stream: BackendSocket,
    pub(super) input: Input,
    pub(super) output: Output,
    /// The upstream's number.
    pub(crate) upstream: u64,
    pub(crate) endpoint: SocketAddr,
    endpoints: Arc<EndpointSet>,
    tls: Option<Arc<BackendTls>>,
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

/// What it takes to open a connection to an endpoint of an upstream.
pub(crate) struct Opening {
    pub(super) upstream: u64,
    pub(super) endpoint: SocketAddr,
    pub(super) endpoints: Arc<EndpointSet>,
    /// What is offered to be spoken.
    pub(super) offers: Speaks,
    tls: Option<Arc<BackendTls>>,
    limit: Option<Duration>,
    /// What counts it.
    metrics: Option<WorkerMetrics>,
}

/// An open connection, by what is spoken over it.
pub(crate) enum Opened {
    Http1(Box<UpstreamConnection>),
    Http2(Rc<Http2Connection>),
}

// === impl Opening ===

impl Opening {
    pub(super) fn new(
        upstream: &UpstreamRuntime,
        endpoint: SocketAddr,
        offers: Speaks,
        limit: Option<Duration>,
        metrics: Option<&WorkerMetrics>,
    ) -> Self {
        Self {
            upstream: upstream.number,
            endpoint,
            endpoints: Arc::clone(&upstream.endpoints),
            offers,
            tls: upstream.tls.clone(),
            limit,
            metrics: metrics.cloned(),
        }
    }

    /// Opens it; the limit is one for everything that comes before a request can be sent.
    pub(super) async fn run(&self) -> Result<Opened, ProxyError> {
        let opened = match self.limit {
            Some(limit) => tokio::time::timeout(limit, self.open())
                .await
                .unwrap_or(Err(ProxyError::ConnectTimeout)),
            None => self.open().await,
        };
        if let Some(metrics) = &self.metrics {
            metrics.connect(opened.as_ref().err().copied());
        }
        opened
    }

    async fn open(&self) -> Result<Opened, ProxyError> {
        let stream = dial(self.endpoint).await.map_err(|error| connect_error(&error))?;
        // Without it the last part of a body may wait for an acknowledgement of the part before.
        let _ = stream.set_nodelay(true);
        let (stream, http2) = match &self.tls {
            None => (Socket::Plain(stream), self.offers == Speaks::Http2),
            Some(tls) => {
                tls.secure(stream, self.endpoint, self.offers, self.metrics.as_ref()).await?
            }
        };
        if http2 {
            let tls = self.tls.clone();
            return http2::handshake(stream, self.endpoint, tls).await.map(Opened::Http2);
        }
        Ok(Opened::Http1(Box::new(UpstreamConnection {
            stream,
            input: Input::default(),
            output: Output::default(),
            upstream: self.upstream,
            endpoint: self.endpoint,
            endpoints: Arc::clone(&self.endpoints),
            tls: self.tls.clone(),
            opened: Instant::now(),
            reused: false,
        })))
    }
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
    pub(crate) fn is_open(&mut self) -> bool {
        is_silent(&mut self.stream)
    }

    /// Says the end of TLS over an idle connection, so that it does not look cut off (RFC 8446 section
    /// 6.1). Nobody waits for it.
    pub(crate) fn farewell(&mut self) {
        if let Socket::Tls(stream) = &mut self.stream {
            let mut noop = Context::from_waker(std::task::Waker::noop());
            let _ = Pin::new(&mut **stream).poll_shutdown(&mut noop);
        }
    }

    /// What an error of the connection says of TLS: a backend may refuse who we are only when the
    /// handshake is over for us (RFC 8446 section 4.4.2.4).
    pub(super) fn tls_problem(&self, error: &io::Error) -> Option<TlsProblem> {
        let problem = TlsProblem::of(error)?;
        self.tls.as_ref()?.tell(self.endpoint, problem, Some(error));
        Some(problem)
    }
}

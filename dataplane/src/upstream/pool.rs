//! Idle connections to backends, one pool per worker: nothing is locked, and a connection never
//! moves to another thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::connect::UpstreamConnection;
use super::http2::Http2Pool;

/// A connection that has served for this long is closed instead of being kept. A Service with one
/// cluster address chooses a pod per connection, so that new pods get work within this time.
pub(super) const MAX_AGE: Duration = Duration::from_secs(300);

/// The idle connections of a worker.
pub(crate) struct Pool {
    by_upstream: RefCell<HashMap<u64, Endpoints, foldhash::fast::RandomState>>,
    idle: Duration,
    per_endpoint: usize,
    http2: Http2Pool,
}

/// An upstream mostly has one address, and seldom more than a few.
type Endpoints = SmallVec<[(SocketAddr, Vec<Idle>); 1]>;

#[derive(Debug)]
struct Idle {
    connection: Box<UpstreamConnection>,
    since: Instant,
}

impl Pool {
    /// A pool that keeps at most `per_endpoint` connections to one address, for at most `idle`.
    pub(crate) fn new(idle: Duration, per_endpoint: usize) -> Rc<Self> {
        let (by_upstream, http2) = (RefCell::default(), Http2Pool::default());
        Rc::new(Self { by_upstream, idle, per_endpoint, http2 })
    }

    /// Those of HTTP/2.
    pub(crate) fn http2(&self) -> &Http2Pool {
        &self.http2
    }

    /// The connection that was used last and is still open, if any: the warmest one.
    pub(crate) fn take(
        &self,
        upstream: u64,
        endpoint: SocketAddr,
    ) -> Option<Box<UpstreamConnection>> {
        let mut pools = self.by_upstream.borrow_mut();
        let endpoints = pools.get_mut(&upstream)?;
        let (_, idle) = endpoints.iter_mut().find(|(address, _)| *address == endpoint)?;
        while let Some(mut candidate) = idle.pop() {
            if candidate.connection.is_open() {
                return Some(candidate.connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request, unless it is old or there are enough. One that the
    /// backend has closed meanwhile is noticed when it is taken.
    pub(crate) fn put(&self, mut connection: Box<UpstreamConnection>, now: Instant) {
        if now.saturating_duration_since(connection.opened) > MAX_AGE {
            return connection.farewell();
        }
        let mut pools = self.by_upstream.borrow_mut();
        let endpoints = pools.entry(connection.upstream).or_default();
        let known = endpoints.iter().position(|(address, _)| *address == connection.endpoint);
        let index = known.unwrap_or_else(|| {
            endpoints.push((connection.endpoint, Vec::new()));
            endpoints.len() - 1
        });
        let idle = &mut endpoints[index].1;
        if idle.len() < self.per_endpoint {
            idle.push(Idle { connection, since: now });
        } else {
            connection.farewell();
        }
    }

    /// Closes connections that were idle for too long, that the backend has closed, or that lead to
    /// an endpoint that is gone.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        self.http2.sweep(now, self.idle);
        self.by_upstream.borrow_mut().retain(|_, endpoints| {
            endpoints.retain(|(_, idle)| {
                let current = idle.first().is_some_and(|first| first.connection.is_current());
                idle.retain_mut(|idle| {
                    let rested = now.duration_since(idle.since) >= self.idle;
                    let stays = current && !rested && idle.connection.is_open();
                    if !stays {
                        idle.connection.farewell();
                    }
                    stays
                });
                !idle.is_empty()
            });
            !endpoints.is_empty()
        });
    }
}

//! The side of the backends: which upstreams there are, where their endpoints are, and the
//! connections to them.

pub(crate) mod connect;
pub mod discovery;
pub(crate) mod exchange;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod pool;
pub(crate) mod tls;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fairway_snapshot::{Snapshot, Speaks, Target, Upstream, UpstreamId};
use http::HeaderValue;

use std::net::SocketAddr;
use std::time::Duration;

use crate::error::ProxyError;
use discovery::{Discovery, EndpointSet, EndpointState};
use tls::BackendTls;

/// An upstream with its endpoints.
#[derive(Debug)]
pub(crate) struct UpstreamRuntime {
    /// Never used twice in a process: the key of the workers' pools.
    pub(crate) number: u64,
    /// Its name and port, for a request that names no host.
    pub(crate) authority: HeaderValue,
    pub(crate) endpoints: Arc<EndpointSet>,
    /// What they speak.
    pub(crate) speaks: Speaks,
    /// How they are secured; none is plain text.
    pub(crate) tls: Option<Arc<BackendTls>>,
}

impl UpstreamRuntime {
    /// Picks an endpoint, another than `previous` where there is one. A name that was not asked
    /// yet is waited for, at most `limit`.
    pub(crate) async fn pick(
        &self,
        previous: Option<SocketAddr>,
        limit: Option<Duration>,
    ) -> Result<SocketAddr, ProxyError> {
        if self.endpoints.needs_wait() {
            self.endpoints.wait(limit).await;
        }
        let endpoints = self.endpoints.current();
        match (endpoints.addresses.as_slice(), &endpoints.state) {
            ([], EndpointState::Failed { empty: false, .. } | EndpointState::Pending) => {
                Err(ProxyError::NameNotResolved)
            }
            ([], EndpointState::Refused { .. }) => Err(ProxyError::AddressNotAllowed),
            ([], _) => Err(ProxyError::NoEndpoints),
            ([only], _) => Ok(*only),
            (several, _) => {
                let index = fastrand::usize(..several.len());
                let picked = several[index];
                if previous == Some(picked) {
                    Ok(several[(index + 1) % several.len()])
                } else {
                    Ok(picked)
                }
            }
        }
    }
}

/// `host:port` of an upstream, its name without the final dot.
fn authority(upstream: &Upstream) -> HeaderValue {
    let port = upstream.port;
    let text = match &upstream.target {
        Target::Address(address) => SocketAddr::new(*address, port.get()).to_string(),
        Target::Name(name) => format!("{}:{port}", name.trim_end_matches('.')),
        Target::Told(name) => format!("{name}:{port}"),
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// All upstreams of the current snapshot. It outlives snapshots, so that an upstream that stays
/// keeps its addresses and its connections. Only the thread that applies snapshots has it.
#[derive(Debug)]
pub(crate) struct UpstreamRegistry {
    discovery: Arc<Discovery>,
    known: HashMap<UpstreamId, Arc<UpstreamRuntime>>,
    next: AtomicU64,
}

impl UpstreamRegistry {
    pub(crate) fn new(discovery: Arc<Discovery>) -> Self {
        Self { discovery, known: HashMap::new(), next: AtomicU64::new(1) }
    }

    /// Adds the upstreams of `snapshot` that are new; their names are asked for at once.
    pub(crate) fn add(&mut self, snapshot: &Snapshot) {
        for (id, upstream) in &snapshot.upstreams {
            if !self.known.contains_key(id) {
                let runtime = UpstreamRuntime {
                    number: self.next.fetch_add(1, Ordering::Relaxed),
                    authority: authority(upstream),
                    endpoints: self.discovery.endpoints(upstream),
                    speaks: upstream.speaks,
                    tls: upstream.tls.as_ref().map(|tls| {
                        Arc::new(BackendTls::new(tls, upstream.speaks, &snapshot.resources))
                    }),
                };
                self.known.insert(id.clone(), Arc::new(runtime));
            }
        }
    }

    /// Forgets the upstreams that `snapshot` does not hold.
    pub(crate) fn retain(&mut self, snapshot: &Snapshot) {
        self.known.retain(|id, _| snapshot.upstreams.contains_key(id));
        self.discovery.retain(|id| snapshot.upstreams.contains_key(id));
    }

    pub(crate) fn get(&self, id: &UpstreamId) -> Option<Arc<UpstreamRuntime>> {
        self.known.get(id).cloned()
    }
}

//! Where endpoints are: one resolver for the process asks for names and publishes addresses; a
//! worker only reads what was published last.

mod refresh;
mod told;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use fairway_snapshot::{AddressPolicy, AddressSets, Target, Upstream, UpstreamId};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::config::{Config, DnsServers};
use crate::telemetry::metrics::Metrics;

/// Lookups under way at once: a new snapshot with thousands of names must not flood the server.
const CONCURRENT: usize = 32;
/// The same for names whose last question failed.
const CONCURRENT_DOUBTFUL: usize = 8;
/// How long a server may take to answer a question, before it or another is asked again.
const QUESTION: Duration = Duration::from_secs(2);
/// How long a request waits for a name that was never asked before, when no limit of connecting
/// says less.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// How long a request waits for a name that nobody used for a while to be asked again. After that
/// the last good addresses are used.
pub(super) const STALE_WAIT: Duration = Duration::from_millis(500);

/// The process's resolver and what it found.
#[derive(Debug)]
pub struct Discovery {
    /// One for each family: what one of them says must not hide what became of the other.
    resolvers: [TokioResolver; 2],
    allowed: AddressPolicy,
    permits: Semaphore,
    /// For names whose last question failed: servers that do not answer hold up only each other.
    doubtful: Semaphore,
    metrics: Arc<Metrics>,
    runtime: tokio::runtime::Handle,
    sets: Mutex<Sets>,
}

#[derive(Debug, Default)]
struct Sets {
    known: HashMap<UpstreamId, Known>,
    /// What was told last of the upstreams that nobody is asked for.
    told: Arc<AddressSets>,
}

#[derive(Debug)]
struct Known {
    set: Arc<EndpointSet>,
    task: Option<JoinHandle<()>>,
    /// Whether its addresses are told.
    told: bool,
}

/// The endpoints of an upstream, as they are known now.
#[derive(Debug)]
pub struct EndpointSet {
    port: u16,
    current: ArcSwap<Endpoints>,
    /// Counts publications; workers that wait look at it.
    version: watch::Sender<u64>,
    /// Set by workers, taken by the refreshing task.
    used: AtomicBool,
    /// Whether the refreshing task sleeps although the time to live has passed.
    parked: AtomicBool,
    wake: Notify,
}

/// What is known of an upstream's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The addresses.
    pub addresses: Vec<SocketAddr>,
    /// How they are known.
    pub state: EndpointState,
}

/// How endpoints are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// The name was not asked yet, or nothing was told yet.
    Pending,
    /// The last answer was good, or the address is fixed.
    Ready,
    /// The last question was not answered; these are the addresses of the last good answer.
    LastGood {
        /// Since when.
        since: SystemTime,
        /// What was said instead.
        message: String,
    },
    /// The name leads only to addresses that no backend may have.
    Refused {
        /// Which ones.
        message: String,
    },
    /// There are no addresses.
    Failed {
        /// What was said.
        message: String,
        /// Whether the server says that there is nothing, rather than nothing at all.
        empty: bool,
    },
}

impl Discovery {
    /// A resolver that asks the servers of the settings. Must be made in the runtime that does the control work.
    ///
    /// # Errors
    ///
    /// The resolver's settings cannot be read.
    pub fn new(config: &Config, metrics: Arc<Metrics>) -> Result<Arc<Self>, NetError> {
        let resolvers = [
            resolver(&config.dns, LookupIpStrategy::Ipv4Only)?,
            resolver(&config.dns, LookupIpStrategy::Ipv6Only)?,
        ];
        Ok(Arc::new(Self {
            resolvers,
            allowed: config.addresses.clone(),
            permits: Semaphore::new(CONCURRENT),
            doubtful: Semaphore::new(CONCURRENT_DOUBTFUL),
            metrics,
            runtime: tokio::runtime::Handle::current(),
            sets: Mutex::default(),
        }))
    }

    /// The endpoints of an upstream. A name is asked for at once, and again while it is used.
    pub fn endpoints(self: &Arc<Self>, upstream: &Upstream) -> Arc<EndpointSet> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let Sets { known, told } = &mut *sets;
        let id = upstream.id();
        let known = known.entry(id.clone()).or_insert_with(|| self.begin(&id, upstream, told));
        Arc::clone(&known.set)
    }

    fn begin(self: &Arc<Self>, id: &UpstreamId, upstream: &Upstream, told: &AddressSets) -> Known {
        let port = upstream.port.get();
        match &upstream.target {
            Target::Address(address) => {
                let addresses = vec![SocketAddr::new(*address, port)];
                let endpoints = Endpoints { addresses, state: EndpointState::Ready };
                Known { set: Arc::new(EndpointSet::new(port, endpoints)), task: None, told: false }
            }
            Target::Told(_) => {
                let set = Arc::new(told::begin(id, port, told, &self.allowed));
                Known { set, task: None, told: true }
            }
            Target::Name(name) => {
                let pending = Endpoints { addresses: Vec::new(), state: EndpointState::Pending };
                let set = Arc::new(EndpointSet::new(port, pending));
                let task =
                    refresh::keep_fresh(Arc::clone(self), Arc::clone(name), Arc::clone(&set));
                Known { set, task: Some(self.runtime.spawn(task)), told: false }
            }
        }
    }

    /// Forgets the upstreams that `keep` does not want.
    pub fn retain(&self, mut keep: impl FnMut(&UpstreamId) -> bool) {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).known.retain(|id, known| {
            let keeps = keep(id);
            if !keeps && let Some(task) = &known.task {
                task.abort();
            }
            keeps
        });
    }

    /// What is known of an upstream, for those who show it.
    #[must_use]
    pub fn show(&self, id: &UpstreamId) -> Option<Endpoints> {
        let sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        sets.known.get(id).map(|known| known.set.current.load().as_ref().clone())
    }
}

fn resolver(servers: &DnsServers, strategy: LookupIpStrategy) -> Result<TokioResolver, NetError> {
    let mut builder = match servers {
        DnsServers::System => TokioResolver::builder_tokio()?,
        DnsServers::These(addresses) => {
            let servers = addresses.iter().map(|address| name_server(*address)).collect();
            TokioResolver::builder_with_config(
                ResolverConfig::from_name_servers(servers),
                TokioRuntimeProvider::default(),
            )
        }
    };
    let options = builder.options_mut();
    // Answers are kept per upstream; a second cache would only make them older.
    options.cache_size = 0;
    options.ip_strategy = strategy;
    options.timeout = QUESTION;
    builder.build()
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

impl EndpointSet {
    fn new(port: u16, endpoints: Endpoints) -> Self {
        Self {
            port,
            current: ArcSwap::from_pointee(endpoints),
            version: watch::Sender::new(0),
            used: AtomicBool::new(true),
            parked: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    /// What is known now.
    pub(crate) fn current(&self) -> arc_swap::Guard<Arc<Endpoints>> {
        if !self.used.load(Relaxed) {
            self.used.store(true, Relaxed);
        }
        self.current.load()
    }

    /// Whether an address is still one of the upstream's. Asking does not count as use.
    pub(crate) fn holds(&self, address: SocketAddr) -> bool {
        self.current.load().addresses.contains(&address)
    }

    /// Whether what is known may be old, or is not known yet.
    pub(crate) fn needs_wait(&self) -> bool {
        self.parked.load(Relaxed) || self.current.load().state == EndpointState::Pending
    }

    /// Waits until the name was asked again, at most `limit`.
    pub(crate) async fn wait(&self, limit: Option<Duration>) {
        let mut version = self.version.subscribe();
        let limit = if self.current.load().state == EndpointState::Pending {
            limit.unwrap_or(FIRST_WAIT)
        } else {
            STALE_WAIT
        };
        version.mark_unchanged();
        if self.parked.load(Relaxed) {
            self.wake.notify_one();
        }
        // Looked at again after subscribing, so that an answer in between is not missed.
        if !self.needs_wait() {
            return;
        }
        // Whether it came or not, the next look decides.
        let _ = tokio::time::timeout(limit, version.changed()).await;
    }

    fn publish(&self, endpoints: Endpoints) {
        if **self.current.load() != endpoints {
            self.current.store(Arc::new(endpoints));
        }
        self.parked.store(false, Relaxed);
        self.version.send_modify(|version| *version += 1);
    }

    /// What an answer says, without the addresses that no backend may have.
    fn found(&self, found: impl Iterator<Item = IpAddr>, allowed: &AddressPolicy) -> Endpoints {
        let (good, refused): (Vec<IpAddr>, Vec<IpAddr>) = found.partition(|ip| allowed.allows(*ip));
        let state = match refused.first() {
            Some(first) if good.is_empty() => {
                let message = format!("leads to {first}, which no backend may have");
                EndpointState::Refused { message }
            }
            _ => EndpointState::Ready,
        };
        Endpoints { addresses: self.addresses(good), state }
    }

    fn addresses(&self, found: Vec<IpAddr>) -> Vec<SocketAddr> {
        let found = found.into_iter();
        let mut addresses: Vec<_> = found.map(|ip| SocketAddr::new(ip, self.port)).collect();
        // The order of an answer rotates; sorted, an equal set is not published again.
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

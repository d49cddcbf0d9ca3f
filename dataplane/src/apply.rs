//! Applying a snapshot: listeners are bound, tables are built, runtime state is added, then one
//! pointer is swapped, and what is gone is removed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use fairway_snapshot::{Listener, ListenerName, Protocol, Published, RouteTable, Snapshot};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::config::{Applied, Config, ListenerFailure};
use crate::downstream::Entrance;
use crate::listener::{bind, bind_message, certificate_message};
use crate::rules::RuleRuntime;
use crate::telemetry::metrics::Metrics;
use crate::tls::Certificates;
use crate::upstream::UpstreamRegistry;
use crate::worker::Command;

/// How often listeners that could not be bound are tried again.
const BIND_AGAIN: Duration = Duration::from_secs(2);

/// What requests see.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) table: RouteTable<Arc<RuleRuntime>>,
}

impl Live {
    /// Before the first snapshot: no listener, no route.
    pub(crate) fn empty() -> Self {
        Self { table: RouteTable::default() }
    }
}

/// The listeners that are bound.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    by_name: Mutex<BTreeMap<ListenerName, Binding>>,
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    /// What the snapshot asks for.
    asked: SocketAddr,
    /// Whether it speaks TLS.
    tls: bool,
    /// Whether its connections begin with the PROXY protocol.
    announced: bool,
    /// What it became: the port is known.
    actual: SocketAddr,
}

impl Bound {
    pub(crate) fn address(&self, name: &ListenerName) -> Option<SocketAddr> {
        let bound = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        bound.get(name).map(|binding| binding.actual)
    }

    fn get(&self, name: &ListenerName) -> Option<Binding> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    fn set(&self, name: &ListenerName, binding: Option<Binding>) {
        let mut bound = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        match binding {
            Some(binding) => bound.insert(name.clone(), binding),
            None => bound.remove(name),
        };
    }

    fn names(&self) -> Vec<ListenerName> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Whether one of our own listeners has this port.
    fn holds(&self, address: SocketAddr) -> bool {
        let bound = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        bound.values().any(|binding| binding.actual.port() == address.port())
    }
}

fn has_tls(listener: &Listener) -> bool {
    listener.protocol == Protocol::Https
}

/// The one who applies snapshots.
pub(crate) struct Applier {
    pub(crate) config: Arc<Config>,
    pub(crate) certificates: Certificates,
    pub(crate) live: Arc<ArcSwap<Live>>,
    pub(crate) workers: Vec<UnboundedSender<Command>>,
    pub(crate) upstreams: UpstreamRegistry,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) bound: Arc<Bound>,
    pub(crate) applied: watch::Sender<Applied>,
    /// What is live, for those who show it.
    pub(crate) shown: Arc<arc_swap::ArcSwapOption<Published>>,
}

impl Applier {
    /// Applies every snapshot that comes, until the sender is gone; what was applied last stays.
    pub(crate) async fn run(mut self, mut snapshots: watch::Receiver<Option<Arc<Published>>>) {
        loop {
            let published = snapshots.borrow_and_update().clone();
            let mut complete = true;
            if let Some(published) = &published {
                complete = self.apply(published);
            }
            let changed = if complete {
                snapshots.changed().await
            } else {
                match tokio::time::timeout(BIND_AGAIN, snapshots.changed()).await {
                    Ok(changed) => changed,
                    Err(_) => continue,
                }
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// Applies one snapshot; says whether all of its listeners are bound.
    fn apply(&mut self, published: &Arc<Published>) -> bool {
        let began = std::time::Instant::now();
        let snapshot = &published.snapshot;
        self.certificates.apply(snapshot);
        let (sockets, failures) = self.bind(snapshot);
        self.upstreams.add(snapshot);
        let before = self.live.load_full();
        let table = RouteTable::build(snapshot, Some(&before.table), |rule| {
            let metrics = self.metrics.rule(&rule.id);
            Arc::new(RuleRuntime::new(rule, metrics, &self.upstreams))
        });
        self.live.store(Arc::new(Live { table }));
        self.shown.store(Some(Arc::clone(published)));
        // A listener accepts only once its routes are live.
        for (name, listeners) in sockets {
            let Some(settings) = snapshot.listeners.get(&name) else { continue };
            let tls = self.certificates.of(&name).filter(|_| has_tls(settings));
            let announced = settings.proxy_protocol;
            let local = self.bound.get(&name).map_or(settings.bind, |binding| binding.actual);
            let entrance = Entrance { listener: name, tls, announced, local };
            for (worker, listener) in self.workers.iter().zip(listeners) {
                let _ = worker.send(Command::Listen(entrance.clone(), listener));
            }
        }
        self.unbind(snapshot);
        self.metrics.applied(published.revision, failures.len(), began.elapsed());
        tracing::debug!(revision = published.revision, "snapshot applied");
        let complete = failures.is_empty();
        let applied = Applied { revision: published.revision, failures };
        self.applied.send_if_modified(|current| {
            let differs = *current != applied;
            *current = applied;
            differs
        });
        // Nobody waits for what is forgotten. What the table before held alone goes with it.
        drop(before);
        self.upstreams.retain(snapshot);
        self.metrics.retain();
        complete
    }

    /// Binds what is new. A listener whose address changed is bound anew before the old sockets
    /// are closed.
    fn bind(
        &self,
        snapshot: &Snapshot,
    ) -> (Vec<(ListenerName, Vec<std::net::TcpListener>)>, Vec<ListenerFailure>) {
        let mut sockets = Vec::new();
        let mut failures = Vec::new();
        for (name, listener) in &snapshot.listeners {
            let current = self.bound.get(name);
            let mut fail = |message: String| {
                tracing::error!(listener = %name, %message, "listener not bound");
                let (listener, bind) = (name.clone(), listener.bind);
                failures.push(ListenerFailure { listener, bind, message });
            };
            let tls = has_tls(listener);
            let announced = listener.proxy_protocol;
            let same = |binding: Binding| {
                binding.asked == listener.bind
                    && binding.tls == tls
                    && binding.announced == announced
            };
            if current.is_some_and(same) {
                continue;
            }
            if tls && self.certificates.of(name).is_none() {
                fail(certificate_message(name));
                continue;
            }
            let shared = self.config.takeover || self.bound.holds(listener.bind);
            match bind(listener.bind, self.config.workers, shared) {
                Ok(listeners) => {
                    let actual = listeners.first().and_then(|first| first.local_addr().ok());
                    let actual = actual.unwrap_or(listener.bind);
                    if current.is_some() {
                        self.unlisten(name);
                    }
                    let asked = listener.bind;
                    self.bound.set(name, Some(Binding { asked, tls, announced, actual }));
                    tracing::info!(listener = %name, address = %actual, "listening");
                    sockets.push((name.clone(), listeners));
                }
                Err(error) => {
                    fail(bind_message(listener.bind, &error));
                }
            }
        }
        (sockets, failures)
    }

    /// Unbinds the listeners that the snapshot does not hold.
    fn unbind(&self, snapshot: &Snapshot) {
        for name in self.bound.names() {
            if !snapshot.listeners.contains_key(&name) {
                self.bound.set(&name, None);
                self.unlisten(&name);
                tracing::info!(listener = %name, "listener closed");
            }
        }
    }

    fn unlisten(&self, name: &ListenerName) {
        for worker in &self.workers {
            let _ = worker.send(Command::Unlisten(name.clone()));
        }
    }
}

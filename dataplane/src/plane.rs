//! The data plane as a whole: what starts its threads, and what ends them in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use fairway_snapshot::{AddressSets, ListenerName, Published};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::admin::{self, AdminState, Reserved};
use crate::apply::{Applier, Bound, Live};
use crate::config::{Applied, Config};
use crate::listener::bind_message;
use crate::overload::Gate;
use crate::telemetry::access_log::{LogSwitch, LogWriter};
use crate::telemetry::metrics::Metrics;
use crate::tls::Certificates;
use crate::upstream::UpstreamRegistry;
use crate::upstream::discovery::Discovery;
use crate::worker::{Command, WorkerParts};

/// How long the last lines of the access log may take to be written.
const LOG_END: Duration = Duration::from_secs(2);

/// A running data plane.
#[derive(Debug)]
pub struct DataPlane {
    config: Arc<Config>,
    applied: watch::Receiver<Applied>,
    bound: Arc<Bound>,
    status: SocketAddr,
    admin: SocketAddr,
    admin_state: Arc<AdminState>,
    discovery: Arc<Discovery>,
    workers: Vec<Thread>,
    log: LogWriter,
    tasks: tokio::task::JoinSet<()>,
}

/// Sets what `/readyz` tells beside readiness.
#[derive(Clone, Debug)]
pub struct Note(Arc<AdminState>);

impl Note {
    /// Sets it, or takes it away.
    pub fn set(&self, note: Option<String>) {
        self.0.set_note(note);
    }
}

#[derive(Debug)]
struct Thread {
    commands: UnboundedSender<Command>,
    thread: JoinHandle<()>,
}

/// Why the data plane did not start. Listeners are no reason: they are bound with a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The status or the admin port cannot be bound.
    #[error("{port} port: {message}")]
    Bind {
        /// `status` or `admin`.
        port: &'static str,
        /// Its address.
        address: SocketAddr,
        /// What the system said, and what to do.
        message: String,
    },
    /// The resolver's settings cannot be used.
    #[error("names cannot be resolved: {0}")]
    Resolver(String),
    /// A certificate cannot be used.
    #[error("certificates: {0}")]
    Certificates(String),
    /// A thread cannot be started.
    #[error("a worker cannot be started: {0}")]
    Thread(std::io::Error),
}

impl DataPlane {
    /// Starts the workers, and applies every snapshot that comes. Must be called in the runtime
    /// that does the control work. `registry` holds the metrics of others that the status port
    /// shows too.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be had; nothing is left running then.
    pub async fn start(
        config: Config,
        snapshots: watch::Receiver<Option<Arc<Published>>>,
        registry: Registry,
    ) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let status = bind_control("status", config.status).await?;
        let admin = bind_control("admin", config.admin).await?;
        let metrics = Arc::new(Metrics::new(config.workers.get()));
        let discovery = Discovery::new(&config, Arc::clone(&metrics))
            .map_err(|error| StartError::Resolver(error.to_string()))?;
        let (certificates, folders) =
            Certificates::load(&config.certificates, Arc::clone(&metrics))
                .map_err(StartError::Certificates)?;
        let log = LogWriter::stdout(Arc::clone(&metrics), config.access_log);
        let gate = Gate::new(&config);
        let live = Arc::new(ArcSwap::from_pointee(Live::empty()));
        let workers = start_workers(&config, &live, &metrics, &log, &gate)?;
        let (applied_sender, applied) = watch::channel(Applied::default());
        let bound = Arc::new(Bound::default());
        let shown = Arc::new(ArcSwapOption::empty());
        let admin_state = Arc::new(AdminState::new(
            &config,
            applied.clone(),
            Arc::clone(&shown),
            Arc::clone(&metrics),
            Arc::clone(&discovery),
            registry,
        ));
        let applier = Applier {
            config: Arc::clone(&config),
            certificates,
            live,
            workers: workers.iter().map(|worker| worker.commands.clone()).collect(),
            upstreams: UpstreamRegistry::new(Arc::clone(&discovery)),
            metrics,
            bound: Arc::clone(&bound),
            applied: applied_sender,
            shown,
        };
        let (status, status_address) = status;
        let (admin, admin_address) = admin;
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(folders.watch());
        tasks.spawn(Arc::clone(&gate).watch(config.shed_memory_percent, config.memory_limit));
        tasks.spawn(applier.run(snapshots));
        let keeping = |listener| Reserved::new(listener, Arc::clone(&gate));
        let (status, admin) = (keeping(status), keeping(admin));
        tasks.spawn(admin::serve_status(status, Arc::clone(&admin_state)));
        tasks.spawn(admin::serve_admin(admin, Arc::clone(&admin_state)));
        Ok(Self {
            config,
            applied,
            bound,
            status: status_address,
            admin: admin_address,
            admin_state,
            discovery,
            workers,
            log,
            tasks,
        })
    }

    /// Follows the endpoints of the upstreams that are told of beside the snapshots.
    pub fn follow_addresses(&mut self, told: watch::Receiver<Arc<AddressSets>>) {
        self.tasks.spawn(Arc::clone(&self.discovery).follow(told));
    }

    /// How to set what `/readyz` tells beside readiness.
    #[must_use]
    pub fn note(&self) -> Note {
        Note(Arc::clone(&self.admin_state))
    }

    /// What switches the access log on and off.
    #[must_use]
    pub fn log_switch(&self) -> LogSwitch {
        self.log.switch()
    }

    /// What was applied last.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<Applied> {
        self.applied.clone()
    }

    /// Where the status port listens.
    #[must_use]
    pub const fn status_address(&self) -> SocketAddr {
        self.status
    }

    /// Where the admin port listens.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Where a listener listens, once it is bound.
    #[must_use]
    pub fn listener_address(&self, name: &ListenerName) -> Option<SocketAddr> {
        self.bound.address(name)
    }

    /// Ends in order: readiness off; for `drain_delay` connections are still accepted, and answers
    /// ask clients to close theirs; then idle connections are closed, and requests in flight
    /// may go on for `drain_deadline`.
    pub async fn shutdown(mut self) {
        self.admin_state.drain();
        for worker in &self.workers {
            let _ = worker.commands.send(Command::Drain);
        }
        tokio::time::sleep(self.config.drain_delay).await;
        for worker in &self.workers {
            let _ = worker.commands.send(Command::Close(self.config.drain_deadline));
        }
        let threads = std::mem::take(&mut self.workers);
        // Threads are joined where blocking does not hold up the control work.
        let joined = tokio::task::spawn_blocking(move || {
            for worker in threads {
                if worker.thread.join().is_err() {
                    tracing::error!("worker panicked");
                }
            }
        });
        let _ = joined.await;
        let log = self.log;
        let finished = tokio::task::spawn_blocking(move || log.finish());
        if tokio::time::timeout(LOG_END, finished).await.is_err() {
            tracing::warn!("nobody reads the access log, its last lines are lost");
        }
        self.tasks.shutdown().await;
    }
}

async fn bind_control(
    port: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let fail = |error: &std::io::Error| StartError::Bind {
        port,
        address,
        message: bind_message(address, error),
    };
    let listener = TcpListener::bind(address).await.map_err(|error| fail(&error))?;
    let actual = listener.local_addr().map_err(|error| fail(&error))?;
    Ok((listener, actual))
}

fn start_workers(
    config: &Arc<Config>,
    live: &Arc<ArcSwap<Live>>,
    metrics: &Arc<Metrics>,
    log: &LogWriter,
    gate: &Arc<Gate>,
) -> Result<Vec<Thread>, StartError> {
    let mut workers = Vec::with_capacity(config.workers.get());
    for index in 0..config.workers.get() {
        let parts = WorkerParts {
            index,
            config: Arc::clone(config),
            live: Arc::clone(live),
            log: log.handle(),
            metrics: metrics.worker(index),
            gate: Arc::clone(gate),
        };
        let (commands, receiver) = unbounded_channel();
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                if let Err(error) = parts.run(receiver) {
                    tracing::error!(index, %error, "worker cannot run");
                }
            })
            .map_err(StartError::Thread)?;
        workers.push(Thread { commands, thread });
    }
    Ok(workers)
}

//! A worker: one thread, one current-thread runtime, its own listeners and connection pools.
//! What it holds never leaves its thread, so that serving a request locks nothing.

mod accept;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use fairway_snapshot::ListenerName;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Interval, MissedTickBehavior};

use crate::apply::Live;
use crate::config::Config;
use crate::downstream::Entrance;
use crate::mirror;
use crate::overload::{Admitted, Gate};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::clock::{Date, TimeOfDay};
use crate::telemetry::metrics::WorkerMetrics;
use crate::timers::Timers;
use crate::upstream::pool::Pool;

/// How often log lines are handed over and idle connections looked through.
const TICK: Duration = Duration::from_millis(100);

/// The state of a worker.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) config: Arc<Config>,
    /// The table that is live. Looking costs one atomic load until it changes.
    pub(crate) live: RefCell<Cache<Arc<ArcSwap<Live>>, Arc<Live>>>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) log: AccessLog,
    /// What answers without a date are dated with.
    pub(crate) date: Date,
    /// When requests began, for the log and their ids.
    pub(crate) time: TimeOfDay,
    pub(crate) metrics: WorkerMetrics,
    pub(crate) mirrors: Rc<mirror::Load>,
    /// Whether answers ask clients to close their connections.
    pub(crate) draining: Cell<bool>,
    /// Whether connections are closed as soon as they are idle.
    pub(crate) closed: Cell<bool>,
    pub(crate) closing: Notify,
    /// Whether the time to drain has passed: what has not ended is cut off.
    pub(crate) cut: Cell<bool>,
    connections: Cell<usize>,
    /// The most requests that may be in flight.
    most_in_flight: u64,
    pub(crate) gate: Arc<Gate>,
    /// Timers of requests that wait for a head.
    pub(crate) timers: Timers,
    emptied: Notify,
    listeners: RefCell<HashMap<ListenerName, Rc<Notify>>>,
}

/// What a worker is told to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Accept connections.
    Listen(Entrance, StdListener),
    /// Stop accepting; what waits in the queue is still taken.
    Unlisten(ListenerName),
    /// Ask clients to close their connections; go on accepting.
    Drain,
    /// Stop accepting, close idle connections, end when the last request has ended, or after this
    /// time.
    Close(Duration),
}

/// What a worker is made of; sent to its thread.
pub(crate) struct WorkerParts {
    pub(crate) index: usize,
    pub(crate) config: Arc<Config>,
    pub(crate) live: Arc<ArcSwap<Live>>,
    pub(crate) log: crate::telemetry::access_log::LogHandle,
    pub(crate) metrics: WorkerMetrics,
    pub(crate) gate: Arc<Gate>,
}

/// Runs a task on the worker of the current thread. The runtime moves a task several times before it has
/// its place: it has one from the beginning, since most are large.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(Box::pin(task));
}

impl WorkerParts {
    /// Runs the worker on the current thread until it is closed.
    pub(crate) fn run(self, commands: UnboundedReceiver<Command>) -> std::io::Result<()> {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
        // Each worker has its share: counting together would cost each request.
        let most_in_flight = match self.config.max_requests {
            0 => u64::MAX,
            most => {
                let share = most.div_ceil(self.config.workers.get());
                u64::try_from(share).unwrap_or(u64::MAX)
            }
        };
        let worker = Rc::new(Worker {
            index: self.index,
            pool: Pool::new(self.config.upstream_idle, self.config.upstream_idle_connections),
            live: RefCell::new(Cache::new(self.live)),
            log: AccessLog::new(self.log, self.config.redaction.clone()),
            config: self.config,
            date: Date::default(),
            time: TimeOfDay::default(),
            metrics: self.metrics,
            mirrors: Rc::default(),
            draining: Cell::new(false),
            closed: Cell::new(false),
            closing: Notify::new(),
            cut: Cell::new(false),
            connections: Cell::new(0),
            most_in_flight,
            gate: self.gate,
            timers: Timers::default(),
            emptied: Notify::new(),
            listeners: RefCell::new(HashMap::new()),
        });
        runtime.block_on(Rc::clone(&worker).main(commands));
        // Dropping the tasks ends the requests that are left; their lines come before the flush.
        drop(runtime);
        worker.log.flush();
        Ok(())
    }
}

impl Worker {
    async fn main(self: Rc<Self>, mut commands: UnboundedReceiver<Command>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = 0u32;
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Listen(entrance, socket)) => self.listen(entrance, socket),
                    Some(Command::Unlisten(name)) => self.unlisten(&name),
                    Some(Command::Drain) => self.draining.set(true),
                    Some(Command::Close(limit)) => return self.close(limit, tick).await,
                    None => return self.close(Duration::ZERO, tick).await,
                },
                _ = tick.tick() => {
                    self.tick();
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(10) {
                        self.pool.sweep();
                    }
                }
            }
        }
    }

    /// Whether a request that has just begun is one too many.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.metrics.in_flight() > self.most_in_flight || self.gate.is_short()
    }

    /// What is done several times a second, also while it closes.
    fn tick(&self) {
        self.time.set();
        self.log.flush();
    }

    fn listen(self: &Rc<Self>, entrance: Entrance, socket: StdListener) {
        let name = &entrance.listener;
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%name, %error, "cannot use listener");
                return;
            }
        };
        let stop = Rc::new(Notify::new());
        self.listeners.borrow_mut().insert(name.clone(), Rc::clone(&stop));
        spawn(accept::accept(Rc::clone(self), Rc::new(entrance), listener, stop));
    }

    fn unlisten(&self, name: &ListenerName) {
        if let Some(stop) = self.listeners.borrow_mut().remove(name) {
            stop.notify_one();
        }
    }

    /// Stops accepting, and waits for what is in flight.
    async fn close(&self, limit: Duration, mut tick: Interval) {
        self.draining.set(true);
        for (_, stop) in self.listeners.borrow_mut().drain() {
            stop.notify_one();
        }
        // The accept tasks take what waits in their queues before they end.
        tokio::task::yield_now().await;
        self.closed.set(true);
        self.closing.notify_waiters();
        let emptied = async {
            while self.connections.get() > 0 {
                tokio::select! {
                    () = self.emptied.notified() => {}
                    // Whoever ends us may have less patience than we do.
                    _ = tick.tick() => self.tick(),
                }
            }
        };
        if tokio::time::timeout(limit, emptied).await.is_err() {
            tracing::warn!(connections = self.connections.get(), "drain deadline passed");
            self.cut.set(true);
        }
    }
}

/// A connection that is counted from when it is accepted until it is dropped.
pub(crate) struct OpenConnection(Rc<Worker>, Admitted);

impl OpenConnection {
    fn new(worker: &Rc<Worker>, admitted: Admitted) -> Self {
        worker.connections.set(worker.connections.get() + 1);
        worker.metrics.connection_opened();
        Self(Rc::clone(worker), admitted)
    }

    /// Counts it as one of this client, who was not known before; says whether it has too many.
    pub(crate) fn is_one_too_many(&mut self, client: IpAddr, trusted: bool) -> bool {
        let counted = self.1.count(client, trusted);
        counted.is_err_and(|full| {
            self.0.metrics.connection_refused(full);
            true
        })
    }
}

impl std::ops::Deref for OpenConnection {
    type Target = Rc<Worker>;

    fn deref(&self) -> &Rc<Worker> {
        &self.0
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
        self.0.metrics.connection_closed();
        if self.0.connections.get() == 0 {
            self.0.emptied.notify_one();
        }
    }
}

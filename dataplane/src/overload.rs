//! What is refused so that the rest goes on: connections beyond a number, and requests when too many
//! are in flight or memory is nearly used up. Health, metrics and the admin port know nothing of it.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::Config;

/// How often the memory of the process is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Descriptors that are for other things than clients and the backends behind them.
const OTHER_FILES: usize = 256;
/// Connections where nobody says how many files may be open.
const USUAL_CONNECTIONS: usize = 20_000;

/// Decides who gets in, for all workers.
#[derive(Debug)]
pub(crate) struct Gate {
    most: usize,
    most_per_client: usize,
    open: AtomicUsize,
    /// Connections of each client, while they are limited.
    by_client: Mutex<HashMap<IpAddr, usize>>,
    /// Whether memory is nearly used up.
    short: AtomicBool,
    /// How many descriptors the control ports lack of those that they keep for themselves.
    pub(crate) lacking: AtomicUsize,
}

/// A place that is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    gate: Arc<Gate>,
    client: Option<IpAddr>,
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// There are as many as there may be.
    Connections,
    /// This client has as many as it may.
    OfClient,
    /// Its peer may not say whose it is, and the listener asks for it.
    NotTrusted,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            most: config.max_connections.unwrap_or_else(usual_connections),
            most_per_client: config.max_connections_per_client,
            open: AtomicUsize::new(0),
            by_client: Mutex::default(),
            short: AtomicBool::new(false),
            lacking: AtomicUsize::new(0),
        })
    }

    /// Takes a connection in. A trusted peer speaks for many clients and is not limited alone.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr, trusted: bool) -> Result<Admitted, Full> {
        if self.open.fetch_add(1, Relaxed) >= self.most {
            self.open.fetch_sub(1, Relaxed);
            return Err(Full::Connections);
        }
        // From here on a place is held, and given back when it is not used.
        let mut admitted = Admitted { gate: Arc::clone(self), client: None };
        admitted.count(peer, trusted)?;
        Ok(admitted)
    }

    /// Whether the next descriptor that is free belongs to the control ports.
    pub(crate) fn gives_way(&self) -> bool {
        self.lacking.load(Relaxed) > 0
    }

    /// Whether memory is nearly used up: new requests are refused until it is not.
    pub(crate) fn is_short(&self) -> bool {
        self.short.load(Relaxed)
    }

    /// Looks at the memory of the process for ever; says so when it comes to be short, and when it is
    /// not any more.
    pub(crate) async fn watch(self: Arc<Self>, percent: u8, limit: Option<u64>) {
        let limit = limit.or_else(memory_limit);
        let Some(limit) = limit.filter(|_| percent > 0) else { return };
        loop {
            let used = resident().unwrap_or(0);
            let short = is_more_than(used, percent, limit);
            if self.short.swap(short, Relaxed) != short {
                tracing::warn!(used, limit, short, "memory");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Admitted {
    /// Counts the connection as one of this client, unless it speaks for many.
    pub(crate) fn count(&mut self, client: IpAddr, trusted: bool) -> Result<(), Full> {
        let most = self.gate.most_per_client;
        if most == 0 || trusted || self.client.is_some() {
            return Ok(());
        }
        let client = client.to_canonical();
        let mut all = self.gate.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(client).or_default();
        if *count >= most {
            return Err(Full::OfClient);
        }
        *count += 1;
        self.client = Some(client);
        Ok(())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.gate.open.fetch_sub(1, Relaxed);
        let Some(client) = self.client else { return };
        let mut all = self.gate.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                all.remove(&client);
            }
        }
    }
}

/// Whether so much is more than this part of a limit.
fn is_more_than(used: u64, percent: u8, limit: u64) -> bool {
    u128::from(used) * 100 > u128::from(limit) * u128::from(percent)
}

/// Half of the files that may be open: behind each client may stand a backend.
fn usual_connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = files.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    files.map_or(USUAL_CONNECTIONS, |files| files.saturating_sub(OTHER_FILES).div_ceil(2).max(1))
}

/// What the cgroup of the process lets it use.
fn memory_limit() -> Option<u64> {
    let text = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?;
    text.trim().parse().ok()
}

/// The memory of the process that is its own.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

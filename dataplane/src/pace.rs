//! How far a client is behind the least rate that is asked of it, while it is the one that is waited for.
//!
//! Each second of waiting puts it behind by a second, each byte brings it back by what the byte may take.
//! It may be behind for as long as it may stand still (`timeouts.idle`), and never gets ahead: what came fast
//! earns nothing for later. Without a rate each byte brings it back wholly, so that it may only not stand
//! still for longer.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::time::{Duration, Instant};

const SECOND: u128 = 1_000_000_000;

/// The pace of one side of an exchange.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    behind: Cell<Duration>,
    /// Since when the client is waited for.
    since: Cell<Option<Instant>>,
}

impl Pace {
    /// The client is waited for, from now on or already.
    pub(crate) fn wait(&self) {
        if self.since.get().is_none() {
            self.since.set(Some(Instant::now()));
        }
    }

    /// The client has moved so many bytes, or has nothing to move, and is not waited for any more. `rate` in
    /// bytes a second, 0 for none; it is asked for only where it matters, which it mostly does not.
    pub(crate) fn moved(&self, bytes: u64, rate: impl FnOnce() -> u64) {
        let since = self.since.take();
        if since.is_none() && self.behind.get().is_zero() {
            return;
        }
        let behind = self.behind.get() + since.map_or(Duration::ZERO, |since| since.elapsed());
        self.behind.set(behind.saturating_sub(time_of(bytes, rate())));
    }

    /// When it will be behind by more than it may, unless it moves before.
    pub(crate) fn deadline(&self, most: Duration) -> Option<Instant> {
        Some(self.since.get()? + most.saturating_sub(self.behind.get()))
    }

    /// Whether it moved too slowly, rather than stood still: it was well behind before it was waited for now.
    pub(crate) fn is_slow(&self, most: Duration) -> bool {
        self.behind.get() > most / 4
    }
}

/// How long so many bytes may take.
fn time_of(bytes: u64, rate: u64) -> Duration {
    if rate == 0 {
        return Duration::MAX;
    }
    let nanoseconds = u128::from(bytes).saturating_mul(SECOND) / u128::from(rate);
    u64::try_from(nanoseconds).map_or(Duration::MAX, Duration::from_nanos)
}

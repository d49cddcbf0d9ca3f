//! Which Events were written a short time ago, and how many more may be: without a clock, client or
//! waiting of its own.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use fairway_snapshot::ObjectId;
use jiff::Timestamp;
use tokio::time::Instant;

use super::super::happenings::{Happening, Kind};
use super::super::told::digest;

/// What happens again this soon after the last time is the same Event, with a count.
pub(super) const WINDOW: Duration = Duration::from_secs(10 * 60);
/// How long an Event rests between two writes of its count.
pub(super) const REST: Duration = Duration::from_secs(10);
/// Events written in a second, in the long run; a count of one is a write, too.
const PER_SECOND: f64 = 5.0;
/// Events written at once. A team that applies a folder sees each of its routes told of.
const BURST: f64 = 100.0;
/// How many of these are for warnings alone: whoever applies a thousand good routes must not hide
/// one that breaks.
const FOR_WARNINGS: f64 = 50.0;
/// Different Events about one object within [`WINDOW`]: one whose message is another each time must
/// not take what belongs to all.
pub(super) const PER_OBJECT: usize = 20;

/// What makes two happenings one Event: the object, the type, the reason and the message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    object: [u8; 16],
    words: [u8; 16],
}

impl Key {
    /// An object that was removed and made again is another one, by its uid.
    pub(super) fn new(uid: Option<&str>, object: &ObjectId, happening: &Happening) -> Self {
        let Happening { kind, reason, message } = happening;
        Self {
            object: digest(&(uid, &*object.namespace, &*object.name)),
            words: digest(&(kind.as_str(), reason, message)),
        }
    }
}

/// An Event that was written.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) object: ObjectId,
    /// Its own name.
    pub(super) name: String,
    /// How often it has happened.
    pub(super) count: u32,
    /// When it happened last.
    pub(super) last: Timestamp,
    /// The same on the clock that measures.
    seen: Instant,
    /// Whether the API server was not told of the count.
    owed: bool,
    /// The count is not written before this.
    rests_until: Instant,
}

/// What is to be done about a happening.
#[derive(Debug)]
pub(super) enum Step {
    /// It is a new Event; [`Ledger::created`] is called when it was written.
    Create,
    /// Its count is written.
    Count(Noted),
    /// Its count is written in a while, with what happens until then.
    Later,
    /// There are too many.
    Drop,
}

/// Events that were written a short time ago.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: BTreeMap<Key, Noted>,
    allowance: Allowance,
}

impl Ledger {
    pub(super) fn new(now: Instant) -> Self {
        Self { entries: BTreeMap::new(), allowance: Allowance { left: BURST, at: now } }
    }

    /// Something happened.
    pub(super) fn take(&mut self, key: &Key, kind: Kind, now: Instant) -> Step {
        self.entries.retain(|_, entry| entry.seen + WINDOW > now);
        if let Some(entry) = self.entries.get_mut(key) {
            entry.count = entry.count.saturating_add(1);
            entry.last = Timestamp::now();
            entry.seen = now;
            entry.owed = true;
            return match self.pay(key, now) {
                Some(entry) => Step::Count(entry),
                None => Step::Later,
            };
        }
        let about = self.entries.keys().filter(|known| known.object == key.object).count();
        let spared = match kind {
            Kind::Normal => FOR_WARNINGS,
            Kind::Warning => 0.0,
        };
        if about < PER_OBJECT && self.allowance.take(spared, now) {
            Step::Create
        } else {
            Step::Drop
        }
    }

    /// A new Event was written.
    pub(super) fn created(&mut self, key: Key, object: ObjectId, name: String, now: Instant) {
        // Its first repetition is told at once: that it happens again is what matters of it.
        let entry = Noted {
            object,
            name,
            count: 1,
            last: Timestamp::now(),
            seen: now,
            owed: false,
            rests_until: now,
        };
        self.entries.insert(key, entry);
    }

    /// An Event is no more.
    pub(super) fn forget(&mut self, key: &Key) {
        self.entries.remove(key);
    }

    /// When the next count is to be written.
    pub(super) fn due(&self) -> Option<Instant> {
        self.owed().map(|(_, entry)| entry.rests_until).min()
    }

    /// The next count that is to be written now.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Key, Noted)> {
        let (key, _) = self.owed().min_by_key(|(_, entry)| entry.rests_until)?;
        let key = key.clone();
        let entry = self.pay(&key, now)?;
        Some((key, entry))
    }

    fn owed(&self) -> impl Iterator<Item = (&Key, &Noted)> {
        self.entries.iter().filter(|(_, entry)| entry.owed)
    }

    /// An entry whose count is written now. One that finds nothing left of the allowance rests once
    /// more: a count is late, but never lost.
    fn pay(&mut self, key: &Key, now: Instant) -> Option<Noted> {
        let entry = self.entries.get_mut(key).filter(|entry| entry.rests_until <= now)?;
        entry.rests_until = now + REST;
        if !self.allowance.take(0.0, now) {
            return None;
        }
        entry.owed = false;
        Some(entry.clone())
    }
}

/// How many Events may be written; it fills up with time.
#[derive(Debug)]
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    /// Takes one, unless fewer than `spared` would be left.
    fn take(&mut self, spared: f64, now: Instant) -> bool {
        let more = now.saturating_duration_since(self.at).as_secs_f64() * PER_SECOND;
        self.left = (self.left + more).min(BURST);
        self.at = now;
        let enough = self.left >= spared + 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

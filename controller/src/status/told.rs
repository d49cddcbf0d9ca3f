//! What an object was told last, in as little room as thousands of objects should take: enough to
//! see whether something else must be said, since when each condition holds, and what of it is news.

use std::io;

use fairway_crds::ServiceRouteStatus;
use fairway_crds::conditions::{
    ACCEPTED, CONFLICTED, PROGRAMMED, RESOLVED_REFS, Reason, TESTS_PASSED,
};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The conditions that we write.
pub(super) const OURS: [&str; 5] = [ACCEPTED, RESOLVED_REFS, PROGRAMMED, CONFLICTED, TESTS_PASSED];

/// A status, reduced to what the next one is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Of the whole status.
    digest: [u8; 16],
    generation: Option<i64>,
    hash: Box<str>,
    /// What it says of each of our conditions.
    conditions: [Option<Said>; OURS.len()],
}

/// What is said of one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether it is true.
    pub(super) holds: bool,
    /// Whether it only waits for a data plane.
    pub(super) pending: bool,
    /// By which two reasons and messages are told apart.
    pub(super) text: u64,
    since: Timestamp,
}

impl Told {
    /// What a status says.
    #[must_use]
    pub fn of(status: &ServiceRouteStatus) -> Self {
        let conditions = OURS.map(|kind| {
            let condition = status.conditions.iter().find(|condition| condition.type_ == kind)?;
            let holds = match condition.status.as_str() {
                "True" => true,
                "False" => false,
                _ => return None,
            };
            Some(Said {
                holds,
                pending: condition.reason == Reason::Pending.as_str(),
                text: u64::from_ne_bytes(digest(&(&condition.reason, &condition.message))),
                since: condition.last_transition_time.0,
            })
        });
        Self {
            digest: digest(status),
            generation: status.observed_generation,
            hash: status.hash.as_str().into(),
            conditions,
        }
    }

    /// What it says of one of our conditions.
    pub(super) fn said(&self, kind: &str) -> Option<Said> {
        self.conditions[OURS.iter().position(|known| *known == kind)?]
    }

    /// Whether it is this one.
    pub(super) fn is(&self, status: &ServiceRouteStatus) -> bool {
        self.digest == digest(status)
    }

    /// Since when a condition has been as it is said to be; `None` when it was not.
    pub(super) fn since(&self, kind: &str, good: bool) -> Option<Timestamp> {
        self.said(kind).filter(|said| said.holds == good).map(|said| said.since)
    }

    /// Whether it says of this generation and hash that they are programmed.
    pub(super) fn is_programmed(&self, generation: Option<i64>, hash: &str) -> bool {
        self.generation == generation
            && *self.hash == *hash
            && self.since(PROGRAMMED, true).is_some()
    }
}

/// The first bytes of a SHA-256, at most 32: nobody gains by two values that have the same ones, and
/// chance does not find them.
pub(super) fn digest<const LENGTH: usize>(value: &impl Serialize) -> [u8; LENGTH] {
    let mut sha = Sha256::new();
    // Writing to a digest does not fail, and what is told is written whatever it holds.
    let _ = serde_json::to_writer(Writer(&mut sha), value);
    let whole: [u8; 32] = sha.finalize().into();
    std::array::from_fn(|at| whole[at])
}

struct Writer<'a>(&'a mut Sha256);

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

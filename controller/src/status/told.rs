//! What an object was told last, in as little room as thousands of objects should take: enough to
//! see whether something else must be said, and since when each condition holds.

use std::io;

use fairway_crds::ServiceRouteStatus;
use fairway_crds::conditions::{ACCEPTED, CONFLICTED, PROGRAMMED, RESOLVED_REFS, TESTS_PASSED};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// The conditions that we write.
const OURS: [&str; 5] = [ACCEPTED, RESOLVED_REFS, PROGRAMMED, CONFLICTED, TESTS_PASSED];

/// A status, reduced to what the next one is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Of the whole status.
    digest: [u8; 16],
    generation: Option<i64>,
    hash: Box<str>,
    /// For each of our conditions, whether it is true and since when.
    since: [Option<(bool, Timestamp)>; OURS.len()],
}

impl Told {
    /// What a status says.
    #[must_use]
    pub fn of(status: &ServiceRouteStatus) -> Self {
        let since = OURS.map(|kind| {
            let condition = status.conditions.iter().find(|condition| condition.type_ == kind)?;
            let good = match condition.status.as_str() {
                "True" => true,
                "False" => false,
                _ => return None,
            };
            Some((good, condition.last_transition_time.0))
        });
        Self {
            digest: digest(status),
            generation: status.observed_generation,
            hash: status.hash.as_str().into(),
            since,
        }
    }

    /// Whether it is this one.
    pub(super) fn is(&self, status: &ServiceRouteStatus) -> bool {
        self.digest == digest(status)
    }

    /// Since when a condition has been as it is said to be; `None` when it was not.
    pub(super) fn since(&self, kind: &str, good: bool) -> Option<Timestamp> {
        let at = OURS.iter().position(|known| *known == kind)?;
        self.since[at].filter(|(was, _)| *was == good).map(|(_, since)| since)
    }

    /// Whether it says of this generation and hash that they are programmed.
    pub(super) fn is_programmed(&self, generation: Option<i64>, hash: &str) -> bool {
        self.generation == generation
            && *self.hash == *hash
            && self.since(PROGRAMMED, true).is_some()
    }
}

/// Half of a SHA-256: nobody gains by two statuses that have the same one, and chance does not find
/// them.
fn digest(status: &ServiceRouteStatus) -> [u8; 16] {
    let mut sha = Sha256::new();
    // Writing to a digest does not fail, and a status is written whatever it holds.
    let _ = serde_json::to_writer(Writer(&mut sha), status);
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

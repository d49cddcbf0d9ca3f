//! What a candidate does with a lease that it sees: pure, so that every case is one line of a test.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use tokio::time::Instant;

use super::DURATION;

/// What is to be done with the lease.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// There is none.
    Create(Lease),
    /// It is ours, or nobody's any more.
    Update(Lease),
    /// Another one holds it.
    Wait {
        /// Who.
        leader: String,
    },
}

/// What a candidate remembers.
#[derive(Debug)]
pub(super) struct Election {
    identity: String,
    /// The version of another one's lease, and when it was first seen.
    seen: Option<(Option<String>, Instant)>,
}

impl Election {
    pub(super) fn new(identity: String) -> Self {
        Self { identity, seen: None }
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// When the lease of another one runs out, unless it is renewed.
    pub(super) fn expires(&self) -> Option<Instant> {
        self.seen.as_ref().map(|(_, at)| *at + DURATION)
    }

    /// What to do with the lease as it was read, or none. `now` is not before it was read; `time`
    /// is for people who read the lease.
    pub(super) fn step(
        &mut self,
        name: &str,
        lease: Option<Lease>,
        now: Instant,
        time: Timestamp,
    ) -> Step {
        let Some(mut lease) = lease else {
            self.seen = None;
            let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
            return Step::Create(Lease { metadata, spec: Some(self.taken(0, time)) });
        };
        let spec = lease.spec.take().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder == self.identity {
            self.seen = None;
            let renew_time = Some(MicroTime(time));
            lease.spec = Some(LeaseSpec { renew_time, ..spec });
            return Step::Update(lease);
        }
        if !holder.is_empty() && !self.ran_out(lease.metadata.resource_version.as_ref(), now) {
            return Step::Wait { leader: holder };
        }
        self.seen = None;
        lease.spec = Some(self.taken(spec.lease_transitions.unwrap_or_default() + 1, time));
        Step::Update(lease)
    }

    /// The lease without a holder, when we hold it.
    pub(super) fn released(&self, mut lease: Lease) -> Option<Lease> {
        let spec = lease.spec.as_mut()?;
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            return None;
        }
        spec.holder_identity = Some(String::new());
        Some(lease)
    }

    /// Whether another one's lease has not changed for its whole duration. Every write gives it
    /// another version.
    fn ran_out(&mut self, version: Option<&String>, now: Instant) -> bool {
        match &self.seen {
            Some((seen, at)) if seen.as_ref() == version => now >= *at + DURATION,
            _ => {
                self.seen = Some((version.cloned(), now));
                false
            }
        }
    }

    fn taken(&self, transitions: i32, time: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(MicroTime(time)),
            renew_time: Some(MicroTime(time)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

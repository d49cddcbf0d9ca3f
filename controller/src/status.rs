//! What an object is told: conditions, computed purely from what compiling and the data plane said.

pub mod events;
mod happenings;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
mod told;
pub mod writer;

use fairway_crds::ServiceRouteStatus;
use fairway_crds::conditions::{
    ACCEPTED, CONFLICTED, PROGRAMMED, RESOLVED_REFS, Reason, TESTS_PASSED,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::compile::ObjectStatus;
pub use told::Told;

/// What the data plane said of the snapshot that holds an object as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Programmed {
    /// It has not applied it yet.
    Pending,
    /// It serves it, and another replica does not yet; the message says which.
    Waiting(String),
    /// It serves it.
    Applied,
    /// It serves it, but not on every listener.
    ListenerFailed(String),
}

/// The status that an object should have, or `None` when `previous` says the same already. The
/// time of a condition is `now` only when the condition turned.
#[must_use]
pub fn status(
    object: &ObjectStatus,
    programmed: &Programmed,
    previous: Option<&Told>,
    now: Timestamp,
) -> Option<ServiceRouteStatus> {
    let condition = |kind: &str, good: bool, reason: Reason, message: &str| {
        let word = if good { "True" } else { "False" };
        let since = previous.and_then(|told| told.since(kind, good));
        Condition {
            type_: kind.to_owned(),
            status: word.to_owned(),
            reason: reason.to_string(),
            message: message.to_owned(),
            observed_generation: object.generation,
            last_transition_time: Time(since.unwrap_or(now)),
        }
    };
    let (good, reason, message) = programmed_condition(object, programmed);
    let desired = ServiceRouteStatus {
        observed_generation: object.generation,
        hosts: object.hosts.clone(),
        rules: object.rules,
        hash: object.hash.clone(),
        conditions: [
            Some(condition(
                ACCEPTED,
                object.accepted.status,
                object.accepted.reason,
                &object.accepted.message,
            )),
            Some(condition(
                RESOLVED_REFS,
                object.resolved_refs.status,
                object.resolved_refs.reason,
                &object.resolved_refs.message,
            )),
            Some(condition(PROGRAMMED, good, reason, &message)),
            object
                .conflicted
                .as_ref()
                .map(|found| condition(CONFLICTED, found.status, found.reason, &found.message)),
            object
                .tests_passed
                .as_ref()
                .map(|found| condition(TESTS_PASSED, found.status, found.reason, &found.message)),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    let same = previous.is_some_and(|told| told.is(&desired));
    (!same).then_some(desired)
}

fn programmed_condition(object: &ObjectStatus, programmed: &Programmed) -> (bool, Reason, String) {
    match programmed {
        Programmed::Pending => {
            (false, Reason::Pending, "the gateway has not applied this version yet".to_owned())
        }
        Programmed::Waiting(message) => (false, Reason::Pending, message.clone()),
        Programmed::ListenerFailed(message) => (false, Reason::AddressInUse, message.clone()),
        Programmed::Applied if serves_all(object) => {
            (true, Reason::Programmed, "the gateway serves this version".to_owned())
        }
        Programmed::Applied => (false, Reason::PartiallyInvalid, partial(object)),
    }
}

/// Whether every rule of an object serves, with all of its matches.
pub(crate) fn serves_all(object: &ObjectStatus) -> bool {
    object.rules > 0 && object.invalid_rules == 0 && object.partial_rules == 0
}

/// Whether an object was told already that it is programmed as it is now.
fn said(object: &ObjectStatus, previous: Option<&Told>) -> bool {
    previous.is_some_and(|told| told.is_programmed(object.generation, &object.hash))
}

/// Which share of the rules does not serve.
fn partial(object: &ObjectStatus) -> String {
    let all = object.rules + object.invalid_rules;
    if all == 0 {
        return "no rule serves".to_owned();
    }
    let mut parts = Vec::new();
    if object.invalid_rules > 0 {
        parts.push(format!("{} of {all} rules do not serve", object.invalid_rules));
    }
    if object.partial_rules > 0 {
        let partial = object.partial_rules;
        parts.push(format!("{partial} of {all} rules serve by some of their matches only"));
    }
    parts.join(", ")
}

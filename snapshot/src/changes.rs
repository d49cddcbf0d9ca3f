//! Requests that two snapshots treat otherwise.
//!
//! Nobody can try every request. Those that are tried are one for each route of both sides, made so
//! that the route takes it, and whatever else the caller hands in.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Snapshot;
use crate::sample::sample;
use crate::why::{Asking, OutcomeView, WhyRequest};

/// A request that gets elsewhere, or another answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestChange {
    /// The request, without a listener.
    pub request: WhyRequest,
    /// The listeners where it is so.
    pub listeners: BTreeSet<String>,
    /// What became of it; how its rule treats it on the way is the rule's and stands there.
    pub old: OutcomeView,
    /// What becomes of it.
    pub new: OutcomeView,
}

/// The requests that go to another rule or backend, or get another answer, in the order of their
/// URLs. Tried are [`samples`] of both snapshots and `further` ones. `renamed` says what a rule of
/// the old one, as `namespace/name/rule`, is called in the new one: it is the same rule.
///
/// # Errors
///
/// One of the further requests cannot be read, or is for a listener that one side has not.
pub fn changed_requests(
    old: &Snapshot,
    new: &Snapshot,
    further: &[WhyRequest],
    renamed: impl Fn(&str) -> String,
) -> Result<Vec<RequestChange>, String> {
    if old == new {
        return Ok(Vec::new());
    }
    let (old, new) = (Asking::of(Cow::Borrowed(old)), Asking::of(Cow::Borrowed(new)));
    let mut made: Vec<WhyRequest> = samples_of(&new);
    made.extend(samples_of(&old));
    made.extend_from_slice(further);
    let mut changes: BTreeMap<(String, String, Vec<String>), Vec<RequestChange>> = BTreeMap::new();
    for request in made {
        let (listener, before) = outcome(&old, &request)?;
        let (_, after) = outcome(&new, &request)?;
        let same = OutcomeView { rule: before.rule.as_deref().map(&renamed), ..before.clone() };
        if same == after {
            continue;
        }
        let request = WhyRequest { listener: None, expect: None, ..request };
        let key = (request.url.clone(), request.method.clone(), request.headers.clone());
        let known = changes.entry(key).or_default();
        if let Some(known) = known.iter_mut().find(|one| one.old == before && one.new == after) {
            known.listeners.insert(listener);
            continue;
        }
        let listeners = [listener].into();
        known.push(RequestChange { request, listeners, old: before, new: after });
    }
    Ok(changes.into_values().flatten().collect())
}

/// A request for each route of a snapshot, in the order in which routes are tried: one that the
/// route takes, as long as any request gets to it. See [`crate::sample`].
#[must_use]
pub fn samples(snapshot: &Snapshot) -> Vec<WhyRequest> {
    samples_of(&Asking::of(Cow::Borrowed(snapshot)))
}

fn samples_of(side: &Asking<'_>) -> Vec<WhyRequest> {
    let mut samples = Vec::new();
    for (name, listener) in &side.snapshot.listeners {
        let Some(table) = side.tables.listener(name) else { continue };
        for host in &listener.hosts {
            let made = host.routes.iter();
            samples.extend(
                made.filter_map(|route| sample(&side.snapshot, table, &host.pattern, route)),
            );
        }
    }
    samples
}

/// The listener that a request comes to, and what becomes of it there, beside what its rule does to
/// it on the way: that is the rule's.
fn outcome(side: &Asking<'_>, request: &WhyRequest) -> Result<(String, OutcomeView), String> {
    let (listener, outcome) = side.outcome(request)?;
    let outcome = OutcomeView { edits: Vec::new(), body_bytes: None, timeouts: None, ..outcome };
    Ok((listener.to_string(), outcome))
}

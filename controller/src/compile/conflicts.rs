//! Requests that a rule asks for and another one gets.
//!
//! Within one host only routes for the same paths can keep requests from each other unseen: of two
//! others the more specific path wins, which is what paths are for. So routes are compared with
//! those of their own shape.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_snapshot::{
    Conditions, HostPattern, MethodMatch, MethodSet, ObjectId, PathMatch, PathShape, Precedence,
    Route, Rule, RuleId, ValueMatch,
};

use super::diagnostic::{Diagnostic, Severity, listed};
use super::{ObjectStatus, Verdict};

/// With how many stronger routes of the same paths one is compared: more of them differ in their
/// conditions, and then nothing is hidden.
const COMPARED: usize = 256;

/// A route that another keeps requests from.
#[derive(Clone, Debug)]
pub(super) struct Overlap {
    loser: Arc<Rule>,
    /// Index of the match in the loser.
    match_index: u16,
    path: PathMatch,
    winner: Arc<Rule>,
    /// The first criterion in which they differ.
    criterion: &'static str,
    /// Whether nothing is left for the loser.
    whole: bool,
}

impl Overlap {
    /// The paths that both ask for.
    pub(super) const fn path(&self) -> &PathMatch {
        &self.path
    }

    /// Where the loser is written, which no other overlap of its host has.
    pub(super) fn place(&self) -> (&RuleId, u16) {
        (&self.loser.id, self.match_index)
    }
}

/// The conflicts among routes of a host, which are in the order of precedence.
pub(super) fn overlaps<'r>(
    host: &HostPattern,
    routes: impl IntoIterator<Item = &'r Route>,
) -> Vec<Overlap> {
    let mut by_shape: HashMap<PathShape<'_>, Vec<&Route>> = HashMap::new();
    let mut all = Vec::new();
    for route in routes {
        let same = by_shape.entry(route.path.shape()).or_default();
        all.extend(overlap(host, route, same));
        same.push(route);
    }
    all
}

/// What the stronger routes for the same paths leave of one.
fn overlap(host: &HostPattern, route: &Route, stronger: &[&Route]) -> Option<Overlap> {
    let key = Precedence::of(host, route);
    let mut taken = MethodSet::default();
    let mut part: Option<(&Route, &'static str)> = None;
    for other in stronger.iter().take(COMPARED) {
        if !may_meet(other, route) {
            continue;
        }
        let stronger = Precedence::of(host, other);
        let criterion = stronger.decided_by(&key).unwrap_or_default();
        if implied(other.conditions.as_deref(), route.conditions.as_deref()) {
            let all = match (&other.methods, &route.methods) {
                (MethodMatch::Only(theirs), MethodMatch::Only(ours)) => {
                    taken.union(theirs);
                    ours.sorted().into_iter().all(|method| taken.contains(method))
                }
                (MethodMatch::Only(_), MethodMatch::Any | MethodMatch::Guarded) => false,
                (MethodMatch::Any | MethodMatch::Guarded, _) => true,
            };
            if all {
                let (winner, criterion) = part.unwrap_or((other, criterion));
                return Some(made(route, winner, criterion, true));
            }
        }
        // What differs in what they ask is meant so; equal ones are told apart by chance.
        let equal = stronger.asks_as(&key) && stronger.object != key.object;
        if equal && part.is_none() {
            part = Some((other, criterion));
        }
    }
    part.map(|(winner, criterion)| made(route, winner, criterion, false))
}

fn made(loser: &Route, winner: &Route, criterion: &'static str, whole: bool) -> Overlap {
    Overlap {
        loser: Arc::clone(&loser.rule),
        match_index: loser.match_index,
        path: loser.path.clone(),
        winner: Arc::clone(&winner.rule),
        criterion,
        whole,
    }
}

/// Whether some request may be taken by both.
fn may_meet(a: &Route, b: &Route) -> bool {
    let methods = match (&a.methods, &b.methods) {
        (MethodMatch::Only(a), MethodMatch::Only(b)) => {
            a.sorted().into_iter().any(|method| b.contains(method))
        }
        _ => true,
    };
    methods && !exclude(a.conditions.as_deref(), b.conditions.as_deref())
}

/// Whether two values of one header or parameter exclude each other, as they do where it stands in a
/// request once.
fn exclude(a: Option<&Conditions>, b: Option<&Conditions>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let differ = |a: &ValueMatch, b: &ValueMatch| match (a, b) {
        (ValueMatch::Exact(a), ValueMatch::Exact(b)) => a != b,
        (ValueMatch::Exact(value), ValueMatch::Pattern(pattern))
        | (ValueMatch::Pattern(pattern), ValueMatch::Exact(value)) => {
            !pattern.matches(value.as_bytes())
        }
        (ValueMatch::Present(present), other) | (other, ValueMatch::Present(present)) => {
            *present == matches!(other, ValueMatch::Present(false))
        }
        (ValueMatch::Pattern(_), ValueMatch::Pattern(_)) => false,
    };
    if let (Some(a), Some(b)) = (&a.version, &b.version)
        && a.versions == b.versions
        && a.index != b.index
    {
        return true;
    }
    let headers = a.headers.iter().any(|one| {
        b.headers.iter().any(|other| one.name == other.name && differ(&one.value, &other.value))
    });
    headers
        || a.query.iter().any(|one| {
            b.query.iter().any(|other| one.name == other.name && differ(&one.value, &other.value))
        })
}

/// Whether every request of which `given` holds is one of which `wanted` holds.
fn implied(wanted: Option<&Conditions>, given: Option<&Conditions>) -> bool {
    let Some(wanted) = wanted else { return true };
    let none = Conditions::default();
    let given = given.unwrap_or(&none);
    let covers = |wanted: &ValueMatch, given: &ValueMatch| match (wanted, given) {
        (ValueMatch::Present(true), ValueMatch::Present(present)) => *present,
        (ValueMatch::Present(true), _) => true,
        (ValueMatch::Pattern(pattern), ValueMatch::Exact(value)) => {
            pattern.matches(value.as_bytes())
        }
        (wanted, given) => wanted == given,
    };
    if wanted.version.is_some() && wanted.version != given.version {
        return false;
    }
    let headers = wanted.headers.iter().all(|one| {
        given.headers.iter().any(|other| one.name == other.name && covers(&one.value, &other.value))
    });
    headers
        && wanted.query.iter().all(|one| {
            given
                .query
                .iter()
                .any(|other| one.name == other.name && covers(&one.value, &other.value))
        })
}

/// What each object is told of the conflicts that it is part of.
pub(super) fn told<'o>(
    overlaps: impl Iterator<Item = &'o Overlap>,
) -> BTreeMap<ObjectId, Vec<Diagnostic>> {
    let mut told: BTreeMap<ObjectId, Vec<Diagnostic>> = BTreeMap::new();
    for overlap in overlaps {
        let (loser, winner) = (&overlap.loser.id, &overlap.winner.id);
        add(&mut told, of_loser(overlap));
        if loser.object != winner.object {
            add(&mut told, of_winner(overlap));
        }
    }
    told
}

/// An object that stands under several hosts, or on several listeners, is told once.
fn add(told: &mut BTreeMap<ObjectId, Vec<Diagnostic>>, found: Diagnostic) {
    let known = told.entry(found.object.clone()).or_default();
    if !known.contains(&found) {
        known.push(found);
    }
}

fn of_loser(overlap: &Overlap) -> Diagnostic {
    let Overlap { loser, match_index, path, winner, criterion, whole } = overlap;
    let same = loser.id.object == winner.id.object;
    let other =
        if same { format!("rule {}", winner.id.name) } else { format!("rule {}", winner.id) };
    let (reason, message) = if *whole {
        let message = format!(
            "{other} takes every request for {path} that this asks for, by {criterion}: remove one of them, or make this one ask for more"
        );
        (Reason::Unreachable, message)
    } else {
        let message = format!(
            "{other} takes some of the requests for {path} that this asks for, by {criterion}: let one of them ask for more than the other"
        );
        (Reason::PartlyTaken, message)
    };
    Diagnostic {
        object: (*loser.id.object).clone(),
        rule: Some(Arc::clone(&loser.id.name)),
        field: format!("spec.rules[{}].match[{match_index}]", loser.id.index),
        reason,
        severity: Severity::Warning,
        message,
    }
}

fn of_winner(overlap: &Overlap) -> Diagnostic {
    let Overlap { loser, path, winner, criterion, whole, .. } = overlap;
    let share = if *whole { "every request" } else { "some of the requests" };
    Diagnostic {
        object: (*winner.id.object).clone(),
        rule: Some(Arc::clone(&winner.id.name)),
        field: format!("spec.rules[{}]", winner.id.index),
        reason: Reason::TakesFromAnother,
        severity: Severity::Warning,
        message: format!(
            "it takes {share} for {path} that rule {} asks for, by {criterion}",
            loser.id
        ),
    }
}

/// Adds the conflicts of an object to its status.
pub(super) fn with(status: &mut ObjectStatus, conflicts: Vec<Diagnostic>) {
    let worst = [
        Reason::Unreachable,
        Reason::PartlyTaken,
        Reason::CertificateNotShown,
        Reason::TakesFromAnother,
    ];
    let reason = worst.into_iter().find(|reason| conflicts.iter().any(|one| one.reason == *reason));
    status.conflicted =
        reason.map(|reason| Verdict { status: true, reason, message: listed(&conflicts).into() });
    status.diagnostics.extend(conflicts);
}

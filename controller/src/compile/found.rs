//! What is found once all objects are together, and the status that says it too.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_snapshot::{ObjectId, Snapshot};

use super::certificates::Taken;
use super::lower::Lowered;
use super::memo::Memo;
use super::{Diagnostic, ObjectStatus, conflicts, route_tests};

/// What an object is told of what follows from all objects together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    conflicts: Vec<Diagnostic>,
    /// The number of its tests, and those that fail.
    tests: Option<(usize, Vec<Diagnostic>)>,
}

impl Found {
    /// A status that says it too.
    pub(super) fn on(self, status: &ObjectStatus) -> ObjectStatus {
        let mut status = status.clone();
        if let Some((tests, failures)) = self.tests {
            route_tests::with(&mut status, tests, failures);
        }
        if !self.conflicts.is_empty() {
            conflicts::with(&mut status, self.conflicts);
        }
        status
    }
}

/// The objects that something is found of once all are together.
pub(super) fn found(
    objects: &BTreeMap<ObjectId, Arc<Lowered>>,
    snapshot: &Snapshot,
    taken: &[Taken],
    memo: &mut Memo,
) -> BTreeMap<ObjectId, Found> {
    let mut all: BTreeMap<ObjectId, Found> = BTreeMap::new();
    for (id, conflicts) in conflicts::told(memo.overlaps()) {
        all.entry(id).or_default().conflicts = conflicts;
    }
    for diagnostic in taken.iter().flat_map(Taken::told) {
        all.entry(diagnostic.object.clone()).or_default().conflicts.push(diagnostic);
    }
    for (id, failures) in route_tests::run(objects, snapshot, memo) {
        let tests = objects.get(&id).map_or(0, |lowered| lowered.tests.len());
        all.entry(id).or_default().tests = Some((tests, failures));
    }
    all
}

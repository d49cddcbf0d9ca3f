//! The state of one watch of one kind: which objects it has told of, so that a list that is fetched
//! again replaces the old one at once.

use std::collections::BTreeSet;

use fairway_snapshot::ObjectId;

/// The state of one watch.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// The names of its objects; a list that is fetched again removes those that it lacks.
    pub(super) names: BTreeSet<ObjectId>,
    /// The names of the list that is being fetched.
    pub(super) listing: Option<BTreeSet<ObjectId>>,
    pub(super) ready: bool,
}

impl Scope {
    /// Notes an object that the watch told of.
    pub(super) fn saw(&mut self, id: &ObjectId) {
        match &mut self.listing {
            Some(listing) => listing.insert(id.clone()),
            None => self.names.insert(id.clone()),
        };
    }

    /// The list is complete: the names that it lacks are gone.
    pub(super) fn complete(&mut self) -> Vec<ObjectId> {
        self.ready = true;
        let Some(listing) = self.listing.take() else { return Vec::new() };
        let gone = self.names.difference(&listing).cloned().collect();
        self.names = listing;
        gone
    }
}

//! The state of one watch of one kind: which objects it has told of, so that a list that is fetched
//! again replaces the old one at once.

use std::collections::BTreeSet;

use fairway_snapshot::ObjectId;

/// The state of one watch.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Whose objects it tells of; none: of every namespace.
    namespace: Option<String>,
    /// The names of the list that is being fetched.
    pub(super) listing: Option<BTreeSet<ObjectId>>,
    pub(super) ready: bool,
}

impl Scope {
    /// One for each namespace, or one for all of them.
    pub(super) fn of(namespaces: &[String]) -> Vec<Self> {
        let one =
            |namespace: &String| Self { namespace: Some(namespace.clone()), ..Self::default() };
        match namespaces {
            [] => vec![Self::default()],
            _ => namespaces.iter().map(one).collect(),
        }
    }

    /// Notes an object that the watch told of.
    pub(super) fn saw(&mut self, id: &ObjectId) {
        if let Some(listing) = &mut self.listing {
            listing.insert(id.clone());
        }
    }

    /// The list is complete: those of the `known` objects of this watch that it lacks are gone.
    pub(super) fn complete<'k>(
        &mut self,
        known: impl Iterator<Item = &'k ObjectId>,
    ) -> Vec<ObjectId> {
        self.ready = true;
        let Some(listing) = self.listing.take() else { return Vec::new() };
        let ours = known.filter(|id| self.covers(id));
        ours.filter(|id| !listing.contains(*id)).cloned().collect()
    }

    /// Whose objects it tells of; empty: of every namespace.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    fn covers(&self, id: &ObjectId) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| namespace == &*id.namespace)
    }
}

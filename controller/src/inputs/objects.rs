//! Objects by their names, as many hold them at once.

use std::collections::{BTreeMap, btree_map};
use std::ops::Deref;
use std::sync::Arc;

use fairway_snapshot::ObjectId;

/// Objects by their names. A clone costs nothing: a change copies what somebody else holds, and a
/// world that differs in its routes alone has the Services of the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects<T>(Arc<BTreeMap<ObjectId, T>>);

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Deref for Objects<T> {
    type Target = BTreeMap<ObjectId, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> Objects<T> {
    /// Whether these are the very same, told without a look at them.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: Clone> Objects<T> {
    /// Puts an object in; gives the one that had its name.
    pub fn insert(&mut self, id: ObjectId, object: T) -> Option<T> {
        Arc::make_mut(&mut self.0).insert(id, object)
    }

    /// Takes an object out.
    pub fn remove(&mut self, id: &ObjectId) -> Option<T> {
        // Nothing is copied to find that it is not there.
        if !self.0.contains_key(id) {
            return None;
        }
        Arc::make_mut(&mut self.0).remove(id)
    }
}

impl<'a, T: Clone> IntoIterator for &'a mut Objects<T> {
    type Item = (&'a ObjectId, &'a mut T);
    type IntoIter = btree_map::IterMut<'a, ObjectId, T>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::make_mut(&mut self.0).iter_mut()
    }
}

impl<'a, T> IntoIterator for &'a Objects<T> {
    type Item = (&'a ObjectId, &'a T);
    type IntoIter = btree_map::Iter<'a, ObjectId, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

//! Values that many objects have in common, each held once: names of namespaces, ports and rules,
//! Services that look alike, policies.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Values below this number are not looked through for those that nobody uses any more.
const FEW: usize = 1024;

/// Values that are shared.
#[derive(Debug)]
pub(crate) struct Shared<T: ?Sized> {
    known: BTreeSet<Arc<T>>,
    /// How many there were when the unused ones were forgotten last.
    kept: usize,
}

impl<T: ?Sized> Default for Shared<T> {
    fn default() -> Self {
        Self { known: BTreeSet::new(), kept: 0 }
    }
}

impl<T: ?Sized + Ord> Shared<T> {
    /// The same value as others have.
    pub(crate) fn share(&mut self, value: Arc<T>) -> Arc<T> {
        if let Some(known) = self.known.get(&value) {
            return Arc::clone(known);
        }
        if self.known.len() >= FEW.max(self.kept * 2) {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.kept = self.known.len();
        }
        self.known.insert(Arc::clone(&value));
        value
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

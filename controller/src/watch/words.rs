//! Words that many objects have in common, each held once: the names of namespaces and ports.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Words below this number are not looked through for those that nobody uses any more.
const FEW: usize = 1024;

/// Words that are shared.
#[derive(Debug, Default)]
pub(super) struct Words {
    known: BTreeSet<Arc<str>>,
    /// How many there were when the unused ones were forgotten last.
    kept: usize,
}

impl Words {
    /// Replaces a word by the same one that others have.
    pub(super) fn share(&mut self, word: &mut Option<Arc<str>>) {
        let Some(word) = word else { return };
        if let Some(known) = self.known.get(word) {
            *word = Arc::clone(known);
            return;
        }
        if self.known.len() >= FEW.max(self.kept * 2) {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.kept = self.known.len();
        }
        self.known.insert(Arc::clone(word));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

//! Values that the compiled forms of many objects have in common, each held once.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use fairway_snapshot::{Policy, Upstream, UpstreamId};

/// Values below this number are not looked through.
const FEW: usize = 1024;

/// Values of all objects.
#[derive(Debug, Default)]
pub(super) struct Interned {
    upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    policies: HashSet<Arc<Policy>>,
    /// Names of rules and of backends.
    words: HashSet<Arc<str>>,
    /// How many there were when the unused ones were forgotten last.
    kept: usize,
}

impl Interned {
    /// An upstream and its id.
    pub(super) fn upstream(&mut self, upstream: Upstream) -> (UpstreamId, Arc<Upstream>) {
        let id = upstream.id();
        if let Some((id, known)) = self.upstreams.get_key_value(&id) {
            return (id.clone(), Arc::clone(known));
        }
        let upstream = Arc::new(upstream);
        self.upstreams.insert(id.clone(), Arc::clone(&upstream));
        (id, upstream)
    }

    pub(super) fn policy(&mut self, policy: Policy) -> Arc<Policy> {
        known(&mut self.policies, policy)
    }

    pub(super) fn word(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.words.get(word) {
            return Arc::clone(known);
        }
        let word = Arc::from(word);
        self.words.insert(Arc::clone(&word));
        word
    }

    /// Forgets what nobody holds, once there may be much of it: looking through all at each change
    /// would cost more than it gives back.
    pub(super) fn forget(&mut self) {
        let held = self.upstreams.len() + self.policies.len() + self.words.len();
        if held < FEW.max(self.kept * 2) {
            return;
        }
        self.upstreams.retain(|_, upstream| Arc::strong_count(upstream) > 1);
        self.policies.retain(|policy| Arc::strong_count(policy) > 1);
        self.words.retain(|word| Arc::strong_count(word) > 1);
        self.kept = self.upstreams.len() + self.policies.len() + self.words.len();
    }
}

fn known<T: Hash + Eq>(all: &mut HashSet<Arc<T>>, value: T) -> Arc<T> {
    if let Some(known) = all.get(&value) {
        return Arc::clone(known);
    }
    let value = Arc::new(value);
    all.insert(Arc::clone(&value));
    value
}

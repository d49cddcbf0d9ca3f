//! What differs between two worlds of which mostly little differs.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The keys for which what is known of the old world is not of the new value, with that; with none
/// where the new map does not hold the key. Both maps are walked once: with thousands of objects
/// that costs a fraction of looking each one up. What is found is cloned, so that the map of what is
/// known can be changed by it.
pub(crate) fn differences<K: Ord + Clone, A, V: Clone>(
    old: &BTreeMap<K, A>,
    new: &BTreeMap<K, V>,
    same: impl Fn(&A, &V) -> bool,
) -> Vec<(K, Option<V>)> {
    let mut found = Vec::new();
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some((before, _)), Some((after, _))) => before.cmp(after),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return found,
        };
        let before = old.next_if(|_| order.is_le());
        let after = new.next_if(|_| order.is_ge());
        match (before, after) {
            (Some((_, before)), Some((_, after))) if same(before, after) => {}
            (_, Some((key, value))) => found.push((key.clone(), Some(value.clone()))),
            (Some((key, _)), None) => found.push((key.clone(), None)),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::differences;

    proptest! {
        #[test]
        fn they_make_the_new_of_the_old(
            old in prop::collection::btree_map(0..20u8, 0..3u8, 0..12),
            new in prop::collection::btree_map(0..20u8, 0..3u8, 0..12),
        ) {
            let found = differences(&old, &new, |a, b| a == b);
            let mut made: BTreeMap<u8, u8> = old.clone();
            for (key, value) in &found {
                prop_assert_ne!(old.get(key), value.as_ref(), "{} did not change", key);
                match value {
                    Some(value) => made.insert(*key, *value),
                    None => made.remove(key),
                };
            }
            prop_assert_eq!(made, new);
        }
    }
}

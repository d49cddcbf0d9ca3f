//! Which rule of an object is which rule of the object as it was.

use fairway_crds::RouteRule;
use serde_json::Value;

use super::fields::same;

/// A rule of an object, as text has it.
pub(super) struct Written {
    /// Its name, or the one that it is called by.
    pub(super) name: String,
    named: bool,
    /// The rule without its name.
    pub(super) value: Value,
}

/// Indexes of a rule before and now; at least one is there.
pub(super) type Pair = (Option<usize>, Option<usize>);

pub(super) fn written(rules: &[RouteRule]) -> Vec<Written> {
    let rules = rules.iter().enumerate().map(|(index, rule)| {
        let name = rule.name_at(index).into_owned();
        let bare = RouteRule { name: None, ..rule.clone() };
        let value = serde_json::to_value(bare).unwrap_or_default();
        Written { name, named: rule.name.is_some(), value }
    });
    rules.collect()
}

/// Pairs rules: by the name that is written; then by what they say, for one without a name may
/// stand elsewhere now; then, without names, by their place. Those that are there now come first.
pub(super) fn pairs(old: &[Written], new: &[Written]) -> Vec<Pair> {
    let mut found: Vec<Option<usize>> = vec![None; new.len()];
    let mut pair = |is: &dyn Fn(usize, usize) -> bool| {
        for now in 0..new.len() {
            if found[now].is_none() {
                let free = |before: &usize| !found.contains(&Some(*before));
                found[now] = (0..old.len()).filter(free).find(|before| is(*before, now));
            }
        }
    };
    pair(&|before, now| old[before].named && new[now].named && old[before].name == new[now].name);
    pair(&|before, now| same(&old[before].value, &new[now].value));
    pair(&|before, now| before == now && !old[before].named && !new[now].named);
    let gone = (0..old.len()).filter(|before| !found.contains(&Some(*before)));
    let gone: Vec<Pair> = gone.map(|before| (Some(before), None)).collect();
    let there = found.iter().enumerate().map(|(now, before)| (*before, Some(now)));
    there.chain(gone).collect()
}

/// The indexes, as they are now, of rules that others have overtaken: the fewest that have to be
/// moved. Among rules that match equally well the earlier wins.
pub(super) fn moved(pairs: &[Pair]) -> Vec<usize> {
    let both: Vec<(usize, usize)> =
        pairs.iter().filter_map(|(before, now)| Some(((*before)?, (*now)?))).collect();
    // The longest run of rules that stand in the same order: for each its length and what is
    // before it.
    let mut runs: Vec<(usize, Option<usize>)> = Vec::with_capacity(both.len());
    for (at, (before, _)) in both.iter().enumerate() {
        let earlier = (0..at).filter(|other| both[*other].0 < *before);
        let best = earlier.max_by_key(|other| (runs[*other].0, std::cmp::Reverse(*other)));
        runs.push((best.map_or(1, |best| runs[best].0 + 1), best));
    }
    let last = (0..runs.len()).max_by_key(|at| (runs[*at].0, std::cmp::Reverse(*at)));
    let kept: Vec<usize> = std::iter::successors(last, |at| runs[*at].1).collect();
    let moved = both.iter().enumerate().filter(|(at, _)| !kept.contains(at));
    moved.map(|(_, (_, now))| *now).collect()
}

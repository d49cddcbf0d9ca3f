//! Which Events follow when an object is told something else than before. Purely computed: what
//! becomes of them is the affair of [`super::events`].
//!
//! An Event is news. What was said already is none, nor that an ordinary change was applied, nor
//! that an object waits for a data plane, for mostly that is over before anybody looks.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use fairway_crds::ServiceRouteStatus;
use fairway_crds::conditions::{ACCEPTED, CONFLICTED, PROGRAMMED, RESOLVED_REFS, Reason};
use fairway_snapshot::ObjectId;

use super::Told;
use super::told::OURS;

/// Conditions that are true when something is wrong, and absent when nothing is.
const WRONG_WHEN_TRUE: [&str; 1] = [CONFLICTED];
/// What `Programmed` follows from: when it turns with them, that is no news of its own.
const CAUSES: [&str; 2] = [ACCEPTED, RESOLVED_REFS];

/// Something that happened to an object, and that its team should read of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happening {
    /// Whether somebody has to do something about it.
    pub(super) kind: Kind,
    /// The reason of the condition, or `Not` and the condition when it holds no more.
    pub(super) reason: String,
    /// The message of the condition.
    pub(super) message: String,
}

/// The types of Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Warning,
}

impl Kind {
    /// The word as it stands in an Event.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Objects that wait for a data plane. With what is told them meanwhile, nothing could be seen any
/// more, in what the API server holds, of what they were told before.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<ObjectId, Begun>);

/// How the waiting of an object began.
#[derive(Debug)]
struct Begun {
    /// What it was told before.
    settled: Option<Told>,
    /// The conditions of which it was told since that something is wrong.
    broke: BTreeSet<&'static str>,
}

impl Waiting {
    /// What happened to an object that was told `before` and is told `after` now.
    pub(super) fn follow(
        &mut self,
        id: &ObjectId,
        before: Option<&Told>,
        after: &ServiceRouteStatus,
    ) -> Vec<Happening> {
        let waits = |told: &Told| told.said(PROGRAMMED).is_some_and(|said| said.pending);
        let waited = before.is_some_and(waits);
        // A leader that did not see how the waiting began compares with what it saw first.
        let begun = self.0.remove(id).filter(|_| waited);
        let begun =
            begun.unwrap_or_else(|| Begun { settled: before.cloned(), broke: BTreeSet::new() });
        let now = Told::of(after);
        let mut change = Change { before, begun, now: &now };
        let broke = OURS.into_iter().filter(|kind| change.breaks(kind)).collect();
        let found = change.happenings(&broke, after);
        change.begun.broke.extend(broke);
        let begun = change.begun;
        if waits(&now) {
            self.0.insert(id.clone(), begun);
        }
        found
    }

    /// Forgets an object.
    pub(super) fn forget(&mut self, id: &ObjectId) {
        self.0.remove(id);
    }
}

/// What a status says of a condition, whichever way round the condition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing: nobody has looked at the object yet.
    Unknown,
    /// That a data plane has yet to apply it.
    Waits,
    Good,
    /// That something is wrong; what, is told apart by the digest.
    Wrong(u64),
}

impl State {
    fn of(told: Option<&Told>, kind: &str) -> Self {
        let wrong_when_true = WRONG_WHEN_TRUE.contains(&kind);
        match told.and_then(|told| told.said(kind)) {
            None if wrong_when_true => Self::Good,
            None => Self::Unknown,
            Some(said) if said.pending => Self::Waits,
            Some(said) if said.holds == wrong_when_true => Self::Wrong(said.text),
            Some(_) => Self::Good,
        }
    }

    fn is_wrong(self) -> bool {
        matches!(self, Self::Wrong(_))
    }
}

/// What an object was told and is told now.
struct Change<'a> {
    before: Option<&'a Told>,
    begun: Begun,
    now: &'a Told,
}

impl Change<'_> {
    fn happenings(
        &self,
        broke: &BTreeSet<&'static str>,
        after: &ServiceRouteStatus,
    ) -> Vec<Happening> {
        let all_served = self.mends(PROGRAMMED);
        let explained = CAUSES.iter().any(|kind| {
            self.is(kind).is_wrong() && (broke.contains(kind) || self.begun.broke.contains(kind))
        });
        let mut found = Vec::new();
        for kind in OURS {
            let condition = after.conditions.iter().find(|condition| condition.type_ == kind);
            let (reason, message) = condition.map_or_else(
                || (format!("Not{kind}"), format!("{kind} does not hold any more")),
                |condition| (condition.reason.clone(), condition.message.clone()),
            );
            let partial = reason == Reason::PartiallyInvalid.as_str();
            let kind = if broke.contains(kind) && !(partial && explained) {
                gravity(&reason)
            } else if self.mends(kind) && !(all_served && CAUSES.contains(&kind)) {
                // That everything is served says the rest.
                Kind::Normal
            } else {
                continue;
            };
            found.push(Happening { kind, reason, message });
        }
        found
    }

    fn is(&self, kind: &str) -> State {
        State::of(Some(self.now), kind)
    }

    /// What was said before the waiting.
    fn was_settled(&self, kind: &str) -> State {
        State::of(self.begun.settled.as_ref(), kind)
    }

    fn was(&self, kind: &str) -> State {
        match State::of(self.before, kind) {
            State::Waits => self.was_settled(kind),
            other => other,
        }
    }

    /// What is wrong is told at once.
    fn breaks(&self, kind: &str) -> bool {
        self.is(kind).is_wrong() && self.is(kind) != self.was(kind)
    }

    /// That it is good again is told when that is served, so that one change is one Event however
    /// many writes it takes. The first time that an object is served is told, too.
    fn mends(&self, kind: &str) -> bool {
        let waits = self.is(PROGRAMMED) == State::Waits;
        let first = kind == PROGRAMMED && self.was(kind) == State::Unknown;
        let was_wrong = self.was(kind).is_wrong()
            || self.was_settled(kind).is_wrong()
            || self.begun.broke.contains(kind);
        self.is(kind) == State::Good && !waits && (first || was_wrong)
    }
}

/// Whoever takes requests from another object loses none of his own.
fn gravity(reason: &str) -> Kind {
    if reason == Reason::TakesFromAnother.as_str() { Kind::Normal } else { Kind::Warning }
}

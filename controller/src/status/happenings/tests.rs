//! Which Events follow from what an object is told, one status after the other.

use fairway_crds::ServiceRouteStatus;
use fairway_snapshot::ObjectId;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::Waiting;
use crate::status::Told;

/// `Accepted`, `ResolvedRefs` and `Programmed` in order, and `Conflicted` where there is one: each
/// as `reason message`. The reasons that say that all is well are those of the conditions.
type Words = [&'static str];

const GOOD: [&str; 3] = ["Accepted a", "ResolvedRefs r", "Programmed p"];
const WAITS: [&str; 3] = ["Accepted a", "ResolvedRefs r", "Pending for b"];

fn status(words: &Words) -> ServiceRouteStatus {
    let kinds = ["Accepted", "ResolvedRefs", "Programmed", "Conflicted"];
    let condition = |(kind, words): (&str, &&str)| {
        let (reason, message) = words.split_once(' ').unwrap();
        let holds = kind == "Conflicted" || reason == kind;
        Condition {
            type_: kind.to_owned(),
            status: if holds { "True" } else { "False" }.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        }
    };
    let conditions = kinds.into_iter().zip(words).map(condition).collect();
    ServiceRouteStatus { conditions, ..ServiceRouteStatus::default() }
}

/// Tells an object one status after the other, and checks what happened with each.
fn check(what: &str, before: Option<&Words>, steps: &[(&Words, &[&str])]) {
    let mut waiting = Waiting::default();
    let mut before = before.map(|words| Told::of(&status(words)));
    for (number, (words, expected)) in steps.iter().enumerate() {
        let after = status(words);
        let found = waiting.follow(&ObjectId::new("ns", "a"), before.as_ref(), &after);
        let found: Vec<String> = found
            .iter()
            .map(|found| format!("{} {} {}", found.kind.as_str(), found.reason, found.message))
            .collect();
        assert_eq!(found, *expected, "{what}, step {number}");
        before = Some(Told::of(&after));
    }
}

#[test]
fn what_goes_well_is_told_the_first_time_only() {
    check("new", None, &[(&GOOD, &["Normal Programmed p"]), (&GOOD, &[])]);
    check("new, waits", None, &[(&WAITS, &[]), (&GOOD, &["Normal Programmed p"])]);
    check("changed", Some(&GOOD), &[(&GOOD, &[])]);
    check("changed, waits", Some(&GOOD), &[(&WAITS, &[]), (&GOOD, &[])]);
    let longer = ["Accepted a", "ResolvedRefs r", "Pending for b and c"];
    check("waits longer", Some(&GOOD), &[(&WAITS, &[]), (&longer, &[]), (&GOOD, &[])]);
    let reworded = ["Accepted x", "ResolvedRefs y", "Programmed z"];
    check("in other words", Some(&GOOD), &[(&reworded, &[])]);
}

#[test]
fn what_breaks_is_told_once_with_its_cause_and_what_is_mended_once() {
    let broken = ["InvalidRule one", "ResolvedRefs r", "PartiallyInvalid 1 of 2"];
    let wrong = "Warning InvalidRule one";
    let well = "Normal Programmed p";
    check("new", None, &[(&broken, &[wrong]), (&broken, &[]), (&GOOD, &[well])]);
    check("broken", Some(&GOOD), &[(&broken, &[wrong]), (&GOOD, &[well])]);

    let waits = ["InvalidRule one", "ResolvedRefs r", "Pending for b"];
    check("broken, waits", Some(&GOOD), &[(&waits, &[wrong]), (&broken, &[])]);
    check("broken anew", Some(&broken), &[(&waits, &[]), (&broken, &[])]);
    check("mended, waits", Some(&broken), &[(&WAITS, &[]), (&GOOD, &[well])]);
    check(
        "broken and mended while it waits",
        Some(&GOOD),
        &[(&waits, &[wrong]), (&WAITS, &[]), (&GOOD, &["Normal Accepted a"])],
    );

    let more = ["InvalidRule one and two", "ResolvedRefs r", "PartiallyInvalid 2 of 2"];
    let other = ["UnsupportedValue one", "ResolvedRefs r", "PartiallyInvalid 1 of 2"];
    check("another message", Some(&broken), &[(&more, &["Warning InvalidRule one and two"])]);
    check("another reason", Some(&broken), &[(&other, &["Warning UnsupportedValue one"])]);
}

#[test]
fn each_condition_is_told_of() {
    let refs = ["Accepted a", "BackendNotFound x", "Programmed p"];
    check(
        "a share fails",
        Some(&GOOD),
        &[(&refs, &["Warning BackendNotFound x"]), (&GOOD, &["Normal ResolvedRefs r"])],
    );
    check(
        "a share fails no more, waits",
        Some(&refs),
        &[(&WAITS, &[]), (&GOOD, &["Normal ResolvedRefs r"])],
    );
    let none = ["Accepted a", "BackendNotFound x", "PartiallyInvalid 1 of 1"];
    check("now all of it", Some(&refs), &[(&none, &["Warning PartiallyInvalid 1 of 1"])]);
    let both = ["InvalidRule one", "BackendNotFound x", "PartiallyInvalid 1 of 1"];
    check(
        "two causes",
        Some(&GOOD),
        &[
            (&both, &["Warning InvalidRule one", "Warning BackendNotFound x"]),
            (&none, &["Normal Accepted a"]),
            (&GOOD, &["Normal Programmed p"]),
        ],
    );
    let taken = ["Accepted a", "ResolvedRefs r", "AddressInUse http"];
    check(
        "no listener",
        Some(&GOOD),
        &[(&taken, &["Warning AddressInUse http"]), (&GOOD, &["Normal Programmed p"])],
    );
}

#[test]
fn conflicts_are_told_to_who_loses_as_a_warning_and_so_is_their_end() {
    let [accepted, refs, programmed] = GOOD;
    let conflict = |words| [accepted, refs, programmed, words];
    check(
        "a conflict",
        Some(&GOOD),
        &[
            (&conflict("Unreachable x"), &["Warning Unreachable x"]),
            (&conflict("Unreachable x"), &[]),
            (&conflict("PartlyTaken y"), &["Warning PartlyTaken y"]),
            (&conflict("TakesFromAnother z"), &["Normal TakesFromAnother z"]),
            (&GOOD, &["Normal NotConflicted Conflicted does not hold any more"]),
        ],
    );
    let first = ["Normal Programmed p", "Warning Unreachable x"];
    check("from the beginning", None, &[(&conflict("Unreachable x"), &first)]);
}

#[test]
fn a_leader_that_did_not_see_the_waiting_begin_tells_only_what_is_wrong() {
    check("good again", Some(&WAITS), &[(&GOOD, &[])]);
    let taken = ["Accepted a", "ResolvedRefs r", "AddressInUse http"];
    check("wrong", Some(&WAITS), &[(&taken, &["Warning AddressInUse http"])]);
}

#[test]
fn what_is_forgotten_is_not_compared_with() {
    let id = ObjectId::new("ns", "a");
    let mut waiting = Waiting::default();
    let mut after_waiting = |forget: bool| {
        assert_eq!(waiting.follow(&id, None, &status(&WAITS)), []);
        if forget {
            waiting.forget(&id);
        }
        waiting.follow(&id, Some(&Told::of(&status(&WAITS))), &status(&GOOD)).len()
    };
    assert_eq!((after_waiting(false), after_waiting(true)), (1, 0));
}

#[test]
fn what_another_leader_told_meanwhile_counts_and_not_what_is_remembered() {
    let id = ObjectId::new("ns", "a");
    let mut waiting = Waiting::default();
    let broken = ["InvalidRule one", "ResolvedRefs r", "PartiallyInvalid 1 of 2"];
    assert_eq!(waiting.follow(&id, Some(&Told::of(&status(&broken))), &status(&WAITS)), []);
    assert_eq!(waiting.follow(&id, Some(&Told::of(&status(&GOOD))), &status(&GOOD)), []);
}

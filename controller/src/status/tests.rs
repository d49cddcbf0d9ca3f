//! What objects are told, and when that is worth a write.

use fairway_crds::ServiceRouteStatus;
use fairway_crds::conditions::Reason;
use jiff::Timestamp;

use super::{Programmed, Told, said, status};
use crate::compile::{ObjectStatus, Verdict};

fn object(invalid_rules: u32) -> ObjectStatus {
    let verdict = |reason| Verdict { status: true, reason, message: "good".into() };
    ObjectStatus {
        generation: Some(3),
        hosts: vec!["*".to_owned()],
        rules: 2,
        invalid_rules,
        partial_rules: 0,
        hash: "abc".to_owned(),
        accepted: verdict(Reason::Accepted),
        resolved_refs: verdict(Reason::ResolvedRefs),
        conflicted: None,
        certificate: None,
        tests_passed: None,
        diagnostics: Vec::new(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn programmed(status: &ServiceRouteStatus) -> (String, String) {
    let found = status.conditions.iter().find(|condition| condition.type_ == "Programmed").unwrap();
    (found.status.clone(), found.reason.clone())
}

#[test]
fn programmed_is_true_only_when_everything_serves() {
    for (invalid, said, word, reason) in [
        (0, Programmed::Applied, "True", "Programmed"),
        (0, Programmed::Pending, "False", "Pending"),
        (1, Programmed::Applied, "False", "PartiallyInvalid"),
        (0, Programmed::ListenerFailed("taken".to_owned()), "False", "AddressInUse"),
        (0, Programmed::Waiting("for b".to_owned()), "False", "Pending"),
    ] {
        let status = status(&object(invalid), &said, None, at(1)).unwrap();
        assert_eq!(programmed(&status), (word.to_owned(), reason.to_owned()));
        assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(3)));
    }
}

#[test]
fn the_message_says_which_share_does_not_serve() {
    for (rules, invalid_rules, partial_rules, message) in [
        (1, 1, 0, "1 of 2 rules do not serve"),
        (2, 0, 1, "1 of 2 rules serve by some of their matches only"),
        (1, 2, 1, "2 of 3 rules do not serve, 1 of 3 rules serve by some of their matches only"),
        (0, 0, 0, "no rule serves"),
    ] {
        let object = ObjectStatus { rules, invalid_rules, partial_rules, ..object(0) };
        let status = status(&object, &Programmed::Applied, None, at(1)).unwrap();
        let told = status.conditions.iter().find(|told| told.type_ == "Programmed").unwrap();
        assert_eq!((&*told.reason, &*told.message), ("PartiallyInvalid", message));
    }
}

#[test]
fn nothing_new_is_not_written() {
    let first = status(&object(0), &Programmed::Applied, None, at(1)).unwrap();
    assert_eq!(status(&object(0), &Programmed::Applied, Some(&Told::of(&first)), at(9)), None);
}

#[test]
fn the_time_of_a_condition_is_when_it_turned() {
    let first = status(&object(0), &Programmed::Pending, None, at(1)).unwrap();
    let second = status(&object(0), &Programmed::Applied, Some(&Told::of(&first)), at(9)).unwrap();
    let time = |status: &ServiceRouteStatus, kind: &str| {
        let found = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
        found.last_transition_time.0.as_second()
    };
    assert_eq!((time(&second, "Accepted"), time(&second, "Programmed")), (1, 9));
    let mut third = object(1);
    third.generation = Some(4);
    let third = status(&third, &Programmed::Applied, Some(&Told::of(&second)), at(20)).unwrap();
    assert_eq!((time(&third, "Accepted"), time(&third, "Programmed")), (1, 20));
}

#[test]
fn what_was_said_once_is_said_for_this_generation_and_hash() {
    let first = status(&object(0), &Programmed::Applied, None, at(1)).unwrap();
    assert!(said(&object(0), Some(&Told::of(&first))));
    assert!(!said(&object(0), None));
    assert!(!said(&ObjectStatus { generation: Some(4), ..object(0) }, Some(&Told::of(&first))));
    assert!(!said(&ObjectStatus { hash: "def".to_owned(), ..object(0) }, Some(&Told::of(&first))));
    let pending = status(&object(0), &Programmed::Pending, None, at(1)).unwrap();
    assert!(!said(&object(0), Some(&Told::of(&pending))));
}

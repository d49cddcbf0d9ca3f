//! One Event for what happens again, and limits for what does not.

use std::time::Duration;

use fairway_snapshot::ObjectId;
use tokio::time::Instant;

use super::{BURST, FOR_WARNINGS, Key, Ledger, PER_OBJECT, PER_SECOND, REST, Step, WINDOW};
use crate::status::happenings::{Happening, Kind};

fn key(object: &str, message: &str) -> Key {
    let happening = Happening {
        kind: Kind::Warning,
        reason: "InvalidRule".to_owned(),
        message: message.to_owned(),
    };
    Key::new(Some("uid"), &ObjectId::new("ns", object), &happening)
}

/// What becomes of a happening; a new Event is taken as written.
fn happens(ledger: &mut Ledger, object: &str, message: &str, now: Instant) -> String {
    happens_as(ledger, Kind::Warning, object, message, now)
}

fn happens_as(
    ledger: &mut Ledger,
    kind: Kind,
    object: &str,
    message: &str,
    now: Instant,
) -> String {
    let key = key(object, message);
    match ledger.take(&key, kind, now) {
        Step::Create => {
            ledger.created(key, ObjectId::new("ns", object), format!("{object}.1"), now);
            "create".to_owned()
        }
        Step::Count(entry) => format!("count {} {}", entry.name, entry.count),
        Step::Later => "later".to_owned(),
        Step::Drop => "drop".to_owned(),
    }
}

#[test]
fn what_happens_again_within_the_window_is_counted_and_after_it_new() {
    let began = Instant::now();
    let mut ledger = Ledger::new(began);
    let short = Duration::from_secs(1);
    assert_eq!(happens(&mut ledger, "a", "x", began), "create");
    assert_eq!(happens(&mut ledger, "a", "y", began), "create");
    assert_eq!(happens(&mut ledger, "b", "x", began), "create");
    // It counts from the last time.
    let again = began + WINDOW - short;
    assert_eq!(happens(&mut ledger, "a", "x", again), "count a.1 2");
    let last = again + WINDOW - short;
    assert_eq!(happens(&mut ledger, "a", "x", last), "count a.1 3");
    assert_eq!(happens(&mut ledger, "a", "y", last), "create");
    assert_eq!(happens(&mut ledger, "a", "x", last + WINDOW), "create");
}

#[test]
fn objects_types_and_reasons_tell_events_apart() {
    let id = ObjectId::new("ns", "a");
    let happening =
        |kind, reason: &str| Happening { kind, reason: reason.to_owned(), message: "x".to_owned() };
    let first = Key::new(Some("1"), &id, &happening(Kind::Normal, "A"));
    for (other, same) in [
        (Key::new(Some("1"), &id, &happening(Kind::Normal, "A")), true),
        (Key::new(Some("2"), &id, &happening(Kind::Normal, "A")), false),
        (Key::new(Some("1"), &ObjectId::new("ns", "b"), &happening(Kind::Normal, "A")), false),
        (Key::new(Some("1"), &id, &happening(Kind::Warning, "A")), false),
        (Key::new(Some("1"), &id, &happening(Kind::Normal, "B")), false),
    ] {
        assert_eq!(first == other, same, "{other:?}");
    }
}

#[test]
fn a_count_is_written_at_once_and_then_after_a_rest_with_all_that_came() {
    let began = Instant::now();
    let mut ledger = Ledger::new(began);
    assert_eq!(happens(&mut ledger, "a", "x", began), "create");
    assert_eq!(ledger.due(), None);
    assert_eq!(happens(&mut ledger, "a", "x", began), "count a.1 2");
    assert_eq!(ledger.due(), None);
    for _ in 0..5 {
        assert_eq!(happens(&mut ledger, "a", "x", began), "later");
    }
    assert_eq!(ledger.due(), Some(began + REST));
    assert!(ledger.next(began + REST / 2).is_none(), "it does not rest");
    let (_, entry) = ledger.next(began + REST).unwrap();
    assert_eq!(entry.count, 7);
    assert_eq!((ledger.due(), ledger.next(began + REST * 5).is_none()), (None, true));
}

#[test]
fn an_event_that_is_no_more_is_a_new_one_the_next_time() {
    let now = Instant::now();
    let mut ledger = Ledger::new(now);
    assert_eq!(happens(&mut ledger, "a", "x", now), "create");
    ledger.forget(&key("a", "x"));
    assert_eq!(happens(&mut ledger, "a", "x", now), "create");
}

#[test]
fn one_that_was_not_written_is_tried_the_next_time() {
    let now = Instant::now();
    let mut ledger = Ledger::new(now);
    for _ in 0..2 {
        assert!(matches!(ledger.take(&key("a", "x"), Kind::Warning, now), Step::Create));
    }
}

#[test]
fn too_many_are_dropped_the_good_news_first() {
    let began = Instant::now();
    let mut ledger = Ledger::new(began);
    let mut created = |kind, from: usize, now| {
        let all = (from..from + 1_000).filter(|number| {
            happens_as(&mut ledger, kind, &format!("o{number}"), "x", now) == "create"
        });
        all.count() as f64
    };
    assert_eq!(created(Kind::Normal, 0, began), BURST - FOR_WARNINGS);
    assert_eq!(created(Kind::Warning, 2_000, began), FOR_WARNINGS);
    assert_eq!(created(Kind::Warning, 4_000, began + Duration::from_secs(4)), 4.0 * PER_SECOND);
    // It does not pile up.
    assert_eq!(created(Kind::Warning, 6_000, began + Duration::from_secs(3600)), BURST);
}

#[test]
fn counts_wait_for_their_turn_when_there_are_too_many() {
    let began = Instant::now();
    let mut ledger = Ledger::new(began);
    for number in 0..BURST as usize {
        assert_eq!(happens(&mut ledger, &format!("o{number}"), "x", began), "create");
    }
    assert_eq!(happens(&mut ledger, "o1", "x", began), "later");
    assert_eq!(happens(&mut ledger, "new", "x", began), "drop");
    let later = began + REST;
    assert_eq!(ledger.due(), Some(later));
    assert_eq!(ledger.next(later).unwrap().1.count, 2);
}

#[test]
fn one_object_with_ever_other_messages_leaves_room_for_the_rest() {
    let now = Instant::now();
    let mut ledger = Ledger::new(now);
    let mut made = |object: &str| {
        let all = (0..PER_OBJECT + 7)
            .filter(|number| happens(&mut ledger, object, &number.to_string(), now) == "create");
        all.count()
    };
    assert_eq!((made("a"), made("b")), (PER_OBJECT, PER_OBJECT));
}

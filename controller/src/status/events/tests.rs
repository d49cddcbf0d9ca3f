//! What an Event looks like, and who writes it when.

use std::time::Duration;

use fairway_snapshot::ObjectId;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::ledger::PER_OBJECT;
use super::{LONGEST_INSTANCE, LONGEST_NOTE, QUEUE, Recorder, WINDOW, name, note};
use crate::lease::Leadership;
use crate::metrics::{ControllerMetrics, ResultLabel};
use crate::pod::Pod;
use crate::status::happenings::{Happening, Kind};
use crate::status::server::{refused, server};

fn happening(message: &str) -> Happening {
    Happening { kind: Kind::Warning, reason: "InvalidRule".to_owned(), message: message.to_owned() }
}

fn pod(name: &str) -> Option<Pod> {
    Some(Pod { namespace: "fairway-system".to_owned(), name: name.to_owned(), uid: None })
}

fn taken() -> (u16, Value) {
    (
        201,
        json!({ "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {}, "eventTime": null }),
    )
}

/// Writes these happenings of one object to a server with these answers; says what was asked, and
/// how it is counted.
async fn written(
    messages: &[&str],
    answers: Vec<(u16, Value)>,
    leadership: Leadership,
) -> (Vec<(String, Value)>, Vec<(&'static str, u64)>) {
    let (client, asked) = server(answers);
    let metrics = ControllerMetrics::default();
    let (_leads, leadership) = watch::channel(leadership);
    let (teller, recorder) = Recorder::new(client, leadership, metrics.clone());
    let found = messages.iter().map(|message| happening(message)).collect();
    teller.tell(&ObjectId::new("market", "quotes"), Some("the-uid"), found);
    drop(teller);
    let done = tokio::time::timeout(Duration::from_secs(20), recorder.run(pod("fairway-0"))).await;
    done.expect("it ends with whoever tells");
    let words = ["written", "dropped", "deposed", "gone", "failed"].into_iter();
    let counts = words.map(|word| (word, counted(&metrics, word))).filter(|(_, count)| *count > 0);
    (asked.try_iter().collect(), counts.collect())
}

fn counted(metrics: &ControllerMetrics, result: &'static str) -> u64 {
    metrics.events.get_or_create(&ResultLabel { result }).get()
}

#[tokio::test]
async fn an_event_says_what_happened_to_which_object() {
    let (asked, counts) = written(&["one\ntwo"], vec![taken()], Leadership::Only).await;
    assert_eq!(counts, [("written", 1)]);
    let [(head, event)] = &asked[..] else { panic!("{asked:?}") };
    let path = "POST /apis/events.k8s.io/v1/namespaces/market/events?";
    assert!(head.starts_with(path) && head.contains("fieldManager=fairway"), "{head}");
    let given = event["metadata"]["name"].as_str().unwrap();
    assert!(given.starts_with("quotes.") && given.len() == "quotes.".len() + 16, "{given}");
    for (pointer, expected) in [
        ("/regarding/apiVersion", "fairway.dev/v1alpha1"),
        ("/regarding/kind", "ServiceRoute"),
        ("/regarding/name", "quotes"),
        ("/regarding/namespace", "market"),
        ("/regarding/uid", "the-uid"),
        ("/metadata/namespace", "market"),
        ("/type", "Warning"),
        ("/reason", "InvalidRule"),
        ("/note", "one; two"),
        ("/reportingController", "fairway"),
        ("/reportingInstance", "fairway-0"),
    ] {
        assert_eq!(event.pointer(pointer), Some(&json!(expected)), "{pointer}");
    }
}

#[tokio::test]
async fn the_second_time_only_the_count_is_written() {
    let answers = vec![taken(), taken()];
    let (asked, counts) = written(&["x", "x", "x"], answers, Leadership::Only).await;
    assert_eq!(counts, [("written", 2)]);
    let [(_, first), (head, second)] = &asked[..] else { panic!("{asked:?}") };
    let name = first["metadata"]["name"].as_str().unwrap();
    let path = format!("PATCH /apis/events.k8s.io/v1/namespaces/market/events/{name}?");
    assert!(head.starts_with(&path), "{head}");
    let fields: Vec<&String> = second.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["series"]);
    assert_eq!(second["series"]["count"], 2);
    assert!(second["series"]["lastObservedTime"].is_string(), "{second}");
}

#[tokio::test]
async fn a_failure_is_counted_and_the_next_one_is_tried() {
    let answers = vec![refused(403, "Forbidden", "x"), refused(500, "InternalError", "x"), taken()];
    let (asked, counts) = written(&["x", "x", "x"], answers, Leadership::Only).await;
    assert_eq!(counts, [("written", 1), ("failed", 2)]);
    assert!(asked.iter().all(|(head, _)| head.starts_with("POST ")), "{asked:?}");
}

#[tokio::test]
async fn what_is_too_much_is_dropped_and_counted() {
    let messages: Vec<String> = (0..=PER_OBJECT).map(|number| number.to_string()).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let (_, counts) = written(&messages, vec![taken(); PER_OBJECT], Leadership::Only).await;
    assert_eq!(counts, [("written", PER_OBJECT as u64), ("dropped", 1)]);
}

#[tokio::test]
async fn what_is_no_more_is_no_failure() {
    let answers = vec![
        refused(403, "Forbidden", "NamespaceTerminating"),
        taken(),
        refused(404, "NotFound", "x"),
        taken(),
    ];
    let (asked, counts) = written(&["x", "x", "x", "x"], answers, Leadership::Only).await;
    assert_eq!(counts, [("written", 2), ("gone", 2)]);
    let verbs: Vec<&str> = asked.iter().map(|(head, _)| &head[..5]).collect();
    assert_eq!(verbs, ["POST ", "POST ", "PATCH", "POST "]);
}

#[tokio::test]
async fn who_does_not_lead_sends_nothing() {
    for over in [Leadership::Follower, Leadership::Until(Instant::now())] {
        let (asked, counts) = written(&["x"], Vec::new(), over).await;
        assert_eq!((asked.len(), counts), (0, vec![("deposed", 1)]));
    }
}

#[tokio::test]
async fn a_cause_is_logged_once_in_a_while() {
    let (_leads, leadership) = watch::channel(Leadership::Only);
    let (client, _) = server(Vec::new());
    let (_teller, mut recorder) = Recorder::new(client, leadership, ControllerMetrics::default());
    let now = Instant::now();
    let mut first = |cause: &str, at| recorder.is_first(cause.to_owned(), at);
    assert!(first("403 Forbidden", now) && first("500 InternalError", now));
    assert!(!first("403 Forbidden", now + WINDOW / 2));
    assert!(first("403 Forbidden", now + WINDOW));
}

#[tokio::test]
async fn nobody_waits_for_a_recorder_that_is_behind() {
    let metrics = ControllerMetrics::default();
    let (client, _) = server(Vec::new());
    let (_, leadership) = watch::channel(Leadership::Only);
    let (teller, _recorder) = Recorder::new(client, leadership, metrics.clone());
    let id = ObjectId::new("market", "quotes");
    for number in 0..QUEUE + 3 {
        teller.tell(&id, None, vec![happening(&number.to_string())]);
    }
    assert_eq!(counted(&metrics, "dropped"), 3);
}

#[test]
fn a_message_is_cut_where_a_character_ends() {
    let cases = [
        ("short".to_owned(), "short".to_owned()),
        ("x".repeat(LONGEST_NOTE), "x".repeat(LONGEST_NOTE)),
        ("x".repeat(LONGEST_NOTE + 1), format!("{}…", "x".repeat(LONGEST_NOTE - 3))),
        // Three bytes each, of which the last that fits would be cut.
        ("주".repeat(LONGEST_NOTE), format!("{}…", "주".repeat(340))),
    ];
    for (message, expected) in cases {
        let note = note(&message);
        assert!(note.len() <= LONGEST_NOTE, "{} bytes", note.len());
        assert_eq!(note, expected);
    }
}

#[test]
fn a_name_is_one_that_the_api_server_takes() {
    assert_eq!(name("quotes", 10), "quotes.000000000000000a");
    for object in ["x".repeat(253), format!("{}-{}", "x".repeat(235), "y".repeat(17))] {
        let name = name(&object, u64::MAX);
        assert!(name.len() <= 253 && !name.contains("-.") && name.ends_with(".ffffffffffffffff"));
    }
}

#[tokio::test]
async fn the_name_of_a_pod_is_cut_where_it_is_too_long() {
    let (client, asked) = server(vec![taken()]);
    let (_leads, leadership) = watch::channel(Leadership::Only);
    let (teller, recorder) = Recorder::new(client, leadership, ControllerMetrics::default());
    teller.tell(&ObjectId::new("market", "quotes"), None, vec![happening("x")]);
    drop(teller);
    recorder.run(pod(&"p".repeat(200))).await;
    let instance = asked.recv().unwrap().1["reportingInstance"].clone();
    assert_eq!(instance.as_str().unwrap().len(), LONGEST_INSTANCE);
}

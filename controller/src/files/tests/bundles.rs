//! ConfigMaps with certificates of authorities, as documents.

use fairway_snapshot::ObjectId;

use super::{FollowEvent, GOOD, folder, follow, load, next, problems};
use crate::inputs::Bundle;

fn config_map(label: &str, data: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ca\n  labels: {{{label}}}\ndata: {data}\n"
    )
}

const LABEL: &str = "fairway.dev/ca: \"true\"";

#[test]
fn those_with_the_label_are_read_and_no_others() {
    let variable = "{ca.crt: \"${CA}\", script: \"$${PATH}\"}";
    let all = [("a.yaml", GOOD), (".env", "CA=one"), ("b.yaml", &*config_map(LABEL, variable))];
    let read = load(&[folder(&all).path().to_owned()], &|_| None).unwrap();
    let id = ObjectId::new("default", "ca");
    assert_eq!(*read.inputs.config_maps[&id], Bundle::new("one"));
    assert!(read.notes.is_empty());
    // Scripts of others have variables of their own.
    for label in ["", "fairway.dev/ca: \"false\"", "fairway.dev/other: \"true\""] {
        let text = config_map(label, "{script: \"${UNSET}\"}");
        let read =
            load(&[folder(&[("a.yaml", GOOD), ("b.yaml", &text)]).path().to_owned()], &|_| None);
        let read = read.unwrap();
        assert!(read.inputs.config_maps.is_empty(), "{label}");
        let note = read.notes[0].to_string();
        assert!(
            note.contains("v1 ConfigMap is skipped") && note.contains("fairway.dev/ca"),
            "{note}"
        );
    }
}

#[test]
fn mistakes_are_told_with_their_places() {
    for (data, expected) in [
        (
            "{ca.crt: 5}",
            "b.yaml:6:16: data.ca.crt is 5: write text, in quotes if it looks like a number",
        ),
        ("[a]", "b.yaml:6:7: data is a list: write an object with fields"),
        (
            "{}\nspec: {}",
            "b.yaml:7:1: unknown field spec: known are metadata, binaryData, data, immutable",
        ),
    ] {
        let folder = folder(&[("a.yaml", GOOD), ("b.yaml", &config_map(LABEL, data))]);
        assert_eq!(problems(folder.path()), [expected]);
    }
}

#[tokio::test]
async fn a_change_is_told() {
    let folder = folder(&[("a.yaml", GOOD), ("b.yaml", &config_map(LABEL, "{ca.crt: one}"))]);
    let mut follow = follow(vec![folder.path().to_owned()]);
    std::fs::write(folder.path().join("b.yaml"), config_map(LABEL, "{ca.crt: two}")).unwrap();
    let FollowEvent::Good(loaded) = next(&mut follow).await else { panic!("good") };
    let id = ObjectId::new("default", "ca");
    assert_eq!(*loaded.inputs.config_maps[&id], Bundle::new("two"));
}

//! What `check` finds, and whether there was anything to look at.

use std::path::{Path, PathBuf};

use fairway_controller::CompileOptions;
use fairway_controller::compile::UnknownService;

use super::{Checked, check};

const GOOD: &str = "apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: good}
spec: {rules: [{match: [{path: /good}], backends: [{service: a, port: 80}]}]}
";
/// It has no class, and a rule that cannot be compiled.
const BAD: &str = "apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: bad}
spec: {rules: [{match: [{path: '/a/*'}], backends: [{service: a, port: name}]}]}
";

fn checked(paths: &[PathBuf], class: &str) -> Checked {
    let options = CompileOptions {
        class: class.to_owned(),
        unknown_service: UnknownService::TakeAsNamed,
        ..CompileOptions::default()
    };
    check(paths, &options)
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn paths(paths: &[&Path]) -> Vec<PathBuf> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn a_route_without_a_class_is_checked_whatever_the_class_of_the_installation() {
    let folder = folder(&[("bad.yaml", BAD)]);
    for class in ["fairway", "internal"] {
        let found = checked(&paths(&[folder.path()]), class).findings;
        assert_eq!(found.len(), 1, "{class}: {found:?}");
    }
}

#[test]
fn nothing_to_read_differs_from_something_found() {
    let empty = folder(&[]);
    let blank = folder(&[("blank.yaml", "# later\n")]);
    let good = folder(&[("good.yaml", GOOD)]);
    let bad = folder(&[("bad.yaml", BAD)]);
    let broken = folder(&[("broken.yaml", "kind: [")]);
    let foreign = folder(&[("job.yaml", "apiVersion: batch/v1\nkind: Job\n")]);
    let missing = empty.path().join("missing");
    // What is checked, whether there was anything to check, and whether something was found.
    let cases: [(&[&Path], bool, bool); 9] = [
        (&[good.path()], true, false),
        (&[bad.path()], true, true),
        (&[broken.path()], true, true),
        (&[foreign.path()], true, false),
        (&[empty.path(), good.path()], true, true),
        (&[empty.path()], false, true),
        (&[blank.path()], false, true),
        (&[empty.path(), empty.path()], false, true),
        (&[&missing, good.path()], false, true),
    ];
    for (folders, could_run, found) in cases {
        let checked = checked(&paths(folders), "fairway");
        let got = (checked.could_run, !checked.findings.is_empty());
        assert_eq!(got, (could_run, found), "{folders:?}: {checked:?}");
    }
}

#[test]
fn warnings_are_found_with_their_ids() {
    let text = GOOD.replace(
        "{match: [{path: /good}],",
        "{match: [{pathRegex: /e/fin/.*}, {pathRegex: /e/fin}, {pathRegex: '/v[0-9]'}, {path: /x}, {path: /x}],",
    );
    let folder = folder(&[("a.yaml", &text)]);
    let found = checked(&paths(&[folder.path()]), "fairway").findings;
    let told: Vec<(&str, &str, &str)> = found
        .iter()
        .map(|one| (one.severity, one.reason.as_str(), one.field.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("warning", "CouldBePath", "spec.rules[0].match[0].pathRegex"),
            ("warning", "CouldBePath", "spec.rules[0].match[1].pathRegex"),
            ("warning", "Unreachable", "spec.rules[0].match[4]"),
        ]
    );
    let messages: Vec<&str> = found.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(messages[0], "a path costs less: write path: /e/fin/*, which also takes /e/fin");
    assert_eq!(messages[1], "a path costs less: write path: /e/fin");
    assert!(found.iter().all(|one| one.line > 0), "{found:?}");
}

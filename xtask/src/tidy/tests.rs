//! Each rule has a case that it refuses.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{File, check_rust, check_words, functions, graph, links};

fn file(path: &str, text: &str) -> File {
    File { path: PathBuf::from(path), text: text.to_owned() }
}

#[test]
fn the_project_keeps_its_own_rules() {
    super::run().unwrap();
}

#[test]
fn rules_for_files_refuse_what_breaks_them() {
    let good = "//! Why it exists.\nfn a() {}\n";
    assert_eq!(check_rust(&file("a.rs", good)), Vec::<String>::new());
    let long = format!("//! Long.\n{}", "// line\n".repeat(400));
    let unfinished = "//! Why.\n// TO DO: later\n".replace("O D", "OD");
    for (path, text, expected) in [
        ("a.rs", long.as_str(), "401 lines"),
        ("a.rs", "fn a() {}\n", "first line"),
        ("a/mod.rs", good, "name it after its module"),
        ("a.rs", unfinished.as_str(), "unfinished"),
    ] {
        let problems = check_rust(&file(path, text));
        assert!(problems.len() == 1 && problems[0].contains(expected), "{path}: {problems:?}");
    }
    let function = format!("//! Why.\nfn long() {{\n{}}}\n", "    a();\n".repeat(79));
    assert_eq!(
        check_rust(&file("a.rs", &function)),
        ["a.rs:2: function long has 81 lines, at most 80"]
    );
}

#[test]
fn functions_are_measured() {
    let text = "//! A.\nimpl X {\n    pub(crate) async fn one(&self) -> u8 {\n        1\n    }\n\n    const fn two() -> u8 { 2 }\n}\ntrait T {\n    fn three(&self);\n}\n";
    let found: Vec<(String, usize, usize)> =
        functions::find(text).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(
        found,
        [("one".to_owned(), 3, 3), ("two".to_owned(), 7, 1), ("three".to_owned(), 10, 1)]
    );
}

#[test]
fn paths_of_one_machine_are_refused() {
    let text = "see /work".to_owned() + "/main/x\n";
    assert_eq!(check_words(&file("a.md", &text)).len(), 1);
}

#[test]
fn the_dependency_rule_refuses_who_knows_too_much() {
    let package = |name: &str, dependency: &str, kind: serde_json::Value| json!({ "packages": [{ "name": name, "manifest_path": "", "dependencies": [{ "name": dependency, "kind": kind }] }] });
    let refused = graph::check(&package("fairway-snapshot", "tokio", json!(null)));
    assert_eq!(refused, ["fairway-snapshot must not depend on tokio: see ARCHITECTURE.md"]);
    assert!(graph::check(&package("fairway-snapshot", "tokio", json!("dev"))).is_empty());
    assert!(graph::check(&package("fairway-snapshot", "http", json!(null))).is_empty());
    assert_eq!(graph::check(&package("fairway-dataplane", "kube", json!(null))).len(), 1);
}

#[test]
fn versions_stand_in_the_workspace() {
    let good = "[package]\nname = \"x\"\n[dependencies]\nhttp.workspace = true\n# why = \"1\"\n";
    assert!(graph::check_manifest("x", good).is_empty());
    assert_eq!(graph::check_manifest("x", "[dev-dependencies]\nhttp = \"1\"\n").len(), 1);
}

#[test]
fn links_lead_somewhere() {
    let exists = |path: &Path| path == Path::new("docs/a.md");
    let check = |text: &str| links::check(Path::new("docs/b.md"), text, &exists);
    assert!(
        check("[a](a.md#part) [b](https://example.com) [c](#here) [d](../docs/a.md)").is_empty()
    );
    assert_eq!(check("[a](gone.md)"), ["docs/b.md:1: gone.md leads nowhere"]);
}

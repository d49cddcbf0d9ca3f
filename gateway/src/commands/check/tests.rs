//! What `check` finds, and whether there was anything to look at.

use std::path::{Path, PathBuf};

use fairway_controller::CompileOptions;
use fairway_controller::compile::UnknownService;

use super::ids::IDS;
use super::{Checked, check, line, sarif};
use crate::args::Denied;
use crate::tests::{blocks, repository};

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

/// What is found in a route with these rules: severity, id and the end of the field.
fn of_rules(rules: &str) -> Vec<String> {
    let text = GOOD.replace(
        "{rules: [{match: [{path: /good}], backends: [{service: a, port: 80}]}]}",
        &format!("{{{rules}}}"),
    );
    let folder = folder(&[("a.yaml", &text)]);
    let found = checked(&paths(&[folder.path()]), "fairway").findings;
    let told = found.iter().map(|one| {
        let field = one.field.as_deref().unwrap_or_default();
        format!(
            "{} {} {}: {}",
            one.severity,
            one.reason,
            field.trim_start_matches("spec.rules[0]."),
            one.message
        )
    });
    told.collect()
}

#[test]
fn a_capture_is_missed_only_where_a_rewrite_uses_others() {
    let backends = "backends: [{service: a, port: 80}]";
    for (rule, missed) in [
        (
            "match: [{path: '/u/{id}/o/{order}'}], rewrite: {path: '/o/{order}'}",
            &["rewrite.path /o/{order} leaves out {id}"][..],
        ),
        (
            "match: [{path: '/u/{id}/*'}], rewrite: {path: '/o/{id}'}",
            &["rewrite.path /o/{id} leaves out *"],
        ),
        (
            "match: [{path: '/u/{id}/*'}], rewrite: {path: /o/*}",
            &["rewrite.path /o/* leaves out {id}"],
        ),
        (
            "match: [{pathRegex: '/u/(?<id>[0-9]+)/(?<x>.+)'}], rewrite: {path: '/{x}'}",
            &["rewrite.path /{x} leaves out {id}"],
        ),
        (
            "match: [{path: '/{a}/{b}/{c}'}], rewrite: {path: '/{b}'}",
            &["leaves out {a}", "leaves out {c}"],
        ),
        // A placeholder, a fixed path, all of them, and one that a header has.
        ("match: [{path: '/u/{id}/orders'}]", &[]),
        ("match: [{path: '/u/{id}/*'}], rewrite: {path: /index.html}", &[]),
        ("match: [{path: '/u/{id}/*'}], rewrite: {path: '/o/{id}/*'}", &[]),
        (
            "match: [{path: '/u/{id}/*'}], rewrite: {path: /o/*}, policy: {headers: {request: {set: {x-user: '{id}'}}}}",
            &[],
        ),
        (
            "match: [{path: '/u/{id}/*'}], rewrite: {path: '/o/{id}'}, policy: {headers: {response: {add: {x-rest: 'a {*}'}}}}",
            &[],
        ),
    ] {
        let told = of_rules(&format!("rules: [{{{rule}, {backends}}}]"));
        assert_eq!(told.len(), missed.len(), "{rule}: {told:?}");
        for (told, missed) in told.iter().zip(missed) {
            assert!(
                told.starts_with("note UnusedCapture match[0].path") && told.contains(missed),
                "{told}"
            );
        }
    }
    let of_spec = "policy: {headers: {request: {set: {x-user: '{id}'}}}}, rules: [{match: [{path: '/u/{id}/*'}], rewrite: {path: /o/*}, backends: [{service: a, port: 80}]}]";
    assert_eq!(of_rules(of_spec), [""; 0]);
    let redirect = "rules: [{match: [{path: '/u/{id}/*'}], redirect: {path: /o/*}}]";
    assert!(of_rules(redirect)[0].contains("redirect.path /o/* leaves out {id}"));
}

#[test]
fn an_expression_that_never_matches_is_told_once() {
    let of = |regex: &str| {
        of_rules(&format!(
            "rules: [{{match: [{{pathRegex: '{regex}'}}], backends: [{{service: a, port: 80}}]}}]"
        ))
    };
    assert_eq!(
        of("/a//.*"),
        [
            "warning NeverMatches match[0].pathRegex: it never matches: // is merged, or refused: write /"
        ]
    );
    assert_eq!(of("/a/[0-9]+"), [""; 0]);
}

#[test]
fn a_listener_that_keeps_empty_segments_lets_an_expression_match() {
    let text = GOOD.replace("path: /good", "pathRegex: '/a//[0-9]'");
    let folder = folder(&[("a.yaml", &text)]);
    let mut options = CompileOptions::default();
    let mut found = |keep: bool| {
        for listener in options.listeners.values_mut() {
            let text = if keep { r#"{"emptySegments": "keep"}"# } else { "{}" };
            listener.normalization = serde_json::from_str(text).unwrap();
        }
        options.unknown_service = UnknownService::TakeAsNamed;
        check(&paths(&[folder.path()]), &options).findings.len()
    };
    assert_eq!((found(false), found(true)), (1, 0));
}

#[test]
fn backends_without_weight_have_an_id_of_their_own() {
    let told = of_rules(
        "rules: [{backends: [{service: a, port: 80, weight: 0}, {service: b, port: 80, weight: 0}]}]",
    );
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("warning NoWeight backends: every backend has weight 0"),
        "{told:?}"
    );
}

/// The page's own example.
fn page() -> (String, tempfile::TempDir) {
    let page = std::fs::read_to_string(repository().join("docs/check.md")).unwrap();
    let example = blocks(&page, "yaml").remove(0);
    (page, folder(&[("finance.yaml", &example)]))
}

#[test]
fn the_page_shows_what_is_told() {
    let (page, folder) = page();
    let found = checked(&paths(&[folder.path()]), "fairway").findings;
    let mut told: Vec<String> = found
        .iter()
        .map(|one| anstream::adapter::strip_str(&line(one)).to_string())
        .map(|line| line.replace(&*folder.path().to_string_lossy(), "routes"))
        .collect();
    told.push(format!("{} findings\n", found.len()));
    assert_eq!(told.join("\n"), blocks(&page, "text")[0]);
    // Which of them end with 1.
    let failing = |deny| found.iter().filter(|one| one.fails(deny)).count();
    assert_eq!((failing(None), failing(Some(Denied::Warnings))), (0, 3));
}

#[test]
fn the_page_has_every_id() {
    let (page, _) = page();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let listed: Vec<&str> = rows
        .filter(|(_, rest)| {
            ["error", "warning", "note"].iter().any(|word| rest.starts_with(&format!("{word} |")))
        })
        .map(|(id, _)| id)
        .collect();
    assert_eq!(listed, IDS.map(|(id, _)| id));
}

#[test]
fn code_hosts_get_ids_levels_and_places() {
    let (_, folder) = page();
    std::fs::write(folder.path().join("b d.yaml"), "kind: [").unwrap();
    let mut findings = checked(&paths(&[&folder.path().join("b d.yaml")]), "fairway").findings;
    std::fs::remove_file(folder.path().join("b d.yaml")).unwrap();
    findings.extend(checked(&paths(&[folder.path()]), "fairway").findings);
    let missing = folder.path().join("missing");
    findings.extend(checked(&paths(&[&missing]), "fairway").findings);
    findings[1].file = "./routes/finance.yaml".into();
    let log = sarif::log(&findings);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let levels: Vec<&str> = results.iter().map(|one| one["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["error", "note", "warning", "warning", "warning", "error"]);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        let rule = &run["tool"]["driver"]["rules"][index];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_ne!(rule["shortDescription"]["text"], rule["id"], "it says what it means");
    }
    let note = &results[1];
    assert_eq!(note["ruleId"], "UnusedCapture");
    let place = &note["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "routes/finance.yaml");
    assert_eq!(place["region"], serde_json::json!({ "startLine": 7, "startColumn": 22 }));
    assert_eq!(
        note["locations"][0]["logicalLocations"][0]["fullyQualifiedName"],
        "market/finance/orders"
    );
    let broken = &results[0]["locations"][0]["physicalLocation"];
    let uri = broken["artifactLocation"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("file:///") && uri.ends_with("/b%20d.yaml"), "{uri}");
    assert!(broken["region"]["startLine"].as_u64().unwrap() > 0);
    let whole = &results[5]["locations"][0]["physicalLocation"];
    assert!(whole["region"].is_null(), "it is about no line: {whole}");
}

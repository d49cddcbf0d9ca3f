//! Which rule takes which request: `tests/testdata/route/<sentence>.yaml`, each a world and the
//! requests that were put to it, with what the documentation says becomes of them.

use std::path::Path;

use fairway_snapshot::Redaction;
use fairway_snapshot::why::{OutcomeView, WhyRequest};

use super::super::{CompileOptions, Memo, UnknownService, compile};
use crate::files::load;

/// What stands between a world and its requests.
const REQUESTS: &str = "\n--- # requests\n";

#[test]
fn requests_go_where_the_documentation_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/testdata/route");
    let (mut files, mut rows, mut wrong) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let (world, requests) = text.split_once(REQUESTS).expect(&name);
        let world_only = tempfile::tempdir().unwrap();
        std::fs::write(world_only.path().join("world.yaml"), world).unwrap();
        let loaded = match load(&[world_only.path().to_owned()], &|_| None) {
            Ok(loaded) => loaded,
            Err(errors) => panic!("{name}: {errors}"),
        };
        let unknown_service = UnknownService::TakeAsNamed;
        let options = CompileOptions { unknown_service, ..CompileOptions::default() };
        let compilation = compile(&loaded.inputs, &options, &mut Memo::default());
        for (id, status) in &compilation.statuses {
            assert!(status.accepted.status, "{name}: {id}: {}", status.accepted.message);
        }
        let requests: Vec<String> = serde_saphyr::from_str(requests).expect(&name);
        files += 1;
        rows += requests.len();
        for row in requests {
            let (asked, expected) = row.split_once(" => ").expect(&row);
            let view =
                question(asked).answer(&compilation.snapshot, &Redaction::default()).expect(&row);
            let got = told(&view.outcome, expected.contains(" sends "));
            if got != expected {
                wrong.push(format!("{name}: {asked}\n  expected {expected}\n  got      {got}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files >= 20 && rows >= 300, "{files} files with {rows} rows");
}

/// `GET /e/fin/x [x-api-version: v2]`
fn question(text: &str) -> WhyRequest {
    let mut parts = text.split(" [");
    let (method, url) = parts.next().unwrap().split_once(' ').expect(text);
    let headers = parts.map(|part| part.trim_end().trim_end_matches(']').to_owned()).collect();
    WhyRequest {
        method: method.to_owned(),
        url: url.trim().to_owned(),
        headers,
        ..WhyRequest::default()
    }
}

/// `market/finance/quotes sends /fin/x`, `405 GET, HEAD`, `market/finance/old 308 /new`.
fn told(outcome: &OutcomeView, with_path: bool) -> String {
    let mut parts = Vec::new();
    parts.extend(outcome.rule.clone());
    parts.extend(outcome.status.map(|status| status.to_string()));
    parts.extend(outcome.allow.clone());
    parts.extend(outcome.location.clone());
    if let Some(path) = outcome.path.as_ref().filter(|_| with_path) {
        parts.push(format!("sends {path}"));
    }
    parts.join(" ")
}

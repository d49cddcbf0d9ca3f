//! What the table shows.

use fairway_controller::compile::UnknownService;
use fairway_controller::files::load;
use fairway_controller::{CompileOptions, Memo, compile};
use fairway_snapshot::dump::RoutesView;

use super::table;

/// The table of a route with one rule.
fn shown(rule: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: a, namespace: n}}\nspec: {{rules: [{rule}]}}\n"
    );
    std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    let loaded = load(&[folder.path().to_owned()], &|_| None).unwrap();
    let options = CompileOptions {
        unknown_service: UnknownService::TakeAsNamed,
        ..CompileOptions::default()
    };
    let compilation = compile(&loaded.inputs, &options, &mut Memo::default());
    table(&RoutesView::new(&compilation.snapshot), false)
}

#[test]
fn conditions_have_a_column_where_somebody_asks_them() {
    let plain = shown("{backends: [{service: s, port: 80}]}");
    assert!(plain.contains("n/s:80") && !plain.contains("CONDITIONS"), "{plain}");
    let asking = shown(
        "{match: [{path: /x, headers: [{name: X-V, pattern: 'v.'}, {name: d, present: false}], query: [{name: b, value: '1'}]}], redirect: {scheme: https, path: /y, status: 308}}",
    );
    assert!(asking.contains("CONDITIONS"), "{asking}");
    assert!(asking.contains("x-v~v. d absent ?b=1"), "{asking}");
    assert!(asking.contains("redirect 308 https:/y"), "{asking}");
}

#[test]
fn mirrors_have_a_column_where_somebody_has_them() {
    let plain = shown("{backends: [{service: s, port: 80}]}");
    assert!(!plain.contains("MIRRORS"), "{plain}");
    let mirrored = shown(
        "{backends: [{service: s, port: 80}], policy: {mirror: [{service: t, port: 80}, {host: a.example, port: 80, percent: 0.5}]}}",
    );
    assert!(mirrored.contains("MIRRORS"), "{mirrored}");
    let cell = "n/t:80 100%, a.example:80 0.5%, ExternalHostNotAllowed";
    assert!(mirrored.contains(cell), "{mirrored}");
}

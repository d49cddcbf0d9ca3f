//! One bad field for each reason: a good manifest, one change, and the message that it gives.

use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_snapshot::ObjectId;

use super::super::{CompileOptions, ExternalHosts, Memo, UnknownService, compile};
use crate::Inputs;
use crate::files::load;
use crate::inputs::Bundle;

const GOOD: &str = include_str!("../../../../tests/testdata/compile/reasons.yaml");

/// Field, reason and message of everything that is found in `text`.
fn found(text: &str, options: &CompileOptions) -> Vec<(String, Reason, String)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    let loaded = load(&[folder.path().to_owned()], &|_| None).unwrap();
    let compilation = compile(&loaded.inputs, options, &mut Memo::default());
    let diagnostics = compilation.statuses.values().flat_map(|status| status.diagnostics.clone());
    diagnostics.map(|found| (found.field, found.reason, found.message)).collect()
}

#[test]
fn the_good_manifest_is_good() {
    assert_eq!(found(GOOD, &CompileOptions::default()), []);
}

/// One change of the good manifest, and what is found then.
#[derive(serde::Deserialize)]
struct Mistake {
    replace: String,
    by: String,
    field: String,
    reason: String,
    /// A part of the message.
    message: String,
}

#[test]
fn each_mistake_is_told_with_its_field_and_what_to_write() {
    let table = include_str!("../../../../tests/testdata/compile/reasons.json");
    let table: Vec<Mistake> = serde_json::from_str(table).unwrap();
    for mistake in table {
        assert!(GOOD.contains(&mistake.replace), "{}", mistake.replace);
        let text = GOOD.replacen(&mistake.replace, &mistake.by, 1);
        let found = found(&text, &CompileOptions::default());
        assert_eq!(found.len(), 1, "{}: {found:?}", mistake.by);
        let (field, reason, message) = &found[0];
        assert_eq!((field, reason.as_str()), (&mistake.field, &*mistake.reason), "{}", mistake.by);
        assert!(message.contains(&mistake.message), "{}: {message}", mistake.by);
    }
}

#[test]
fn without_a_cluster_services_are_taken_as_named() {
    let options = CompileOptions {
        unknown_service: UnknownService::TakeAsNamed,
        external_hosts: ExternalHosts::All,
        ..CompileOptions::default()
    };
    let text = "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: a}\nspec:\n  rules: [{backends: [{service: nobody, port: 80}, {host: 127.0.0.1, port: 1}]}]\n";
    assert_eq!(found(text, &options), []);
    let named = found(&text.replace("port: 80", "port: http"), &options);
    assert!(named[0].2.contains("no Service document says which number it is"), "{named:?}");
    let none = found(&text.replace(", port: 80", ""), &options);
    assert!(none[0].2.contains("no Service document says which port"), "{none:?}");
}

#[test]
fn a_service_that_nobody_described_and_somebody_nearly_did_is_doubted() {
    let options = CompileOptions {
        unknown_service: UnknownService::TakeAsNamed,
        external_hosts: ExternalHosts::All,
        ..CompileOptions::default()
    };
    let asked = |name: &str| GOOD.replacen("service: finance", &format!("service: {name}"), 1);
    let number = |name: &str| asked(name).replace("port: http, weight", "port: 8000, weight");
    let misspelt = number("finnance");
    assert_eq!(
        found(&misspelt, &options),
        [(
            "spec.rules[0].backends[0].service".to_owned(),
            Reason::BackendNotFound,
            "no document describes market/finnance; did you mean finance?".to_owned(),
        )]
    );
    let status = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), text).unwrap();
        let loaded = load(&[folder.path().to_owned()], &|_| None).unwrap();
        let compilation = compile(&loaded.inputs, &options, &mut Memo::default());
        compilation.statuses.into_values().next().unwrap()
    };
    let status = status(&misspelt);
    assert!(status.resolved_refs.status && status.rules == 2, "it is taken as named: {status:?}");
    // Another word, and another version.
    let versions = number("finance-v2")
        .replace(
            "name: finance, namespace: market}\nspec: {ports",
            "name: finance-v1, namespace: market}\nspec: {ports",
        )
        .replace("[{service: finance, port: 8000}]", "[{service: finance-v1, port: 8000}]");
    for text in [number("billing"), versions] {
        assert_eq!(found(&text, &options), []);
    }
}

#[test]
fn a_backend_outside_is_known_by_its_own_name() {
    let options =
        CompileOptions { external_hosts: ExternalHosts::All, ..CompileOptions::default() };
    for (backend, name) in [
        ("{host: API.example.com, port: 443, protocol: https}", "api.example.com"),
        ("{host: api.example.com., port: 443, tls: {}}", "api.example.com"),
        ("{host: \"[2001:DB8::1]\", port: 443, tls: {}}", "2001:db8::1"),
        ("{host: 192.0.2.7, port: 443, tls: {}}", "192.0.2.7"),
        ("{service: outside, port: 80, tls: {}}", "db.example.net"),
        ("{service: finance, port: secure}", "finance.market.svc"),
        ("{host: 192.0.2.7, port: 443, tls: {serverName: a.example}}", "a.example"),
    ] {
        let text = GOOD.replacen("{service: finance, port: 8000}", backend, 1);
        assert_eq!(found(&text, &options), [], "{backend}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), text).unwrap();
        let loaded = load(&[folder.path().to_owned()], &|_| None).unwrap();
        let snapshot = compile(&loaded.inputs, &options, &mut Memo::default()).snapshot;
        let names = snapshot.upstreams.values().filter_map(|upstream| upstream.tls.as_ref());
        let names: Vec<&str> = names.map(|tls| &*tls.server_name).collect();
        assert_eq!(names, [name], "{backend}");
    }
}

#[test]
fn authorities_that_change_are_compiled_anew() {
    let text = GOOD.replacen("port: 8000}", "port: 8000, tls: {caConfigMap: ca}}", 1);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    let mut inputs = load(&[folder.path().to_owned()], &|_| None).unwrap().inputs;
    let (options, mut memo) = (CompileOptions::default(), Memo::default());
    let mut resolved = |inputs: &Inputs| {
        let statuses = compile(inputs, &options, &mut memo).statuses;
        statuses.into_values().next().unwrap().resolved_refs.reason
    };
    assert_eq!(resolved(&inputs), Reason::ConfigMapNotFound);
    let id = ObjectId::new("market", "ca");
    inputs.config_maps.insert(id.clone(), Arc::new(Bundle::new("no certificate")));
    assert_eq!(resolved(&inputs), Reason::InvalidCertificate);
    inputs.config_maps.remove(&id);
    assert_eq!(resolved(&inputs), Reason::ConfigMapNotFound);
}

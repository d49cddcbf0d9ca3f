//! One bad field for each reason: a good manifest, one change, and the message that it gives.

use fairway_crds::conditions::Reason;

use super::super::{CompileOptions, ExternalHosts, Memo, UnknownService, compile};
use crate::files::load;

const GOOD: &str = r#"
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: finance, namespace: market}
spec:
  hosts: [api.example.com]
  listeners: [http]
  rules:
    - name: quotes
      match: [{path: "/e/fin/{id}/*", methods: [GET]}]
      rewrite: {path: "/fin/{id}/*"}
      backends: [{service: finance, port: http, weight: 1}]
      policy: {timeouts: {request: 15s}}
    - name: other
      backends: [{service: finance, port: 8000}]
---
apiVersion: v1
kind: Service
metadata: {name: finance, namespace: market}
spec: {ports: [{name: http, port: 8000}, {name: grpc, port: 9000, appProtocol: grpc}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: market}
spec: {type: ExternalName, externalName: db.example.net, ports: [{port: 80}]}
"#;

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

#[test]
fn each_mistake_is_told_with_its_field_and_what_to_write() {
    use Reason::{
        BackendNotFound, ExternalHostNotAllowed, InvalidRule, ListenerNotFound, PortNotFound,
        RefNotPermitted, UnsupportedValue,
    };
    let backend = "spec.rules[0].backends[0]";
    for (old, new, field, reason, message) in [
        (
            "api.example.com]",
            "\"a b\"]",
            "spec.hosts[0]",
            InvalidRule,
            "without scheme, port, path or blanks",
        ),
        (
            "[http]",
            "[internal]",
            "spec.listeners[0]",
            ListenerNotFound,
            "there is no listener \"internal\": write one of http",
        ),
        (
            "name: other",
            "name: quotes",
            "spec.rules[1].name",
            InvalidRule,
            "spec.rules[0] is named \"quotes\" too",
        ),
        (
            "\"/e/fin/{id}/*\"",
            "\"/e/*/x\"",
            "spec.rules[0].match[0].path",
            InvalidRule,
            "a * stands only at the end",
        ),
        (
            "/e/fin/{id}/*",
            "/e/{id}/{id}",
            "spec.rules[0].match[0].path",
            InvalidRule,
            "two captures are named \"id\"",
        ),
        (
            "methods: [GET]",
            "methods: [get it]",
            "spec.rules[0].match[0].methods[0]",
            InvalidRule,
            "\"get it\" is not a method: write one word in capital letters",
        ),
        (
            "methods: [GET]",
            "methods: [get]",
            "spec.rules[0].match[0].methods[0]",
            InvalidRule,
            "in capital letters",
        ),
        (
            "\"/fin/{id}/*\"",
            "\"/fin/{symbol}\"",
            "spec.rules[0].rewrite.path",
            InvalidRule,
            "does not capture: it captures {id}, *",
        ),
        (
            "15s",
            "15x",
            "spec.rules[0].policy.timeouts.request",
            InvalidRule,
            "\"15x\" is not a duration",
        ),
        (
            "service: finance, port: http",
            "service: finanse, port: http",
            "spec.rules[0].backends[0].service",
            BackendNotFound,
            "Service market/finanse does not exist: did you mean finance?",
        ),
        (
            "service: finance, port: http",
            "service: zzz, port: http",
            "spec.rules[0].backends[0].service",
            BackendNotFound,
            "namespace market has finance, outside",
        ),
        (
            "port: http",
            "port: htp",
            "spec.rules[0].backends[0].port",
            PortNotFound,
            "has no port \"htp\": write one of 8000 (http), 9000 (grpc)",
        ),
        (
            "port: http",
            "port: 81",
            "spec.rules[0].backends[0].port",
            PortNotFound,
            "has no port 81",
        ),
        (
            ", port: http",
            "",
            "spec.rules[0].backends[0].port",
            PortNotFound,
            "has 2 ports: write one of",
        ),
        (
            "port: http",
            "port: grpc",
            "spec.rules[0].backends[0].port",
            UnsupportedValue,
            "speaks grpc, which is not supported yet",
        ),
        (
            "{service: finance, port: http",
            "{service: finance, namespace: x, port: http",
            "spec.rules[0].backends[0].namespace",
            RefNotPermitted,
            "is in another namespace",
        ),
        (
            "{service: finance, port: http",
            "{host: db.example.net, port: 80",
            "spec.rules[0].backends[0].host",
            ExternalHostNotAllowed,
            "--allow-external-hosts",
        ),
        (
            "{service: finance, port: http",
            "{host: 169.254.169.254, port: 80",
            "spec.rules[0].backends[0].host",
            ExternalHostNotAllowed,
            "never allowed",
        ),
        (
            "{service: finance, port: http",
            "{service: outside, port: 80",
            "spec.rules[0].backends[0].service",
            ExternalHostNotAllowed,
            "db.example.net is not allowed",
        ),
        (
            "{service: finance, port: http",
            "{host: x.example, service: finance, port: 80",
            backend,
            InvalidRule,
            "either service or host",
        ),
        (
            "{service: finance, port: http",
            "{port: 80",
            backend,
            InvalidRule,
            "either service or host",
        ),
        (
            "{service: finance, port: http",
            "{host: a b, port: 80",
            "spec.rules[0].backends[0].host",
            InvalidRule,
            "without scheme, port, path or blanks",
        ),
        (
            "{service: finance, port: http",
            "{host: x.example",
            "spec.rules[0].backends[0].port",
            InvalidRule,
            "needs a port",
        ),
        (
            "port: http, weight: 1",
            "port: http, weight: 0",
            "spec.rules[0].backends",
            InvalidRule,
            "every backend has weight 0",
        ),
    ] {
        assert!(GOOD.contains(old), "{old}");
        let found = found(&GOOD.replacen(old, new, 1), &CompileOptions::default());
        assert_eq!(found.len(), 1, "{new}: {found:?}");
        assert_eq!((found[0].0.as_str(), found[0].1), (field, reason), "{new}");
        assert!(found[0].2.contains(message), "{new}: {}", found[0].2);
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

//! What two worlds differ in, told as people and scripts read it.

mod worlds;

use std::collections::BTreeMap;
use std::fmt::Write;

use fairway_controller::files::load;
use fairway_controller::{CompileOptions, Inputs};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;

use super::fields::{default_of, flow};
use super::sides::Sides;
use super::{Differences, differences, text::text};
use crate::settings::of_files;
use crate::tests::{blocks, repository};

const OLD: &str = r#"
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: finance, namespace: market}
spec:
  hosts: [api.example.com]
  rules:
    - name: quotes
      match: [{path: /e/fin/*}]
      rewrite: {path: /fin/*}
      backends: [{service: finance, port: 8000}]
    - match: [{path: /old, methods: [GET]}]
      redirect: {path: /e/fin, status: 308}
    - name: gone
      match: [{path: /gone}]
      respond: {status: 200}
---
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: left, namespace: market}
spec: {rules: [{match: [{path: /left}], backends: [{service: left, port: 80}]}]}
"#;

const NEW: &str = r#"
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: finance, namespace: market}
spec:
  hosts: [api.example.com]
  policy: {timeouts: {request: 15s}}
  rules:
    - name: v2
      match: [{path: /e/fin/*, headers: [{name: x-v, value: v2}]}]
      backends: [{service: finance-v2, port: 8000}]
    - name: quotes
      match: [{path: /e/fin/*}]
      rewrite: {path: /finance/*}
      backends: [{service: finance, port: 8000, weight: 1}]
    - match: [{path: /old, methods: [GET]}]
      redirect: {path: /e/fin, status: 308}
---
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: came, namespace: market}
spec: {rules: [{match: [{path: "/came/{id}"}], rewrite: {path: "/{nobody}"}, backends: [{service: came, port: 80}]}]}
"#;

fn inputs(text: &str) -> Inputs {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    match load(&[folder.path().to_owned()], &|_| None) {
        Ok(loaded) => loaded.inputs,
        Err(errors) => panic!("{errors}\n{text}"),
    }
}

fn sides(old: &str, new: &str) -> Sides {
    Sides {
        old: inputs(old),
        new: inputs(new),
        options: of_files(CompileOptions::default()),
        one_history: true,
    }
}

fn differ(old: &str, new: &str) -> Differences {
    differences(&sides(old, new), &[]).unwrap()
}

fn shown(differences: &Differences) -> String {
    anstream::adapter::strip_str(&text(differences, false)).to_string()
}

#[test]
fn it_reads_from_objects_to_requests_to_problems() {
    let told = shown(&differ(OLD, NEW));
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "+ market/came",
            "  + rule rule-0",
            "      backends: [{port: 80, service: came}]",
            "      match: [{path: \"/came/{id}\"}]",
            "      rewrite: {path: \"/{nobody}\"}",
            "~ market/finance",
            "    spec.policy: (none) -> {timeouts: {request: \"15s\"}}",
            "  + rule v2",
            "      backends: [{port: 8000, service: finance-v2}]",
            "      match: [{headers: [{name: x-v, value: v2}], path: /e/fin/*}]",
            "  ~ rule quotes",
            "      rewrite.path: /fin/* -> /finance/*",
            "  ~ rule rule-2",
            "      name: rule-1 -> rule-2",
            "  - rule gone",
            "      match: [{path: /gone}]",
            "      respond: {status: 200}",
            "- market/left",
            "  - rule rule-0",
            "      backends: [{port: 80, service: left}]",
            "      match: [{path: /left}]",
            "",
            "Requests that get elsewhere, of those that were tried:",
            "  GET /came/id",
            "    - 404 no rule takes the request",
            "    + market/came/rule-0, 500 \"/{nobody}\" uses {nobody}, which the path \"/came/{id}\" does not capture: it captures {id}",
            "  GET /left",
            "    - market/left/rule-0, sends /left to market/left:80 (left.market.svc.cluster.local.:80)",
            "    + 404 no rule takes the request",
            "  GET http://api.example.com/e/fin/x",
            "    - market/finance/quotes, sends /fin/x for api.example.com to market/finance:8000 (finance.market.svc.cluster.local.:8000)",
            "    + market/finance/quotes, sends /finance/x for api.example.com to market/finance:8000 (finance.market.svc.cluster.local.:8000)",
            "  GET http://api.example.com/e/fin/x [x-v: v2]",
            "    - market/finance/quotes, sends /fin/x for api.example.com to market/finance:8000 (finance.market.svc.cluster.local.:8000)",
            "    + market/finance/v2, sends /e/fin/x for api.example.com to market/finance-v2:8000 (finance-v2.market.svc.cluster.local.:8000)",
            "  GET http://api.example.com/gone",
            "    - market/finance/gone, 200",
            "    + 404 no rule takes the request",
            "",
            "Problems:",
            "  + error [InvalidRule] market/came rule rule-0: spec.rules[0].rewrite.path: \"/{nobody}\" uses {nobody}, which the path \"/came/{id}\" does not capture: it captures {id}",
            "",
            "differ: 3 objects, 6 rules, 5 requests, 1 new problem",
        ]
    );
}

#[test]
fn scripts_get_values() {
    let json = serde_json::to_value(differ(OLD, NEW)).unwrap();
    let finance = &json["objects"][1];
    assert_eq!(finance["change"], "changed");
    assert_eq!(
        finance["rules"][1]["fields"][0],
        serde_json::json!({ "field": "rewrite.path", "old": "/fin/*", "new": "/finance/*" })
    );
    let request = &json["requests"][0];
    assert_eq!(request["request"]["url"], "/came/id");
    assert_eq!(request["listeners"], serde_json::json!(["http"]));
    assert_eq!((&request["old"]["status"], &request["new"]["status"]), (&404.into(), &500.into()));
    assert_eq!(json["problems"]["new"][0]["reason"], "InvalidRule");
    assert_eq!(json["problems"]["gone"], serde_json::json!([]));
}

#[test]
fn the_other_way_round_is_the_contrary() {
    let (there, back) = (differ(OLD, NEW), differ(NEW, OLD));
    assert_eq!(there.problems.new, back.problems.gone);
    assert_eq!(there.requests.len(), back.requests.len());
    for (there, back) in there.requests.iter().zip(&back.requests) {
        assert_eq!((&there.request, &there.old, &there.new), (&back.request, &back.new, &back.old));
    }
}

#[test]
fn the_page_shows_what_is_told() {
    let page = std::fs::read_to_string(repository().join("docs/diff.md")).unwrap();
    let manifests = blocks(&page, "yaml");
    let [old, new] = &manifests[..] else { panic!("{manifests:?}") };
    assert_eq!(format!("{}\n", shown(&differ(old, new))), blocks(&page, "text")[0]);
}

/// A route with these rules, each a flow of YAML.
fn route(rules: &[&str]) -> String {
    let mut text = "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: a, namespace: n}\nspec:\n  rules:\n".to_owned();
    for rule in rules {
        let _ = writeln!(text, "    - {rule}");
    }
    text
}

/// The rules that differ, with their fields.
fn of_rules(old: &[&str], new: &[&str]) -> Vec<String> {
    let differences = differ(&route(old), &route(new));
    let rules = differences.objects.into_iter().flat_map(|object| object.rules);
    let told = rules.map(|rule| {
        let fields = rule.fields.iter().map(|field| {
            let shown =
                |value: &Option<serde_json::Value>| value.as_ref().map_or("-".to_owned(), flow);
            format!(" {}:{}>{}", field.field, shown(&field.old), shown(&field.new))
        });
        let fields: String = fields.collect();
        format!(
            "{:?} {}{}",
            rule.change,
            rule.rule,
            if rule.fields.len() > 2 { "" } else { &fields }
        )
    });
    told.collect()
}

#[test]
fn rules_are_found_again() {
    let rule = |name: &str, path: &str| {
        let name = if name.is_empty() { String::new() } else { format!("name: {name}, ") };
        format!("{{{name}match: [{{path: {path}}}], respond: {{status: 200}}}}")
    };
    let (a, b, c) = (&*rule("", "/a"), &*rule("", "/b"), &*rule("", "/c"));
    let (one, two, three) = (&*rule("one", "/1"), &*rule("two", "/2"), &*rule("three", "/3"));
    let weight = |weight: &str| format!("{{backends: [{{service: s, port: 80{weight}}}]}}");
    let (plain, first, fifth) = (weight(""), weight(", weight: 1"), weight(", weight: 5"));
    let (plain, first, fifth) = (&*plain, &*first, &*fifth);
    let none: &[&str] = &[];
    for (old, new, told) in [
        (&[a, b][..], &[a, b][..], none),
        // By what they say, where they have no name.
        (
            &[a, b],
            &[c, a, b],
            &[
                "Added rule-0 match:->[{path: /c}] respond:->{status: 200}",
                "Changed rule-1 name:rule-0>rule-1",
                "Changed rule-2 name:rule-1>rule-2",
            ],
        ),
        (&[a], &[b], &["Changed rule-0 match[0].path:/a>/b"]),
        (&[a], &[&*rule("named", "/a")], &["Changed named name:rule-0>named"]),
        // By name, and the fewest that were moved.
        (&[one, two, three], &[three, one, two], &["Changed three place:2>0"]),
        (
            &[one, two],
            &[&*rule("new", "/4"), one, two],
            &["Added new match:->[{path: /4}] respond:->{status: 200}"],
        ),
        (
            &[one],
            &[two],
            &[
                "Added two match:->[{path: /2}] respond:->{status: 200}",
                "Removed one match:[{path: /1}]>- respond:{status: 200}>-",
            ],
        ),
        (&[one], &[&*rule("one", "/2")], &["Changed one match[0].path:/1>/2"]),
        // What the API server writes itself.
        (&[plain], &[first], none),
        (&[plain], &[fifth], &["Changed rule-0 backends[0].weight:1>5"]),
    ] {
        assert_eq!(of_rules(old, new), told, "{old:?} {new:?}");
    }
}

#[test]
fn one_entry_more_changes_no_other() {
    let rule = |matches: &str, methods: &str| {
        format!(
            "{{match: [{matches}{{path: /a, methods: [{methods}]}}, {{path: /b}}], respond: {{status: 200}}}}"
        )
    };
    let (plain, more) = (rule("", "GET"), rule("{path: /x}, ", "GET"));
    assert_eq!(of_rules(&[&plain], &[&more]), ["Changed rule-0 match[0]:->{path: /x}"]);
    assert_eq!(of_rules(&[&more], &[&plain]), ["Changed rule-0 match[0]:{path: /x}>-"]);
    let methods = rule("", "GET, POST");
    assert_eq!(
        of_rules(&[&plain], &[&methods]),
        ["Changed rule-0 match[0].methods:[GET]>[GET, POST]"]
    );
}

#[test]
fn backends_that_lead_elsewhere_are_told_though_nothing_was_written() {
    let service = |port: u16| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: n}}\nspec: {{ports: [{{name: http, port: {port}}}]}}\n"
        )
    };
    let route = route(&["{backends: [{service: s, port: http}]}"]);
    let told = differ(&format!("{route}{}", service(80)), &format!("{route}{}", service(81)));
    let text = shown(&told);
    assert!(text.starts_with("~ n/a\n  ~ rule rule-0\n      backend n/s:http leads to s.n.svc.cluster.local.:80 -> s.n.svc.cluster.local.:81\n"), "{text}");
    assert_eq!(told.requests.len(), 1);
}

#[test]
fn an_objects_age_counts_where_it_has_one_history() {
    let aged = |day: u8| {
        route(&["{respond: {status: 200}}"]).replace(
            "namespace: n}",
            &format!("namespace: n, creationTimestamp: \"2026-01-0{day}T00:00:00Z\"}}"),
        )
    };
    let mut sides = sides(&aged(1), &aged(2));
    let told = differences(&sides, &[]).unwrap();
    assert!(
        shown(&told).contains(
            "    metadata.creationTimestamp: \"2026-01-01T00:00:00Z\" -> \"2026-01-02T00:00:00Z\""
        ),
        "{}",
        shown(&told)
    );
    sides.one_history = false;
    assert!(differences(&sides, &[]).unwrap().is_empty());
}

#[test]
fn only_the_installations_class_is_compared() {
    let ours = route(&["{respond: {status: 200}}"]);
    let theirs = ours.replace("spec:\n", "spec:\n  class: internal\n");
    let told = differ(&ours, &theirs);
    assert_eq!(shown(&told).lines().next(), Some("- n/a"));
    assert!(differ(&theirs, &theirs.replace("200", "404")).is_empty());
    assert!(differ(&ours, &ours.replace("spec:\n", "spec:\n  class: fairway\n")).is_empty());
}

#[test]
fn every_default_of_the_schema_is_known() {
    fn walk(schema: &JSONSchemaProps, found: &mut BTreeMap<String, serde_json::Value>) {
        for (name, schema) in schema.properties.iter().flatten() {
            found.extend(schema.default.as_ref().map(|default| (name.clone(), default.0.clone())));
            walk(schema, found);
        }
        use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray::Schema;
        if let Some(Schema(item)) = &schema.items {
            walk(item, found);
        }
    }
    let mut found = BTreeMap::new();
    let crd = fairway_crds::all().remove(0);
    for version in crd.spec.versions {
        let root = version.schema.unwrap().open_api_v3_schema.unwrap();
        walk(&root.properties.unwrap()["spec"], &mut found);
    }
    assert!(!found.is_empty());
    for (field, default) in found {
        assert_eq!(default_of(&field), Some(default), "{field}");
    }
}

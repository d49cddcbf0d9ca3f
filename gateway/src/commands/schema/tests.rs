//! What an editor says of manifests, by a validator of JSON Schema: nothing of good ones, and
//! something of each mistake.

use boon::{Compiler, SchemaIndex, Schemas};
use fairway_controller::files::json_schema;
use serde_json::{Value, json};

use crate::tests::{blocks, repository};

/// The schema, read by a validator, and what that says of an object.
struct Validator(Schemas, SchemaIndex);

impl Validator {
    fn new() -> Self {
        let mut compiler = Compiler::new();
        compiler.add_resource("file:///schema.json", json_schema()).unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile("file:///schema.json", &mut schemas).unwrap();
        Self(schemas, index)
    }

    fn says(&self, object: &Value) -> Option<String> {
        self.0.validate(object, self.1).err().map(|error| format!("{error:#}"))
    }
}

/// The ServiceRoutes of a text with documents.
fn routes(text: &str) -> Vec<Value> {
    let documents =
        text.split("\n---").map(|document| serde_saphyr::from_str::<Value>(document).unwrap());
    documents.filter(|document| document["kind"] == "ServiceRoute").collect()
}

#[test]
fn samples_and_pages_are_good() {
    let validator = Validator::new();
    let mut texts = Vec::new();
    for folder in ["deploy/samples/compose/routes", "deploy/samples/quickstart"] {
        for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
            texts.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
    }
    for entry in std::fs::read_dir(repository().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "md") {
            let page = std::fs::read_to_string(path).unwrap();
            texts.extend(
                blocks(&page, "yaml")
                    .into_iter()
                    .filter(|block| block.contains("kind: ServiceRoute")),
            );
        }
    }
    let all: Vec<Value> = texts.iter().flat_map(|text| routes(text)).collect();
    assert!(all.len() >= 15, "{}", all.len());
    for route in all {
        assert_eq!(validator.says(&route), None, "{route}");
    }
}

#[test]
fn each_mistake_is_marked() {
    let good = json!({
        "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
        "metadata": { "name": "finance", "labels": { "team": "finance" } },
        "spec": { "hosts": ["a.example"], "rules": [{
            "match": [{ "path": "/e/fin/*", "methods": ["GET"], "headers": [{ "name": "x-v", "value": "v2" }] }],
            "backends": [{ "service": "finance", "port": "http", "weight": 9 }, { "host": "b.example", "port": 443 }],
            "policy": { "limits": { "bodyBytes": 1024 } },
        }] },
    });
    let validator = Validator::new();
    assert_eq!(validator.says(&good), None);
    let rule = "/spec/rules/0";
    for (place, value, told) in [
        ("", json!({ "sepc": {} }), "sepc"),
        ("", json!({ "kind": "ServiceRout" }), "ServiceRoute"),
        ("", json!({ "metadata": {} }), "name"),
        ("/metadata", json!({ "nmae": "x" }), "nmae"),
        ("/metadata/labels", json!({ "team": 1 }), "string"),
        ("/spec", json!({ "host": ["a"] }), "host"),
        ("/spec", json!({ "hosts": "a" }), "array"),
        ("/spec", json!({ "rules": [] }), "minimum 1 items"),
        (rule, json!({ "mathc": [] }), "mathc"),
        (rule, json!({ "respond": {} }), "oneOf"),
        (rule, json!({ "name": 1 }), "string"),
        ("/spec/rules/0/match/0", json!({ "path": 1 }), "string"),
        ("/spec/rules/0/match/0", json!({ "pathRegex": "/a" }), "not"),
        ("/spec/rules/0/match/0/headers/0", json!({ "pattern": "a" }), "oneOf"),
        ("/spec/rules/0/backends/0", json!({ "weight": -1 }), "must be >=0"),
        ("/spec/rules/0/backends/0", json!({ "weight": "nine" }), "pattern"),
        ("/spec/rules/0/backends/0", json!({ "port": [80] }), "string"),
        ("/spec/rules/0/backends/1", json!({ "discovery": "dns" }), "service"),
        ("/spec/rules/0/policy/limits", json!({ "bodyBytes": true }), "integer"),
    ] {
        let mut bad = good.clone();
        let at = bad.pointer_mut(place).unwrap().as_object_mut().unwrap();
        at.extend(value.as_object().unwrap().clone());
        let said = validator.says(&bad).unwrap_or_default();
        assert!(said.contains(told), "{place} {value}: {said:?}");
    }
}

#[test]
fn a_variable_may_stand_for_a_number() {
    let validator = Validator::new();
    let with = |weight: &str, status: &str| {
        let text = format!(
            "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: a}}\nspec: {{rules: [{{backends: [{{service: \"${{S}}\", port: \"${{P}}\", weight: \"{weight}\"}}]}}, {{match: [{{path: \"${{X:-/a}}/*\"}}], redirect: {{path: /b, status: {status}}}}}]}}"
        );
        validator.says(&serde_saphyr::from_str::<Value>(&text).unwrap())
    };
    assert_eq!(with("${W:-1}", "308"), None);
    assert_eq!(with("${W}", "\"${STATUS}\""), None);
    assert!(with("9", "308").is_some(), "a number between quotes is a text");
    assert!(with("${W}", "\"308\"").is_some());
    assert!(with("${W}", "200").is_some());
}

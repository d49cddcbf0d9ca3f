//! Every rule that says which fields go together is read, and nothing of Kubernetes is left over.

use serde_json::{Value, json};

use super::super::documents::crd_schema;
use super::{json_schema, meaning};

#[test]
fn which_fields_go_together_is_read() {
    let required = |name: &str| json!({ "required": [name] });
    for (rule, expected) in [
        ("has(self.a) != has(self.b)", Some(json!({ "oneOf": [required("a"), required("b")] }))),
        (
            "(has(self.a) ? 1 : 0) + (has(self.b) ? 1 : 0) + (has(self.c) ? 1 : 0) == 1",
            Some(json!({ "oneOf": [required("a"), required("b"), required("c")] })),
        ),
        (
            "!has(self.__namespace__) || has(self.b)",
            Some(json!({ "dependencies": { "namespace": ["b"] } })),
        ),
        ("!has(self.a) || !has(self.b)", Some(json!({ "not": { "required": ["a", "b"] } }))),
        ("has(self.a) || has(self.b)", Some(json!({ "anyOf": [required("a"), required("b")] }))),
        ("self.matches('^a$')", None),
        ("self == 'dns' || self == 'endpoints'", None),
        ("has(self.a) && self.a > 1", None),
        (
            "!has(self.a) || !has(self.a.b) || has(self.c)",
            Some(json!({ "anyOf": [
                { "not": { "required": ["a"] } },
                { "not": { "required": ["a"], "properties": { "a": { "required": ["b"] } } } },
                { "required": ["c"] },
            ] })),
        ),
        ("has(self.a) || self.b > 1 || has(self.c)", None),
        (
            "!has(self.a) || !has(self.b) || self.b != 'x'",
            Some(json!({ "anyOf": [
                { "not": { "required": ["a"] } },
                { "not": { "required": ["b"] } },
                { "not": { "required": ["b"], "properties": { "b": { "const": "x" } } } },
            ] })),
        ),
        ("has(self.a", None),
    ] {
        assert_eq!(meaning(rule), expected, "{rule}");
    }
    let crd = json!(crd_schema().unwrap());
    let mut rules = Vec::new();
    walk(&crd, &mut |fields| {
        let of_fields = fields.get("x-kubernetes-validations").into_iter();
        let all = of_fields.filter_map(Value::as_array).flatten();
        rules.extend(all.map(|rule| rule["rule"].as_str().unwrap().to_owned()));
    });
    rules.retain(|rule| rule.contains("has(self."));
    assert!(rules.len() >= 8, "{rules:?}");
    for rule in rules {
        assert!(
            meaning(&rule).is_some(),
            "{rule} has no meaning in JSON Schema: write it in a form that has, or say so here"
        );
    }
}

#[test]
fn descriptions_stay_and_nothing_of_kubernetes_does() {
    let (crd, schema) = (json!(crd_schema().unwrap()), json_schema());
    let count = |schema: &Value| {
        let mut count = 0;
        walk(schema, &mut |fields| count += usize::from(fields.contains_key("description")));
        count
    };
    assert!(count(&crd) > 50 && count(&schema) > count(&crd), "{} {}", count(&schema), count(&crd));
    let text = schema.to_string();
    for gone in ["x-kubernetes", "nullable", "int32", "uint16"] {
        assert!(!text.contains(gone), "{gone}");
    }
    walk(&schema, &mut |fields| {
        if fields.contains_key("properties") {
            assert_eq!(fields.get("additionalProperties"), Some(&json!(false)), "{fields:?}");
        }
    });
}

/// Every schema in a schema.
fn walk(schema: &Value, each: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    let Value::Object(fields) = schema else { return };
    each(fields);
    for below in fields
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(serde_json::Map::values)
    {
        walk(below, each);
    }
    for below in ["items", "additionalProperties"] {
        if let Some(below) = fields.get(below) {
            walk(below, each);
        }
    }
}

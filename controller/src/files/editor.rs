//! The schema of the CRD as JSON Schema (draft 7), for editors: they complete fields, show what
//! each means, and mark what the API server would refuse.

#[cfg(test)]
mod tests;

use fairway_crds::{GROUP, VERSION};
use serde_json::{Map, Value, json};

use super::documents::crd_schema;
use super::known::metadata;

/// A text with a variable may stand where a number or a boolean is wanted, in manifests that are
/// read from files.
const VARIABLE: &str = r"^\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}$";

/// The JSON Schema of a whole ServiceRoute.
///
/// Fields that are not known are refused, and every description is kept. Of the rules in CEL those
/// that say which fields go together have a meaning in JSON Schema; those on single texts are left
/// to `fairway check` and the API server: they would refuse variables, and their messages, which
/// say what to write instead, would be lost.
#[must_use]
pub fn json_schema() -> Value {
    let mut whole = crd_schema().map_or_else(|| json!({}), |schema| json!(schema));
    let mut metadata = json!(metadata());
    describe(&mut metadata, "name", "Name of the ServiceRoute, unique in its namespace.");
    describe(
        &mut metadata,
        "namespace",
        "Its namespace. Default: that of the kubeconfig, or default.",
    );
    metadata["required"] = json!(["name"]);
    metadata["description"] = json!("Name, namespace, labels and annotations.");
    let version = format!("{GROUP}/{VERSION}");
    whole["properties"]["apiVersion"] =
        json!({ "type": "string", "enum": [version], "description": "The version of the API." });
    whole["properties"]["kind"] = json!({ "type": "string", "enum": ["ServiceRoute"], "description": "The kind of the object." });
    whole["properties"]["metadata"] = metadata;
    convert(&mut whole);
    whole["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    whole["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    whole["title"] = json!("ServiceRoute");
    whole
}

fn describe(schema: &mut Value, field: &str, text: &str) {
    schema["properties"][field]["description"] = json!(text);
}

/// Turns a structural schema of Kubernetes into JSON Schema, with all that is below it.
fn convert(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    let free = fields.remove("x-kubernetes-preserve-unknown-fields") == Some(json!(true));
    let either = fields.remove("x-kubernetes-int-or-string") == Some(json!(true));
    if fields.remove("x-kubernetes-list-type") == Some(json!("set")) {
        fields.insert("uniqueItems".to_owned(), json!(true));
    }
    let rules = fields.remove("x-kubernetes-validations");
    fields.retain(|name, _| !name.starts_with("x-kubernetes-"));
    // JSON Schema has no formats of numbers, and the others of Kubernetes are about texts.
    if fields.get("format").is_some_and(|format| *format != json!("date-time")) {
        fields.remove("format");
    }
    // A variable may be longer than what it stands for.
    fields.remove("maxLength");
    if either {
        fields.remove("anyOf");
        fields.insert("type".to_owned(), json!(["integer", "string"]));
    }
    let nullable = fields.remove("nullable") == Some(json!(true));
    types(fields, nullable);
    for rule in rules.iter().filter_map(Value::as_array).flatten() {
        let meant = rule["rule"].as_str().and_then(meaning);
        if let Some(Value::Object(meant)) = meant {
            let all = fields.entry("allOf").or_insert_with(|| json!([]));
            if let Value::Array(all) = all {
                all.push(Value::Object(meant));
            }
        }
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(convert);
        if !free && !fields.contains_key("additionalProperties") {
            fields.insert("additionalProperties".to_owned(), json!(false));
        }
    }
    for below in ["items", "additionalProperties"] {
        if let Some(schema) = fields.get_mut(below) {
            convert(schema);
        }
    }
}

/// What may stand there beside the type: nothing, or a variable.
fn types(fields: &mut Map<String, Value>, nullable: bool) {
    let Some(named) = fields.get("type").and_then(Value::as_str).map(str::to_owned) else { return };
    let mut types = vec![named.clone()];
    if matches!(named.as_str(), "integer" | "number" | "boolean") {
        types.push("string".to_owned());
        fields.insert("pattern".to_owned(), json!(VARIABLE));
        if let Some(Value::Array(values)) = fields.remove("enum") {
            // An enum would refuse a variable.
            let variable = json!({ "type": "string" });
            fields.insert("anyOf".to_owned(), json!([{ "enum": values }, variable]));
        }
    }
    if nullable {
        types.push("null".to_owned());
    }
    let types = if types.len() == 1 { json!(named) } else { json!(types) };
    fields.insert("type".to_owned(), types);
}

/// What a rule in CEL says of which fields go together; `None` for every other rule.
fn meaning(rule: &str) -> Option<Value> {
    let mut names = Vec::new();
    let mut shape = String::new();
    let mut rest = rule;
    while let Some(at) = rest.find("has(self.") {
        shape.push_str(&rest[..at]);
        let behind = &rest[at + "has(self.".len()..];
        let (name, after) = behind.split_once(')')?;
        // A word of CEL's own stands between underscores.
        let name = name.strip_prefix("__").and_then(|name| name.strip_suffix("__")).unwrap_or(name);
        names.push(name);
        shape.push('_');
        rest = after;
    }
    shape.push_str(rest);
    let each = || names.iter().map(|name| json!({ "required": [name] })).collect::<Vec<_>>();
    let counted = vec!["(_ ? 1 : 0)"; names.len()].join(" + ");
    match (shape.as_str(), &names[..]) {
        ("_ != _", _) => Some(json!({ "oneOf": each() })),
        ("!_ || _", [given, wanted]) => Some(json!({ "dependencies": { *given: [wanted] } })),
        ("!_ || !_", both) => Some(json!({ "not": { "required": both } })),
        (shape, [_, ..]) if shape == format!("{counted} == 1") => Some(json!({ "oneOf": each() })),
        (shape, [_, _, ..]) => any_of(shape, &names),
        _ => None,
    }
}

/// Fields of which one at least has to be there, or, behind a `!`, not to be there, or to be another
/// text.
fn any_of(shape: &str, names: &[&str]) -> Option<Value> {
    let mut names = names.iter();
    let choices = shape.split(" || ").map(|part| match part {
        "_" => names.next().map(|name| there(name)),
        "!_" => names.next().map(|name| json!({ "not": there(name) })),
        other => differs(other),
    });
    let choices: Vec<Value> = choices.collect::<Option<_>>()?;
    names.next().is_none().then(|| json!({ "anyOf": choices }))
}

/// That a field is not a text: `self.protocol != 'h2c'`.
fn differs(part: &str) -> Option<Value> {
    let (name, text) = part.strip_prefix("self.")?.split_once(" != '")?;
    let text = text.strip_suffix('\'')?;
    let same = json!({ "required": [name], "properties": { name: { "const": text } } });
    Some(json!({ "not": same }))
}

/// That a field is there: `backends`, or `policy.mirror` below another one.
fn there(name: &str) -> Value {
    match name.split_once('.') {
        None => json!({ "required": [name] }),
        Some((above, below)) => {
            json!({ "required": [above], "properties": { above: there(below) } })
        }
    }
}

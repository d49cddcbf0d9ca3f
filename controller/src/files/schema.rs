//! The structural schema of the CRD, walked over a tree: what the API server would refuse at
//! apply is refused here with the same table, all mistakes at once.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::Value;

use super::tree::{Key, Kind, Node, Problem, Scalar};
use crate::compile::nearest;

/// Checks a whole object; `metadata` is Kubernetes' own.
pub(super) fn check_object(node: &Node, schema: &JSONSchemaProps, problems: &mut Vec<Problem>) {
    let Kind::Map(entries) = &node.kind else { return };
    let properties = schema.properties.as_ref();
    for (key, value) in entries {
        match key.text.as_str() {
            "apiVersion" | "kind" | "metadata" => {}
            name => match properties.and_then(|known| known.get(name)) {
                Some(schema) => check(value, schema, name, problems),
                None => unknown(key, name, &["metadata", "spec"], problems),
            },
        }
    }
    if node.get("spec").is_none() {
        problems.push(Problem::new(node.place, "spec is missing: write spec: with its rules"));
    }
}

fn check(node: &Node, schema: &JSONSchemaProps, path: &str, problems: &mut Vec<Problem>) {
    if node.is_null() && schema.nullable == Some(true) {
        return;
    }
    match &node.kind {
        Kind::Map(entries) => check_map(node, entries, schema, path, problems),
        Kind::List(items) => check_list(node, items, schema, path, problems),
        Kind::Scalar(scalar) => check_scalar(node, scalar, schema, path, problems),
    }
}

fn check_map(
    node: &Node,
    entries: &[(Key, Node)],
    schema: &JSONSchemaProps,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    if schema.type_.as_deref() != Some("object") {
        return wrong_type(node, schema, path, "an object", problems);
    }
    let Some(properties) = &schema.properties else { return };
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    for (key, value) in entries {
        let path = format!("{path}.{}", key.text);
        match properties.get(&key.text) {
            Some(schema) => check(value, schema, &path, problems),
            None => unknown(key, &path, &names, problems),
        }
    }
    for name in schema.required.iter().flatten() {
        if !entries.iter().any(|(key, _)| key.text == *name) {
            problems.push(Problem::new(node.place, format!("{path}.{name} is missing")));
        }
    }
}

fn check_list(
    node: &Node,
    items: &[Node],
    schema: &JSONSchemaProps,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    if schema.type_.as_deref() != Some("array") {
        return wrong_type(node, schema, path, "a list", problems);
    }
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some(most) = schema.max_items
        && length > most
    {
        let message = format!("{path} has {length} entries: write at most {most}");
        problems.push(Problem::new(node.place, message));
    }
    if let Some(least) = schema.min_items
        && length < least
    {
        problems.push(Problem::new(node.place, format!("{path} needs at least {least}")));
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        for (index, node) in items.iter().enumerate() {
            check(node, item, &format!("{path}[{index}]"), problems);
        }
    }
}

fn check_scalar(
    node: &Node,
    scalar: &Scalar,
    schema: &JSONSchemaProps,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let value = scalar.value();
    let either = schema.x_kubernetes_int_or_string == Some(true);
    let fits = match (&value, schema.type_.as_deref()) {
        (Value::String(_), _) | (Value::Number(_), _) if either => true,
        (Value::String(_), Some("string")) | (Value::Bool(_), Some("boolean")) => true,
        (Value::Number(number), Some("integer")) => number.is_i64(),
        (Value::Number(_), Some("number")) => true,
        _ => false,
    };
    if !fits {
        let written = match &value {
            Value::Null => "nothing".to_owned(),
            other => other.to_string(),
        };
        return wrong_type(node, schema, path, &written, problems);
    }
    match &value {
        Value::String(text) => check_length(node, text, schema, path, problems),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            let low = schema.minimum.is_some_and(|least| number < least);
            let high = schema.maximum.is_some_and(|most| number > most);
            if low || high {
                let range = match (schema.minimum, schema.maximum) {
                    (Some(least), Some(most)) => format!("from {least} to {most}"),
                    (Some(least), None) => format!("of at least {least}"),
                    (None, Some(most)) => format!("of at most {most}"),
                    (None, None) => String::new(),
                };
                let message = format!("{path} is {}: write a number {range}", scalar.text);
                problems.push(Problem::new(node.place, message));
            }
        }
        _ => {}
    }
}

fn check_length(
    node: &Node,
    text: &str,
    schema: &JSONSchemaProps,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if let Some(most) = schema.max_length
        && length > most
    {
        let message = format!("{path} has {length} characters: write at most {most}");
        problems.push(Problem::new(node.place, message));
    }
    if schema.min_length.is_some_and(|least| length < least) {
        problems.push(Problem::new(node.place, format!("{path} must not be empty")));
    }
}

fn unknown(key: &Key, path: &str, names: &[&str], problems: &mut Vec<Problem>) {
    let advice = match nearest(&key.text, names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known are {}", names.join(", ")),
    };
    problems.push(Problem::new(key.place, format!("unknown field {path}: {advice}")));
}

fn wrong_type(
    node: &Node,
    schema: &JSONSchemaProps,
    path: &str,
    written: &str,
    problems: &mut Vec<Problem>,
) {
    let wanted = match schema.type_.as_deref() {
        Some("string") => "text, in quotes if it looks like a number",
        Some("integer") => "a whole number",
        Some("number") => "a number",
        Some("boolean") => "true or false",
        Some("array") => "a list",
        Some("object") => "an object with fields",
        _ => "a number or a name",
    };
    problems.push(Problem::new(node.place, format!("{path} is {written}: write {wanted}")));
}

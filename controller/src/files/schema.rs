//! The structural schema of the CRD, walked over a tree: what the API server would refuse at
//! apply is refused here with the same table, all mistakes at once.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use super::known::metadata;
use super::tree::{Key, Kind, Node, Place, Problem, Scalar};
use crate::compile::nearest;

/// Checks a whole object. What a variable stood for becomes a number where the schema wants one.
pub(super) fn check_object(node: &mut Node, schema: &JSONSchemaProps, problems: &mut Vec<Problem>) {
    let Node { place, kind: Kind::Map(entries) } = node else { return };
    let properties = schema.properties.as_ref();
    for (key, value) in entries.iter_mut() {
        match key.text.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => check(value, &metadata(), "metadata", problems),
            name => match properties.and_then(|known| known.get(name)) {
                Some(schema) => check(value, schema, name, problems),
                None => {
                    let names = properties.into_iter().flat_map(BTreeMap::keys);
                    let names = names.map(String::as_str).filter(|name| *name != "status");
                    let names: Vec<&str> = ["metadata"].into_iter().chain(names).collect();
                    unknown(key, name, &names, problems);
                }
            },
        }
    }
    if properties.is_none_or(|known| known.contains_key("spec"))
        && !entries.iter().any(|(key, _)| key.text == "spec")
    {
        let spec = properties.and_then(|known| known.get("spec")?.properties.as_ref());
        let has = |field| spec.is_some_and(|spec| spec.contains_key(field));
        let written = if has("rules") {
            "{rules: [{backends: [{service: finance, port: 8000}]}]}".to_owned()
        } else if has("from") {
            format!("{{from: {}, to: {}}}", example("from"), example("to"))
        } else {
            "{ports: [{name: http, port: 8000}]}".to_owned()
        };
        let message = format!("spec is missing: write spec: {written}");
        problems.push(Problem::new(*place, message));
    }
}

fn check(node: &mut Node, schema: &JSONSchemaProps, path: &str, problems: &mut Vec<Problem>) {
    let anything = schema.x_kubernetes_preserve_unknown_fields == Some(true);
    if anything || (node.is_null() && schema.nullable == Some(true)) {
        return;
    }
    let place = node.place;
    match &mut node.kind {
        Kind::Map(entries) => check_map(place, entries, schema, path, problems),
        Kind::List(items) => check_list(place, items, schema, path, problems),
        Kind::Scalar(scalar) => check_scalar(place, scalar, schema, path, problems),
    }
}

fn check_map(
    place: Place,
    entries: &mut [(Key, Node)],
    schema: &JSONSchemaProps,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    if schema.type_.as_deref() != Some("object") {
        return wrong_type(place, schema, path, "an object", problems);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(every)) = &schema.additional_properties {
        for (key, value) in entries {
            check(value, every, &format!("{path}.{}", key.text), problems);
        }
        return;
    }
    let Some(properties) = &schema.properties else { return };
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    for (key, value) in entries.iter_mut() {
        let path = format!("{path}.{}", key.text);
        match properties.get(&key.text) {
            Some(schema) => check(value, schema, &path, problems),
            None => unknown(key, &path, &names, problems),
        }
    }
    for name in schema.required.iter().flatten() {
        if !entries.iter().any(|(key, _)| key.text == *name) {
            let message = format!("{path}.{name} is missing: write {name}: {}", example(name));
            problems.push(Problem::new(place, message));
        }
    }
}

fn check_list(
    place: Place,
    items: &mut [Node],
    schema: &JSONSchemaProps,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    if schema.type_.as_deref() != Some("array") {
        return wrong_type(place, schema, path, "a list", problems);
    }
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some(most) = schema.max_items
        && length > most
    {
        let message = format!("{path} has {length} entries: write at most {most}");
        problems.push(Problem::new(place, message));
    }
    if let Some(least) = schema.min_items
        && length < least
    {
        let name = path.rsplit('.').next().unwrap_or(path);
        let message = format!(
            "{path} has {length} entries: write at least {least}, for example {name}: {}",
            example(name)
        );
        problems.push(Problem::new(place, message));
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        for (index, node) in items.iter_mut().enumerate() {
            check(node, item, &format!("{path}[{index}]"), problems);
        }
    }
}

fn check_scalar(
    place: Place,
    scalar: &mut Scalar,
    schema: &JSONSchemaProps,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let either = schema.x_kubernetes_int_or_string == Some(true);
    if scalar.variable {
        scalar.plain = match schema.type_.as_deref() {
            _ if either => scalar.text.parse::<i64>().is_ok(),
            Some("integer" | "number" | "boolean") => true,
            _ => false,
        };
    }
    let value = scalar.value();
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
        return wrong_type(place, schema, path, &written, problems);
    }
    match &value {
        Value::String(text) => check_length(place, text, schema, path, problems),
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
                problems.push(Problem::new(place, message));
            }
        }
        _ => {}
    }
}

fn check_length(
    place: Place,
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
        problems.push(Problem::new(place, message));
    }
    if schema.min_length.is_some_and(|least| length < least) {
        let message = format!("{path} is empty: write at least 1 character, or leave it out");
        problems.push(Problem::new(place, message));
    }
}

/// What may be written into a field that is required.
fn example(name: &str) -> &'static str {
    match name {
        "rules" => "[{backends: [{service: finance, port: 8000}]}]",
        "backends" => "[{service: finance, port: 8000}]",
        "port" => "8000",
        "from" => "[{group: fairway.dev, kind: ServiceRoute, namespace: market}]",
        "to" => "[{group: \"\", kind: Service, name: finance}]",
        "group" => "fairway.dev, or \"\" for Services",
        "kind" => "ServiceRoute or Service",
        "namespace" => "market",
        _ => "a value",
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
    place: Place,
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
    problems.push(Problem::new(place, format!("{path} is {written}: write {wanted}")));
}

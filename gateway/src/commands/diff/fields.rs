//! The fields in which two values differ, by the names that users write.

use std::collections::BTreeSet;

use fairway_crds::{DEFAULT_CLASS, DEFAULT_PERCENT, DEFAULT_WEIGHT};
use serde::Serialize;
use serde_json::Value;

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldChange {
    /// `match[0].path`
    pub(super) field: String,
    /// None where it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) old: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new: Option<Value>,
}

/// What the API server writes where nothing is written: to leave it out is to write it.
pub(super) fn default_of(field: &str) -> Option<Value> {
    match field {
        "class" => Some(DEFAULT_CLASS.into()),
        "weight" => Some(DEFAULT_WEIGHT.into()),
        "percent" => Some(DEFAULT_PERCENT.into()),
        _ => None,
    }
}

/// The fields in which two values differ, in the order of their names; each name begins with
/// `prefix`.
pub(super) fn changes(prefix: &str, old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare(prefix.to_owned(), Some(old), Some(new), &mut found);
    found
}

fn compare(field: String, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<FieldChange>) {
    match (old, new) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let below = if field.is_empty() { key.clone() } else { format!("{field}.{key}") };
                let default = default_of(key);
                let one = |side: Option<&'_ Value>| side.or(default.as_ref()).cloned();
                let (before, after) = (one(before.get(key)), one(after.get(key)));
                compare(below, before.as_ref(), after.as_ref(), found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after)))
            if before.iter().chain(after).all(Value::is_object) =>
        {
            entries(&field, before, after, found);
        }
        (old, new) if old == new => {}
        (old, new) => found.push(FieldChange { field, old: old.cloned(), new: new.cloned() }),
    }
}

/// Compares lists of objects without what is the same at their ends, so that one entry more does
/// not change all behind it.
fn entries(field: &str, old: &[Value], new: &[Value], found: &mut Vec<FieldChange>) {
    let alike = |(a, b): &(&Value, &Value)| same(a, b);
    let back = old.iter().rev().zip(new.iter().rev()).take_while(alike).count();
    let (old, new) = (&old[..old.len() - back], &new[..new.len() - back]);
    for index in 0..old.len().max(new.len()) {
        compare(format!("{field}[{index}]"), old.get(index), new.get(index), found);
    }
}

/// Whether two values mean the same: defaults are as good as written.
pub(super) fn same(old: &Value, new: &Value) -> bool {
    changes("", old, new).is_empty()
}

/// A value as it would stand in a line of YAML.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", flow(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Whether a text is the same without quotes, and is no number or word of YAML's own.
fn is_plain(text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || "/-._~%@$*+".contains(c);
    let own = ["true", "false", "null", "yes", "no", "on", "off", "~"];
    text.chars().all(word)
        && text.starts_with(|c: char| c.is_alphabetic() || c == '/' || c == '_')
        && !own.contains(&text.to_ascii_lowercase().as_str())
}

//! Policies of the operator, held against the same schema as those of routes: what a policy of a
//! route may hold, and nothing else, is what a policy in the file may hold.

use fairway_controller::compile::policy_problems;
use fairway_crds::Policy;
use serde_json::Value;

use super::hint::did_you_mean_or_all;
use super::parse::Reader;

impl Reader<'_> {
    /// A policy of the operator.
    pub(super) fn policy(&mut self, name: &str) -> Policy {
        let Some(given) = self.raw.get(name) else { return Policy::default() };
        let written = given.tree.clone().unwrap_or_default();
        read(&given.place, written, self.mistakes)
    }
}

/// Reads a policy; with a mistake, all mistakes are told and the policy is empty.
pub(super) fn read(place: &str, written: Value, mistakes: &mut Vec<String>) -> Policy {
    let before = mistakes.len();
    check(place, &written, &schema(), mistakes);
    if mistakes.len() > before {
        return Policy::default();
    }
    match serde_json::from_value::<Policy>(written) {
        Ok(policy) => {
            for (field, problem) in policy_problems(&policy) {
                let field = field.trim_start_matches("policy");
                mistakes.push(format!("{place}{field}: {problem}"));
            }
            policy
        }
        Err(error) => {
            mistakes.push(format!("{place}: {error}"));
            Policy::default()
        }
    }
}

/// The schema of `spec.policy`, from the CRD; null lets everything pass.
fn schema() -> Value {
    let crd = fairway_crds::all().into_iter().next().map(serde_json::to_value);
    let schema = crd.and_then(Result::ok).unwrap_or_default();
    let policy = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/policy";
    schema.pointer(policy).cloned().unwrap_or_default()
}

/// Unknown fields and values of the wrong kind, at any depth. Null counts as not written.
pub(super) fn check(place: &str, written: &Value, schema: &Value, mistakes: &mut Vec<String>) {
    let kind = schema.get("type").and_then(Value::as_str);
    match (written, kind) {
        (Value::Null, _)
        | (_, None)
        | (Value::String(_), Some("string"))
        | (Value::Bool(_), Some("boolean"))
        | (Value::Number(_), Some("integer" | "number")) => {}
        (Value::Array(items), Some("array")) => {
            let schema = schema.get("items").unwrap_or(&Value::Null);
            for (index, item) in items.iter().enumerate() {
                check(&format!("{place}[{index}]"), item, schema, mistakes);
            }
        }
        (Value::Object(entries), Some("object")) => {
            let Some(Value::Object(known)) = schema.get("properties") else { return };
            for (key, value) in entries {
                let place = format!("{place}.{key}");
                if let Some(schema) = known.get(key) {
                    check(&place, value, schema, mistakes);
                } else {
                    let names: Vec<&str> = known.keys().map(String::as_str).collect();
                    let advice = did_you_mean_or_all(key, &names);
                    mistakes.push(format!("{place} is not known: {advice}"));
                }
            }
        }
        (other, Some(kind)) => {
            let advice = match kind {
                "object" => "fields below it, for example timeouts: {response: 10s}",
                "array" => "a list",
                "string" => "text; a duration has a unit, for example 15s",
                "boolean" => "true or false",
                _ => "a number",
            };
            mistakes.push(format!("{place} is {other}: write {advice}"));
        }
    }
}

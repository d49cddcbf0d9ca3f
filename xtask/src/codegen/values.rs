//! The values of the chart as `values.yaml` documents them: the source of the table in its README
//! and of the schema by which Helm refuses what the chart does not know.

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::MARK;

/// Lower case letters, digits and -, as in names of Kubernetes.
const NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A number and a unit, up to four times: the durations of the Gateway API (GEP-2257).
const DURATION: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// A value that can be set.
struct Documented {
    /// Its keys from the top, joined by dots.
    path: String,
    /// What stands in brackets before the meaning; empty is the type of the default.
    kind: String,
    meaning: String,
    default: Value,
}

/// README.md of the chart.
pub(super) fn readme(values: &str) -> anyhow::Result<String> {
    let mut out = format!(
        "# The chart of Fairway\n\n<!-- {MARK} -->\n\n```sh\nhelm install fairway charts/fairway --namespace fairway-system --create-namespace\n```\n\nHow to install, upgrade and uninstall: [docs/install.md](../../docs/install.md). A key that is not in this table is refused.\n\n| value | default | meaning |\n|---|---|---|\n"
    );
    for value in read(values)? {
        let default = value.default.to_string();
        let meaning = match value.kind.strip_prefix("one of ") {
            Some(words) => format!("{words}. {}", value.meaning),
            None => value.meaning,
        };
        out.push_str(&format!("| `{}` | `{default}` | {meaning} |\n", value.path));
    }
    Ok(out)
}

/// `values.schema.json`.
pub(super) fn schema(values: &str) -> anyhow::Result<String> {
    let mut top = closed();
    top["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    top["title"] = json!(format!("Values of the chart of Fairway, {MARK}"));
    // Helm hands it to every chart.
    top["properties"]["global"] = json!({ "type": "object" });
    for value in read(values)? {
        let mut place = &mut top;
        let mut keys: Vec<&str> = value.path.split('.').collect();
        let last = keys.pop().context("a value has no name")?;
        for key in keys {
            place = &mut place["properties"][key];
            if place.is_null() {
                *place = closed();
                place["properties"]["global"] = json!({ "type": "object" });
            }
        }
        let mut kind = kind(&value).with_context(|| format!("values.yaml: {}", value.path))?;
        kind["description"] = json!(value.meaning);
        place["properties"][last] = kind;
    }
    Ok(format!("{}\n", serde_json::to_string_pretty(&top)?))
}

fn closed() -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": {} })
}

/// Every value, in the order of the file.
fn read(text: &str) -> anyhow::Result<Vec<Documented>> {
    let defaults: Value = serde_saphyr::from_str(text).context("values.yaml cannot be read")?;
    let mut values = Vec::new();
    let (mut path, mut comment, mut inside) = (Vec::new(), None, None);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let written = line.trim_start();
        let indent = line.len() - written.len();
        if inside.is_some_and(|value| indent > value) {
            continue;
        }
        if let Some(text) = written.strip_prefix("# -- ") {
            comment = Some(text);
            continue;
        }
        let Some((key, _)) = written.split_once(':').filter(|_| !written.starts_with('#')) else {
            continue;
        };
        path.truncate(indent / 2);
        path.push(key);
        let name = path.join(".");
        let default = defaults.pointer(&format!("/{}", path.join("/")));
        let default = default.with_context(|| format!("values.yaml: where is {name}?"))?.clone();
        inside = comment.is_some().then_some(indent);
        match comment.take() {
            Some(text) => {
                let (kind, meaning) = split(text);
                values.push(Documented { path: name, kind, meaning, default });
            }
            None if default.is_object() => {}
            None => bail!("values.yaml: {name} has no meaning: write # -- (type) meaning above it"),
        }
    }
    Ok(values)
}

/// The type in brackets, and the meaning.
fn split(text: &str) -> (String, String) {
    let typed = text.strip_prefix('(').and_then(|rest| rest.split_once(") "));
    let (kind, meaning) = typed.unwrap_or(("", text));
    (kind.to_owned(), meaning.to_owned())
}

/// The schema of a type.
fn kind(value: &Documented) -> anyhow::Result<Value> {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let number =
        |least: u32, most: u32| json!({ "type": "integer", "minimum": least, "maximum": most });
    Ok(match value.kind.as_str() {
        "" => match &value.default {
            Value::Bool(_) => json!({ "type": "boolean" }),
            Value::Number(_) => json!({ "type": "integer" }),
            Value::String(_) => json!({ "type": "string" }),
            other => bail!("{other} does not say its type: write # -- (type) meaning"),
        },
        "map" => json!({ "type": "object" }),
        "map of string" => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        "map of listener" => {
            json!({ "type": "object", "additionalProperties": false, "patternProperties": { NAME: listener()? } })
        }
        "policy" => policy()?,
        "list of host policy" => host_policy(),
        "list of string" => json!({ "type": "array", "items": { "type": "string" } }),
        "list of integer" => json!({ "type": "array", "items": { "type": "integer" } }),
        "list of map" => json!({ "type": "array", "items": { "type": "object" } }),
        "list of name" => json!({ "type": "array", "items": text(NAME) }),
        "integer or string" => json!({ "type": ["integer", "string"] }),
        "port" => number(1, 65_535),
        "duration" => text(DURATION),
        "name" => text(NAME),
        "domain" => text(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\.?$"),
        other => {
            if let Some(words) = other.strip_prefix("one of ") {
                json!({ "enum": words.split(", ").collect::<Vec<_>>() })
            } else if let Some(least) = other.strip_prefix("at least ") {
                number(least.parse()?, 1_000_000)
            } else if let Some((least, most)) =
                other.strip_prefix("from ").and_then(|range| range.split_once(" to "))
            {
                number(least.parse()?, most.parse()?)
            } else {
                bail!("{other:?} is no type")
            }
        }
    })
}

fn listener() -> anyhow::Result<Value> {
    let port = |least: u32| json!({ "type": "integer", "minimum": least, "maximum": 65_535 });
    let mut listener = closed();
    listener["required"] = json!(["port"]);
    listener["properties"] = json!({
        "port": port(1),
        "servicePort": port(0),
        "nodePort": port(0),
        "hostPort": port(0),
        "bind": { "type": "string" },
        "normalization": { "type": "object" },
        "protocol": { "type": "string", "enum": ["HTTP", "HTTPS"] },
        "proxyProtocol": { "type": "boolean" },
        "policy": policy()?,
    });
    Ok(listener)
}

/// Entries of `hostPolicy`; the gateway itself checks hosts and paths.
fn host_policy() -> Value {
    let texts = || json!({ "type": "array", "minItems": 1, "items": { "type": "string" } });
    let mut allowed = closed();
    allowed["properties"] = json!({ "hosts": texts(), "paths": texts() });
    let mut entry = closed();
    entry["required"] = json!(["namespaces", "allow"]);
    entry["properties"] =
        json!({ "namespaces": texts(), "allow": { "type": "array", "items": allowed } });
    json!({ "type": "array", "items": entry })
}

/// The schema of `spec.policy`, from the definition of ServiceRoute, without what only routes have.
fn policy() -> anyhow::Result<Value> {
    let definition = fairway_crds::all().into_iter().next().map(serde_json::to_value);
    let definition = definition.context("there is no definition")??;
    let policy = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/policy";
    let policy = definition.pointer(policy).context("the definition has no policy")?;
    let mut policy = as_json_schema(policy);
    policy["properties"].as_object_mut().context("a policy has no fields")?.remove("mirror");
    Ok(policy)
}

/// A schema of Kubernetes as JSON Schema: fields that are not known are refused there without
/// being said, and some rules are patterns.
fn as_json_schema(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in fields {
        match key.as_str() {
            "x-kubernetes-validations" => out.extend(pattern(value)),
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let properties: Map<String, Value> = properties
                    .map(|(name, schema)| (name.clone(), as_json_schema(schema)))
                    .collect();
                out.insert("properties".to_owned(), properties.into());
                out.insert("additionalProperties".to_owned(), json!(false));
            }
            "items" => {
                out.insert(key.clone(), as_json_schema(value));
            }
            // Null is what Helm takes a value away by.
            "nullable" | "format" | "default" => {}
            other if other.starts_with("x-kubernetes") => {}
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    out.into()
}

fn pattern(rules: &Value) -> Option<(String, Value)> {
    let mut rules = rules.as_array()?.iter().filter_map(|rule| rule["rule"].as_str());
    let found = rules.find_map(|rule| {
        rule.strip_prefix("self.matches('")?.strip_suffix("')").filter(|rest| !rest.contains('\''))
    });
    found.map(|pattern| ("pattern".to_owned(), json!(pattern)))
}

#[cfg(test)]
mod tests {
    use super::{read, schema};

    #[test]
    fn a_value_without_a_meaning_is_told() {
        let values = "# -- Good.\na: 1\nb:\n  # -- (map) Free.\n  c: {x: {y: 1}}\n  d: 2\n";
        let told = read(values).err().unwrap().to_string();
        assert_eq!(told, "values.yaml: b.d has no meaning: write # -- (type) meaning above it");
        let told = schema("# -- (strange) X.\na: 1\n").unwrap_err();
        assert_eq!(format!("{told:#}"), "values.yaml: a: \"strange\" is no type");
        let told = schema("# -- X.\na: []\n").unwrap_err();
        assert!(format!("{told:#}").contains("[] does not say its type"), "{told:#}");
    }
}

//! `hostPolicy` in the file: which hosts and paths each namespace may use.

use std::fmt::Display;
use std::str::FromStr;

use fairway_controller::compile::{Allowed, HostPolicy, HostPolicyEntry};
use fairway_snapshot::PathPattern;
use serde_json::{Value, json};

use super::parse::Reader;
use super::policies;

impl Reader<'_> {
    /// The host policy. With a mistake in it nobody may use anything; a gateway does not start, or
    /// keeps its last good one.
    pub(super) fn host_policy(&mut self) -> Option<HostPolicy> {
        let given = self.raw.get("host-policy")?;
        let written = given.tree.clone().filter(|tree| !tree.is_null())?;
        let before = self.mistakes.len();
        policies::check(&given.place, &written, &schema(), self.mistakes);
        let mut entries = Vec::new();
        if written.as_array().is_some_and(Vec::is_empty) {
            self.mistakes.push(format!(
                "{} has no entry, so that nobody might use anything: write entries, or leave it out",
                given.place
            ));
        }
        if self.mistakes.len() == before {
            for (index, entry) in items(&written).enumerate() {
                let place = format!("{}[{index}]", given.place);
                entries.push(read_entry(&place, entry, self.mistakes));
            }
        }
        Some(HostPolicy { entries })
    }
}

/// What may be written, for what is wrong in kind or name.
fn schema() -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    let allowed = json!({ "type": "object", "properties": { "hosts": texts.clone(), "paths": texts.clone() } });
    let allow = json!({ "type": "array", "items": allowed });
    let entry = json!({ "type": "object", "properties": { "namespaces": texts, "allow": allow } });
    json!({ "type": "array", "items": entry })
}

fn read_entry(place: &str, written: &Value, mistakes: &mut Vec<String>) -> HostPolicyEntry {
    let namespaces = texts(place, written, "namespaces", mistakes);
    if namespaces.is_empty() && items(&written["namespaces"]).next().is_none() {
        mistakes.push(format!(
            "{place}: write the namespaces that it is for, for example namespaces: [finance], or [\"*\"] for all others"
        ));
    }
    if written.get("allow").is_none_or(Value::is_null) {
        mistakes.push(format!(
            "{place}: write what they may use, for example allow: [{{hosts: [api.example.com], paths: [/e/fin/*]}}], or allow: [] for nothing"
        ));
    }
    let allow = items(&written["allow"]).enumerate();
    let allow = allow
        .map(|(index, one)| read_allowed(&format!("{place}.allow[{index}]"), one, mistakes))
        .collect();
    HostPolicyEntry { namespaces, allow }
}

fn read_allowed(place: &str, written: &Value, mistakes: &mut Vec<String>) -> Allowed {
    for (list, whole) in [("hosts", "every host"), ("paths", "every path")] {
        if written[list].as_array().is_some_and(Vec::is_empty) {
            mistakes
                .push(format!("{place}.{list} is empty: name some, or leave it out for {whole}"));
        }
    }
    let hosts = texts(place, written, "hosts", mistakes);
    let paths: Vec<PathPattern> = texts(place, written, "paths", mistakes);
    for path in &paths {
        if !path.is_exact() && path.capture_names().any(|name| name != "*") {
            mistakes.push(format!(
                "{place}.paths: \"{path}\": a capture says nothing here: write a path such as /e/fin, or one that ends with /*"
            ));
        }
    }
    Allowed { hosts, paths }
}

fn texts<T: FromStr<Err: Display>>(
    place: &str,
    written: &Value,
    list: &str,
    mistakes: &mut Vec<String>,
) -> Vec<T> {
    let mut read = Vec::new();
    for (index, item) in items(&written[list]).enumerate() {
        match item.as_str().unwrap_or_default().parse::<T>() {
            Ok(one) => read.push(one),
            Err(error) => mistakes.push(format!("{place}.{list}[{index}]: {error}")),
        }
    }
    read
}

fn items(written: &Value) -> impl Iterator<Item = &Value> {
    written.as_array().into_iter().flatten()
}

//! Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::Finding;
use super::ids::meaning;

/// The log of one run.
pub(super) fn log(findings: &[Finding]) -> Value {
    let ids: BTreeSet<&str> = findings.iter().map(|finding| finding.reason.as_str()).collect();
    let rules = ids
        .iter()
        .map(|id| json!({ "id": id, "shortDescription": { "text": meaning(id).unwrap_or(id) } }));
    let results = findings.iter().map(|finding| result(finding, &ids));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "fairway check",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding, ids: &BTreeSet<&str>) -> Value {
    let field = finding.field.as_ref().map_or_else(String::new, |field| format!("{field}: "));
    let mut place =
        json!({ "physicalLocation": { "artifactLocation": { "uri": uri(&finding.file) } } });
    // What is about a whole file has no line.
    if finding.line > 0 {
        place["physicalLocation"]["region"] =
            json!({ "startLine": finding.line, "startColumn": finding.column.max(1) });
    }
    if let Some(object) = &finding.object {
        let rule = finding.rule.as_ref().map_or_else(String::new, |rule| format!("/{rule}"));
        place["logicalLocations"] = json!([{ "fullyQualifiedName": format!("{object}{rule}") }]);
    }
    json!({
        "ruleId": finding.reason,
        "ruleIndex": ids.iter().position(|id| *id == finding.reason),
        // The words of severity are those of SARIF.
        "level": finding.severity,
        "message": { "text": format!("{field}{}", finding.message) },
        "locations": [place],
    })
}

/// A file as a reference (RFC 3986): relative as it was named, so that it is found in a checkout.
fn uri(file: &Path) -> String {
    let text = file.to_string_lossy();
    let mut uri = String::from(if file.is_absolute() { "file://" } else { "" });
    for byte in text.strip_prefix("./").unwrap_or(&text).bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

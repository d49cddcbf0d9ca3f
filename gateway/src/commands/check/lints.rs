//! What the compiler takes, and what could be written better.

use fairway_controller::files::Loaded;
use fairway_snapshot::PathRegex;

use super::Finding;

/// The id of what is found here.
const COULD_BE_PATH: &str = "CouldBePath";

/// Expressions where a path says the same, at less cost and for more readers.
pub(super) fn regexes(loaded: &Loaded) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, route) in &loaded.inputs.routes {
        let Ok(spec) = route.spec() else { continue };
        for (rule, written) in spec.rules.iter().enumerate() {
            for (index, matched) in written.matches.iter().enumerate() {
                let regex = matched.path_regex.as_ref().and_then(|text| text.parse().ok());
                let Some(path) = regex.as_ref().and_then(PathRegex::as_pattern) else { continue };
                let field = format!("spec.rules[{rule}].match[{index}].pathRegex");
                let also = if path.has_rest() {
                    format!(", which also takes {}", path.literal_prefix().trim_end_matches('/'))
                } else {
                    String::new()
                };
                findings.push(Finding {
                    severity: "warning",
                    reason: COULD_BE_PATH.to_owned(),
                    object: Some(id.to_string()),
                    rule: Some(written.name.clone().unwrap_or_else(|| format!("rule-{rule}"))),
                    message: format!("a path costs less: write path: {path}{also}"),
                    ..Finding::at(loaded, id, field)
                });
            }
        }
    }
    findings
}

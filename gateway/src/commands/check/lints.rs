//! What the compiler takes, and what could be written better, or is probably not as meant.

use fairway_controller::CompileOptions;
use fairway_controller::files::Loaded;
use fairway_crds::{Policy, RouteMatch, RouteRule, ServiceRouteSpec};
use fairway_snapshot::path::hole;
use fairway_snapshot::{Normalization, ObjectId, PathMatch, PathRegex};

use super::Finding;

/// An expression where a path says the same, at less cost and for more readers.
const COULD_BE_PATH: &str = "CouldBePath";
/// An expression that no normalised path matches.
const NEVER_MATCHES: &str = "NeverMatches";
/// A capture that a rewrite leaves out though it uses others.
const UNUSED_CAPTURE: &str = "UnusedCapture";

/// A match of a rule, and where it stands.
struct At<'l> {
    loaded: &'l Loaded,
    object: &'l ObjectId,
    rule: (usize, &'l RouteRule),
    index: usize,
    matched: &'l RouteMatch,
}

/// Everything that is found in matches.
pub(super) fn matches(loaded: &Loaded, options: &CompileOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (object, route) in &loaded.inputs.routes {
        let Ok(spec) = route.spec() else { continue };
        for rule in spec.rules.iter().enumerate() {
            for (index, matched) in rule.1.matches.iter().enumerate() {
                let at = At { loaded, object, rule, index, matched };
                if let Some(regex) = matched.path_regex.as_ref().and_then(|text| text.parse().ok())
                {
                    // What never matches is not what a path would match.
                    let found = at.never_matches(&regex, options);
                    findings.extend(found.or_else(|| at.could_be_path(&regex)));
                }
                findings.extend(at.unused_captures(&spec));
            }
        }
    }
    findings
}

impl At<'_> {
    fn finding(
        &self,
        severity: &'static str,
        reason: &str,
        field: &str,
        message: String,
    ) -> Finding {
        let (number, rule) = self.rule;
        let field = format!("spec.rules[{number}].match[{}].{field}", self.index);
        Finding {
            severity,
            reason: reason.to_owned(),
            object: Some(self.object.to_string()),
            rule: Some(rule.name_at(number).into_owned()),
            message,
            ..Finding::at(self.loaded, self.object, field)
        }
    }

    fn could_be_path(&self, regex: &PathRegex) -> Option<Finding> {
        let path = regex.as_pattern()?;
        let also = if path.has_rest() {
            format!(", which also takes {}", path.literal_prefix().trim_end_matches('/'))
        } else {
            String::new()
        };
        let message = format!("a path costs less: write path: {path}{also}");
        Some(self.finding("warning", COULD_BE_PATH, "pathRegex", message))
    }

    /// Told where it matches on none of the listeners, each of which normalises in its own way.
    fn never_matches(&self, regex: &PathRegex, options: &CompileOptions) -> Option<Finding> {
        let usual = Normalization::default();
        let of_listeners = options.listeners.values().map(|listener| &listener.normalization);
        let all: Vec<&Normalization> = of_listeners.collect();
        let all = if all.is_empty() { vec![&usual] } else { all };
        let why: Option<Vec<String>> =
            all.into_iter().map(|one| regex.never_matches(one)).collect();
        let why = why?.into_iter().next()?;
        Some(self.finding(
            "warning",
            NEVER_MATCHES,
            "pathRegex",
            format!("it never matches: {why}"),
        ))
    }

    /// A capture that nothing uses is a placeholder, as in /users/{id}/orders. Where a rewrite uses
    /// some and not all, one was perhaps forgotten.
    fn unused_captures(&self, spec: &ServiceRouteSpec) -> Vec<Finding> {
        let (field, path): (&str, Option<PathMatch>) =
            match (&self.matched.path, &self.matched.path_regex) {
                (Some(text), None) => ("path", text.parse().ok().map(PathMatch::Pattern)),
                (None, Some(text)) => {
                    ("pathRegex", text.parse().ok().map(|regex| PathMatch::Regex { regex }))
                }
                (None, None) | (Some(_), Some(_)) => return Vec::new(),
            };
        let rule = self.rule.1;
        let rewrite =
            rule.rewrite.as_ref().and_then(|to| Some(("rewrite.path", to.path.as_ref()?)));
        let redirect =
            rule.redirect.as_ref().and_then(|to| Some(("redirect.path", to.path.as_ref()?)));
        let (Some(path), Some((name, template))) = (path, rewrite.or(redirect)) else {
            return Vec::new();
        };
        let captured = path.capture_names();
        let (used, left): (Vec<&str>, Vec<&str>) =
            captured.into_iter().partition(|capture| is_used(template, capture));
        if used.is_empty() {
            return Vec::new();
        }
        let values = [&rule.policy, &spec.policy].into_iter().flatten().flat_map(header_values);
        let values: Vec<&String> = values.collect();
        let left =
            left.into_iter().filter(|capture| !values.iter().any(|value| is_used(value, capture)));
        let told = left.map(|capture| {
            let capture = hole(capture);
            let message = format!("{name} {template} leaves out {capture}, which it captures: nobody behind the gateway sees it");
            self.finding("note", UNUSED_CAPTURE, field, message)
        });
        told.collect()
    }
}

/// Whether a template of a path or a header uses a capture.
fn is_used(template: &str, capture: &str) -> bool {
    template.contains(&format!("{{{capture}}}")) || (capture == "*" && template.ends_with("/*"))
}

/// The values of the header fields that a policy sets or adds.
fn header_values(policy: &Policy) -> impl Iterator<Item = &String> {
    let edits =
        policy.headers.iter().flat_map(|headers| headers.request.iter().chain(&headers.response));
    edits.flat_map(|edits| edits.set.values().chain(edits.add.values()))
}

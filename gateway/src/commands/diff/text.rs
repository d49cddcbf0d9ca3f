//! Differences for people: a sign at the beginning of each line, with its colour.

use std::fmt::Write;

use anstyle::Style;
use fairway_controller::compile::{Diagnostic, Severity};
use fairway_snapshot::dump::BackendView;
use fairway_snapshot::why::OutcomeView;
use serde_json::Value;

use super::Differences;
use super::fields::{FieldChange, flow};
use super::objects::{Change, ObjectChange, RuleChange};
use crate::output::{BOLD, GREEN, RED, YELLOW};

/// Everything that differs; listeners are named where there are several.
pub(super) fn text(differences: &Differences, listeners: bool) -> String {
    if differences.is_empty() {
        return format!("{GREEN}no difference{GREEN:#}");
    }
    let mut text = String::new();
    for object in &differences.objects {
        self::object(&mut text, object);
    }
    if !differences.requests.is_empty() {
        heading(&mut text, "Requests that get elsewhere, of those that were tried:");
    }
    for change in &differences.requests {
        let request = &change.request;
        let headers: String = request.headers.iter().map(|line| format!(" [{line}]")).collect();
        let on = change.listeners.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let on = if listeners { format!(", listener {on}") } else { String::new() };
        let _ = writeln!(text, "  {} {}{headers}{on}", request.method, request.url);
        line(&mut text, 4, Change::Removed, &outcome(&change.old));
        line(&mut text, 4, Change::Added, &outcome(&change.new));
    }
    let problems = &differences.problems;
    if !problems.new.is_empty() || !problems.gone.is_empty() {
        heading(&mut text, "Problems:");
    }
    for (found, change) in [(&problems.gone, Change::Removed), (&problems.new, Change::Added)] {
        for one in found {
            line(&mut text, 2, change, &problem(one));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&summary(differences));
    text
}

fn heading(text: &mut String, heading: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{BOLD}{heading}{BOLD:#}");
}

/// A line of something that came or went or is another.
fn line(text: &mut String, indent: usize, change: Change, what: &str) {
    let (sign, style): (char, Style) = match change {
        Change::Added => ('+', GREEN),
        Change::Removed => ('-', RED),
        Change::Changed => ('~', YELLOW),
    };
    let _ = writeln!(text, "{:indent$}{style}{sign}{style:#} {what}", "");
}

fn object(text: &mut String, object: &ObjectChange) {
    let name = &object.object;
    line(text, 0, object.change, &format!("{BOLD}{name}{BOLD:#}"));
    for field in &object.fields {
        self::field(text, 4, object.change, field);
    }
    for rule in &object.rules {
        self::rule(text, rule);
    }
}

fn rule(text: &mut String, rule: &RuleChange) {
    line(text, 2, rule.change, &format!("rule {}", rule.rule));
    for field in &rule.fields {
        self::field(text, 6, rule.change, field);
    }
    for lead in &rule.leads {
        let (backend, old, new) = (&lead.backend, &lead.old, &lead.new);
        let _ = writeln!(text, "      backend {backend} leads to {old} -> {new}");
    }
}

fn field(text: &mut String, indent: usize, change: Change, field: &FieldChange) {
    let shown = |value: &Option<Value>| value.as_ref().map_or("(none)".to_owned(), flow);
    let value = match change {
        Change::Added => shown(&field.new),
        Change::Removed => shown(&field.old),
        Change::Changed => format!("{} -> {}", shown(&field.old), shown(&field.new)),
    };
    let _ = writeln!(text, "{:indent$}{}: {value}", "", field.field);
}

/// What becomes of a request, in one line.
fn outcome(outcome: &OutcomeView) -> String {
    let mut parts = Vec::new();
    parts.extend(outcome.rule.clone());
    if let Some(status) = outcome.status {
        let more = [&outcome.location, &outcome.message].into_iter().flatten().next();
        let more = more.map_or_else(String::new, |more| format!(" {more}"));
        parts.push(format!("{status}{more}"));
    }
    parts.extend(outcome.allow.as_ref().map(|allow| format!("allow {allow}")));
    if let Some(path) = &outcome.path {
        let host = outcome.host.as_ref().map_or_else(String::new, |host| format!(" for {host}"));
        let backends = outcome.backends.iter().map(backend).collect::<Vec<_>>().join(", ");
        parts.push(format!("sends {path}{host} to {backends}"));
    }
    parts.join(", ")
}

fn backend(backend: &BackendView) -> String {
    let weight = if backend.weight == 1 { String::new() } else { format!(" x{}", backend.weight) };
    let to = match (&backend.invalid, &backend.upstream) {
        (Some(reason), _) => format!(" (500: {reason})"),
        (None, Some(upstream)) => format!(" ({upstream})"),
        (None, None) => String::new(),
    };
    format!("{}{weight}{to}", backend.reference)
}

fn problem(found: &Diagnostic) -> String {
    let severity = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    format!("{severity} [{}] {} {found}", found.reason, found.object)
}

fn summary(differences: &Differences) -> String {
    let problems = &differences.problems;
    let rules = differences.objects.iter().map(|object| object.rules.len()).sum();
    let counts = [
        (differences.objects.len(), "object"),
        (rules, "rule"),
        (differences.requests.len(), "request"),
        (problems.new.len(), "new problem"),
        (problems.gone.len(), "gone problem"),
    ];
    let counted = counts.into_iter().filter(|(number, _)| *number > 0);
    let counted: Vec<String> = counted.map(|(number, what)| count(number, what)).collect();
    format!("differ: {}", counted.join(", "))
}

/// `1 rule`, `2 rules`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

//! Variables in manifests: `${NAME}`, `${NAME:-default}`, and `$${` for a literal `${`.

use super::tree::{Kind, Node, Place, Problem};

/// Puts variables into every text of a tree. Every name that is missing is a problem.
pub(super) fn expand(
    node: &mut Node,
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) {
    match &mut node.kind {
        Kind::Scalar(scalar) => {
            if scalar.text.contains("${") {
                let inside = scalar.text.strip_prefix("${").and_then(|text| text.split_once('}'));
                scalar.variable = inside.is_some_and(|(_, behind)| behind.is_empty());
                scalar.text = expand_text(&scalar.text, node.place, lookup, problems);
            }
        }
        Kind::List(items) => items.iter_mut().for_each(|item| expand(item, lookup, problems)),
        Kind::Map(entries) => {
            entries.iter_mut().for_each(|(_, value)| expand(value, lookup, problems));
        }
    }
}

fn expand_text(
    text: &str,
    at: Place,
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let before = &rest[..begin];
        let behind = &rest[begin + 2..];
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = behind;
            continue;
        }
        out.push_str(before);
        let Some((inside, tail)) = behind.split_once('}') else {
            let message =
                format!("{text:?}: ${{ without }}: write ${{NAME}}, or $${{ for a literal ${{");
            problems.push(Problem::new(at, message));
            return out;
        };
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        // An empty variable counts as not set where a default is given, as in a shell.
        let value = lookup(name).filter(|value| default.is_none() || !value.is_empty());
        match (value, default) {
            _ if !is_name(name) => {
                let message = format!(
                    "${{{name}}}: a variable is named with letters, digits and _: write ${{NAME}}"
                );
                problems.push(Problem::new(at, message));
            }
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => out.push_str(default),
            (None, None) => {
                // What is missing stays as it is written, so that it is one problem and not two.
                out.push_str(&rest[begin..begin + 3 + inside.len()]);
                let message = format!(
                    "${{{name}}} is not set: set {name} in the environment or in .env, or write ${{{name}:-default}}"
                );
                problems.push(Problem::new(at, message));
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The lines of a `.env` file: `NAME=value`, with comments, quotes and `export` as shells have
/// them. A line that is none of these is a problem.
pub(super) fn parse_env_file(text: &str) -> (Vec<(String, String)>, Vec<Problem>) {
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        match line.split_once('=') {
            Some((name, value)) if is_name(name.trim()) => {
                values.push((name.trim().to_owned(), unquote(value.trim())));
            }
            _ => {
                let at = Place { line: number, column: 1 };
                problems.push(Problem::new(at, "not a setting: write NAME=value"));
            }
        }
    }
    (values, problems)
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        let Some(behind) = value.strip_prefix(quote) else { continue };
        let closed = behind.split_once(quote).filter(|(_, tail)| {
            let comment = tail.starts_with([' ', '\t']) && tail.trim_start().starts_with('#');
            tail.is_empty() || comment
        });
        if let Some((inner, _)) = closed {
            return inner.to_owned();
        }
        if let Some(inner) = behind.strip_suffix(quote) {
            return inner.to_owned();
        }
    }
    // A comment behind a value needs a blank before it, for a value may hold #.
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

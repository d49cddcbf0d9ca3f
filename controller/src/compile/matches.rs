//! The matches of a rule: user text, parsed once.

use std::sync::{Arc, LazyLock};

use fairway_crds::{RouteMatch, names};
use fairway_snapshot::{
    Conditions, HeaderCondition, MethodMatch, MethodSet, PathMatch, PathPattern, PathRegex,
    Pattern, QueryCondition, ValueMatch,
};
use http::{HeaderName, Method};

/// A match whose path could be read.
pub(super) struct ParsedMatch<'w> {
    pub(super) index: u16,
    pub(super) path: PathMatch,
    pub(super) methods: MethodMatch,
    pub(super) conditions: Option<Arc<Conditions>>,
    /// The version of the API that it asks for.
    pub(super) version: Option<&'w str>,
    /// Whether it names HEAD itself.
    pub(super) names_head: bool,
    /// What is wrong with the rest of it. Such a match takes every method and whatever a condition
    /// that cannot be read may have meant, and answers 500: were it left out, a wider rule would
    /// serve what somebody meant to treat specially.
    pub(super) problem: Option<String>,
}

/// Reads the matches of a rule; none means everything. What cannot be read is told to `problem`
/// with its field below `field`. A match is left out only when its path cannot be read, for then
/// nobody knows which requests it should keep from other rules.
pub(super) fn parse<'w>(
    matches: &'w [RouteMatch],
    field: &str,
    mut problem: impl FnMut(String, String),
) -> Vec<ParsedMatch<'w>> {
    static EVERYTHING: LazyLock<[RouteMatch; 1]> = LazyLock::new(Default::default);
    let given = if matches.is_empty() { &EVERYTHING[..] } else { matches };
    let mut parsed = Vec::with_capacity(given.len());
    for (index, written) in (0u16..).zip(given) {
        let path = path(written).map_err(|(below, message)| {
            problem(format!("{field}.match[{index}]{below}"), message);
        });
        let mut wrong = None;
        let mut set = MethodSet::default();
        for (number, text) in written.methods.iter().enumerate() {
            match method(text) {
                Some(method) => set.insert(&method),
                None => {
                    let message = format!(
                        "{text:?} is not a method: write one word in capital letters, for example GET"
                    );
                    wrong.get_or_insert_with(|| message.clone());
                    problem(format!("{field}.match[{index}].methods[{number}]"), message);
                }
            }
        }
        let conditions = conditions(written, |below, message| {
            wrong.get_or_insert_with(|| message.clone());
            problem(format!("{field}.match[{index}].{below}"), message);
        });
        if let Ok(path) = path {
            let names_head = set.contains(&Method::HEAD);
            let methods = match wrong {
                None if !set.is_empty() => MethodMatch::Only(set),
                Some(_) if !written.methods.is_empty() => MethodMatch::Guarded,
                None | Some(_) => MethodMatch::Any,
            };
            parsed.push(ParsedMatch {
                index,
                path,
                methods,
                conditions,
                version: written.version.as_deref(),
                names_head,
                problem: wrong,
            });
        }
    }
    parsed
}

/// The path of a match, or the field that is wrong with what is wrong with it.
fn path(written: &RouteMatch) -> Result<PathMatch, (&'static str, String)> {
    match (&written.path, &written.path_regex) {
        (None, None) => Ok(PathMatch::everything()),
        (Some(text), None) => {
            let read = text.parse::<PathPattern>();
            read.map(PathMatch::Pattern).map_err(|error| (".path", error.to_string()))
        }
        (None, Some(text)) => {
            let read = text.parse::<PathRegex>().map(|regex| PathMatch::Regex { regex });
            read.map_err(|error| (".pathRegex", error.to_string()))
        }
        (Some(_), Some(_)) => Err(("", names::ONE_PATH.to_owned())),
    }
}

/// The conditions of a match; those on headers without a readable name are counted.
fn conditions(
    written: &RouteMatch,
    mut problem: impl FnMut(String, String),
) -> Option<Arc<Conditions>> {
    let mut headers = Vec::new();
    let mut unreadable_headers = 0;
    for (number, one) in written.headers.iter().enumerate() {
        let field = format!("headers[{number}]");
        let name = HeaderName::from_bytes(one.name.as_bytes());
        if name.is_err() {
            unreadable_headers += 1;
            problem(format!("{field}.name"), format!("{:?}: {}", one.name, names::HEADER_NAME));
        }
        let value = wanted(&one.value, &one.pattern, one.present, &field, &mut problem);
        headers.extend(name.ok().map(|name| HeaderCondition { name, value }));
    }
    let mut query = Vec::new();
    for (number, one) in written.query.iter().enumerate() {
        let field = format!("query[{number}]");
        let value = wanted(&one.value, &one.pattern, one.present, &field, &mut problem);
        query.push(QueryCondition { name: one.name.as_str().into(), value });
    }
    let conditions = Conditions {
        headers: headers.into(),
        query: query.into(),
        version: None,
        unreadable_headers,
    };
    (!conditions.is_empty()).then(|| Arc::new(conditions))
}

/// What a condition wants of a value: exactly one thing. Where that cannot be read, that there is a
/// value: so the match keeps its rank, and guards what somebody meant to treat specially.
fn wanted(
    value: &Option<String>,
    pattern: &Option<String>,
    present: Option<bool>,
    field: &str,
    problem: &mut impl FnMut(String, String),
) -> ValueMatch {
    match (value, pattern, present) {
        (Some(value), None, None) => ValueMatch::Exact(value.as_str().into()),
        (None, None, Some(present)) => ValueMatch::Present(present),
        (None, Some(pattern), None) => match pattern.parse::<Pattern>() {
            Ok(pattern) => ValueMatch::Pattern(pattern),
            Err(error) => {
                problem(format!("{field}.pattern"), error.to_string());
                ValueMatch::Present(true)
            }
        },
        _ => {
            problem(field.to_owned(), names::ONE_CONDITION.to_owned());
            ValueMatch::Present(true)
        }
    }
}

/// A method in capital letters. Methods are case-sensitive (RFC 9110 section 9.1), so that `get`
/// would never match what a client sends.
fn method(text: &str) -> Option<Method> {
    let capital = text.bytes().all(|byte| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    });
    let begins = text.starts_with(|first: char| first.is_ascii_uppercase());
    if capital && begins { Method::from_bytes(text.as_bytes()).ok() } else { None }
}

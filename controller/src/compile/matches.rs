//! The matches of a rule: user text, parsed once.

use fairway_crds::RouteMatch;
use fairway_snapshot::{MethodMatch, MethodSet, PathPattern};
use http::Method;

/// A match whose path could be read.
pub(super) struct ParsedMatch {
    pub(super) index: u16,
    pub(super) path: PathPattern,
    pub(super) methods: MethodMatch,
    /// Whether it names HEAD itself.
    pub(super) names_head: bool,
    /// What is wrong with the rest of it. Such a match takes every method and answers 500: were
    /// it left out, a wider rule would serve the path that somebody meant to treat specially.
    pub(super) problem: Option<String>,
}

/// Reads the matches of a rule; none means everything. What cannot be read is told to `problem`
/// with its field below `field`. A match is left out only when its path cannot be read, for then
/// nobody knows which requests it should keep from other rules.
pub(super) fn parse(
    matches: &[RouteMatch],
    field: &str,
    mut problem: impl FnMut(String, String),
) -> Vec<ParsedMatch> {
    let everything = [RouteMatch::default()];
    let given = if matches.is_empty() { &everything[..] } else { matches };
    let mut parsed = Vec::with_capacity(given.len());
    for (index, written) in (0u16..).zip(given) {
        let path = match &written.path {
            None => Some(PathPattern::everything()),
            Some(text) => match text.parse::<PathPattern>() {
                Ok(pattern) => Some(pattern),
                Err(error) => {
                    problem(format!("{field}.match[{index}].path"), error.to_string());
                    None
                }
            },
        };
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
        if let Some(path) = path {
            let names_head = set.contains(&Method::HEAD);
            let methods = match wrong {
                None if !set.is_empty() => MethodMatch::Only(set),
                None | Some(_) => MethodMatch::Any,
            };
            parsed.push(ParsedMatch { index, path, methods, names_head, problem: wrong });
        }
    }
    parsed
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

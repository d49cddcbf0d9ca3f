//! The matches of a rule: user text, parsed once.

use fairway_crds::RouteMatch;
use fairway_snapshot::{MethodMatch, MethodSet, PathPattern};
use http::Method;

/// A match that could be read.
pub(super) struct ParsedMatch {
    pub(super) index: u16,
    pub(super) path: PathPattern,
    pub(super) methods: MethodMatch,
    /// Whether it names HEAD itself.
    pub(super) names_head: bool,
}

/// Reads the matches of a rule; none means everything. What cannot be read is told to `problem`
/// with its field below `field`, and its match is left out.
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
        let mut readable = true;
        let mut set = MethodSet::default();
        for (number, text) in written.methods.iter().enumerate() {
            match method(text) {
                Some(method) => set.insert(&method),
                None => {
                    readable = false;
                    problem(
                        format!("{field}.match[{index}].methods[{number}]"),
                        format!(
                            "{text:?} is not a method: write one word in capital letters, for example GET"
                        ),
                    );
                }
            }
        }
        if let Some(path) = path
            && readable
        {
            let names_head = set.contains(&Method::HEAD);
            let methods = if set.is_empty() { MethodMatch::Any } else { MethodMatch::Only(set) };
            parsed.push(ParsedMatch { index, path, methods, names_head });
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

//! What a route asks of a request beside path and method: header fields and query parameters.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderName;
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::table::Mismatch;
use crate::text::{header_text, serde_as_text, triplet};
use crate::{HeaderFields, VersionCondition};

/// The greatest compiled pattern, in bytes: one that is larger costs more than any condition is
/// worth.
pub(crate) const PATTERN_BYTES: usize = 256 * 1024;

/// Conditions on header fields and query parameters; all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conditions {
    /// On header fields.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub headers: Box<[HeaderCondition]>,
    /// On query parameters.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub query: Box<[QueryCondition]>,
    /// On the version of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionCondition>,
    /// How many on header fields could not be read. They hold, and count for the rank: a match that
    /// answers 500 guards what somebody meant to treat specially.
    #[serde(default, skip_serializing_if = "none")]
    pub unreadable_headers: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn none(count: &usize) -> bool {
    *count == 0
}

/// A condition on the field lines of one name: it holds when any one of them is as wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderCondition {
    /// The name of the field.
    #[serde(with = "header_text")]
    pub name: HeaderName,
    /// What is wanted.
    #[serde(flatten)]
    pub value: ValueMatch,
}

/// A condition on the query parameters of one name, which are compared decoded: it holds when any
/// one of them is as wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryCondition {
    /// The name, decoded.
    pub name: Arc<str>,
    /// What is wanted.
    #[serde(flatten)]
    pub value: ValueMatch,
}

/// What is wanted of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueMatch {
    /// Exactly these bytes.
    #[serde(rename = "value")]
    Exact(Arc<str>),
    /// That the pattern matches the whole of it.
    Pattern(Pattern),
    /// That there is one, or that there is none.
    Present(bool),
}

/// A regular expression in the syntax of RE2, that matches a whole value or none of it. It takes
/// time in proportion to the value, whatever is written.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Arc<str>,
    regex: Regex,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It cannot be read.
    #[error(
        "\"{text}\" is not a pattern: {problem}; write a regular expression in the syntax of RE2, for example v[0-9]+"
    )]
    Syntax {
        /// What is written.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It is too large once it is compiled.
    #[error("\"{0}\" is too large a pattern: shorten its repetitions")]
    TooLarge(String),
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let regex = whole(text, |text| RegexBuilder::new(text).size_limit(PATTERN_BYTES).build())?;
        Ok(Self { text: text.into(), regex })
    }
}

/// An expression that matches a whole text or none of it.
pub(crate) fn whole<R>(
    text: &str,
    build: impl Fn(&str) -> Result<R, regex::Error>,
) -> Result<R, PatternError> {
    // Alone first: a parenthesis too many would end the group that holds it at both ends.
    let alone = build(text);
    let whole = alone.and_then(|_| build(&format!(r"\A(?:{text})\z")));
    whole.map_err(|error| pattern_error(text, &error))
}

/// What is wrong with a pattern, in one line.
fn pattern_error(text: &str, error: &regex::Error) -> PatternError {
    if let regex::Error::CompiledTooBig(_) = error {
        return PatternError::TooLarge(text.to_owned());
    }
    let told = error.to_string();
    let problem = told.lines().last().unwrap_or_default();
    let problem = problem.trim_start_matches("error: ").to_owned();
    PatternError::Syntax { text: text.to_owned(), problem }
}

impl Pattern {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole of a value.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        self.regex.is_match(value)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(Pattern);

impl Conditions {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.headers_written() == 0 && self.query.is_empty()
    }

    /// How many conditions on header fields somebody wrote; one on the version is one of them.
    pub(crate) fn headers_written(&self) -> usize {
        self.headers.len() + usize::from(self.version.is_some()) + self.unreadable_headers
    }

    /// Whether all of them hold. The headers of a CORS preflight are not those of the request that
    /// it asks for: they are not looked at when there are none.
    #[must_use]
    pub fn hold(&self, headers: Option<&dyn HeaderFields>, query: Option<&str>) -> bool {
        self.test(headers, query).is_ok()
    }

    /// The same.
    ///
    /// # Errors
    ///
    /// The first condition that does not hold.
    pub(crate) fn test(
        &self,
        headers: Option<&dyn HeaderFields>,
        query: Option<&str>,
    ) -> Result<(), Mismatch> {
        let fails = |headers| self.headers.iter().position(|wanted| !wanted.holds(headers));
        if let Some(index) = headers.and_then(fails) {
            return Err(Mismatch::Header(index));
        }
        let other = |headers| self.version.as_ref().is_some_and(|wanted| !wanted.holds(headers));
        if headers.is_some_and(other) {
            return Err(Mismatch::Version);
        }
        let query = query.unwrap_or_default();
        match self.query.iter().position(|wanted| !wanted.holds(query)) {
            Some(index) => Err(Mismatch::Query(index)),
            None => Ok(()),
        }
    }
}

impl HeaderCondition {
    fn holds(&self, headers: &dyn HeaderFields) -> bool {
        if let ValueMatch::Present(wanted) = self.value {
            return headers.first(&self.name).is_some() == wanted;
        }
        headers.any(&self.name, &mut |value| self.value.matches(value))
    }
}

impl QueryCondition {
    fn holds(&self, query: &str) -> bool {
        let mut values = self.values(query);
        if let ValueMatch::Present(wanted) = self.value {
            return values.next().is_some() == wanted;
        }
        values.any(|value| self.value.matches(&value))
    }

    /// The values that a query has under this name, decoded.
    pub(crate) fn values<'q>(&self, query: &'q str) -> impl Iterator<Item = Cow<'q, [u8]>> {
        query.split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (*decoded(name) == *self.name.as_bytes()).then(|| decoded(value))
        })
    }
}

impl ValueMatch {
    fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(wanted) => wanted.as_bytes() == value,
            Self::Pattern(pattern) => pattern.matches(value),
            Self::Present(wanted) => *wanted,
        }
    }
}

/// As in `x-api-version=v2`, `x-api-version~v[0-9]+`, `x-debug` and `!x-debug`.
impl fmt::Display for ValueMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(value) => write!(f, "={value}"),
            Self::Pattern(pattern) => write!(f, "~{pattern}"),
            Self::Present(true) => Ok(()),
            Self::Present(false) => f.write_str(" absent"),
        }
    }
}

/// A part of a query as a form writes it: `+` is a blank, and triplets are bytes. One that is
/// malformed stands for itself.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text.as_bytes());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'+' => out.push(b' '),
            b'%' if let Some(encoded) = triplet(&bytes[at..]) => {
                out.push(encoded);
                at += 2;
            }
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

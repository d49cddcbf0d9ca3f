//! Paths by regular expression, and the two kinds of paths as one.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind, Look};
use serde::{Deserialize, Serialize};

use super::{Captures, PathPattern, PathRank, PatternShape};
use crate::PatternError;
use crate::conditions::{PATTERN_BYTES, whole};
use crate::normalize::all_encoded;
use crate::text::serde_as_text;

/// What a route asks of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathMatch {
    /// In the notation of paths.
    Pattern(PathPattern),
    /// By a regular expression.
    Regex {
        /// The expression.
        regex: PathRegex,
    },
}

/// A regular expression in the syntax of RE2 that matches a whole normalised path or none of it.
///
/// It is a pointer, so that routes, which mostly have patterns, keep to one line of the processor's
/// cache each.
#[derive(Clone, Debug)]
pub struct PathRegex(Arc<Expression>);

#[derive(Debug)]
struct Expression {
    text: Box<str>,
    regex: Regex,
    /// What every path begins with that it matches.
    prefix: Box<str>,
}

/// Why a text is no regular expression for paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathRegexError {
    /// It is no expression at all.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// It never matches: a path begins with a slash.
    #[error("\"{0}\": a path begins with /: write /{0}")]
    NoSlash(String),
    /// It holds characters that no normalised path has.
    #[error(
        "\"{text}\": it is compared with percent-encoded paths: write {encoded} instead of {written}"
    )]
    NotAscii {
        /// The whole text.
        text: String,
        /// What is there.
        written: String,
        /// What to write instead.
        encoded: String,
    },
}

/// Which paths a route takes, without the names of captures: equal for routes that take the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathShape<'a> {
    /// Of a pattern.
    Pattern(PatternShape<'a>),
    /// Of a regular expression: its text.
    Regex(&'a str),
}

impl FromStr for PathRegex {
    type Err = PathRegexError;

    fn from_str(text: &str) -> Result<Self, PathRegexError> {
        if let Some(first) = text.find(|character: char| !character.is_ascii()) {
            let rest = &text[first..];
            let written =
                &rest[..rest.find(|character: char| character.is_ascii()).unwrap_or(rest.len())];
            let encoded = all_encoded(written);
            let (text, written) = (text.to_owned(), written.to_owned());
            return Err(PathRegexError::NotAscii { text, written, encoded });
        }
        let regex = whole(text, |text| RegexBuilder::new(text).size_limit(PATTERN_BYTES).build())?;
        let hir = regex_syntax::parse(text).ok();
        let mut prefix = String::new();
        if let Some(hir) = &hir {
            begins_with(hir, &mut prefix);
        }
        if !prefix.is_empty() && !prefix.starts_with('/') {
            return Err(PathRegexError::NoSlash(text.to_owned()));
        }
        let expression = Expression { text: text.into(), regex, prefix: prefix.into() };
        Ok(Self(Arc::new(expression)))
    }
}

/// Adds the text with which everything begins that matches; says whether nothing else is matched.
fn begins_with(hir: &Hir, prefix: &mut String) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(Look::Start | Look::End) => true,
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => {
                prefix.push_str(text);
                true
            }
            Err(_) => false,
        },
        HirKind::Capture(group) => begins_with(&group.sub, prefix),
        HirKind::Concat(parts) => parts.iter().all(|part| begins_with(part, prefix)),
        HirKind::Repetition(repeated) if repeated.min > 0 => {
            begins_with(&repeated.sub, prefix);
            false
        }
        HirKind::Alternation(choices) => {
            let begins = choices.iter().map(|choice| {
                let mut prefix = String::new();
                begins_with(choice, &mut prefix);
                prefix
            });
            let common = begins.reduce(|a, b| {
                let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
                same.map(|(character, _)| character).collect()
            });
            prefix.push_str(&common.unwrap_or_default());
            false
        }
        HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => false,
    }
}

impl PathRegex {
    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The text that every path begins with that it matches.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Whether it matches the whole of a normalised path.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        path.starts_with(&*self.0.prefix) && self.0.regex.is_match(path)
    }

    /// The pattern that takes the same paths at less cost, when there is one: `/e/fin/*` for
    /// `/e/fin/.*` takes `/e/fin` too.
    #[must_use]
    pub fn as_pattern(&self) -> Option<PathPattern> {
        let Expression { text, prefix, .. } = &*self.0;
        let front = match text.strip_suffix(".*") {
            Some(front) if front == &**prefix => format!("{front}*"),
            _ if text == prefix => text.to_string(),
            _ => return None,
        };
        front.parse().ok()
    }

    fn captures(&self, path: &str) -> Option<Captures> {
        let found = self.0.regex.captures(path)?;
        let named = self.0.regex.capture_names().enumerate().filter(|(_, name)| name.is_some());
        // A group that took no part captured nothing.
        Some(named.map(|(group, _)| found.get(group).map_or(0..0, |group| group.range())).collect())
    }
}

impl PartialEq for PathRegex {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for PathRegex {}

impl fmt::Display for PathRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

serde_as_text!(PathRegex);

impl PathMatch {
    /// The text as it was written, but for normalisation.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pattern(pattern) => pattern.as_str(),
            Self::Regex { regex } => regex.as_str(),
        }
    }

    /// Every path.
    #[must_use]
    pub fn everything() -> Self {
        Self::Pattern(PathPattern::everything())
    }

    /// Names of the captures in the order in which [`Self::captures`] gives them.
    #[must_use]
    pub fn capture_names(&self) -> Vec<&str> {
        match self {
            Self::Pattern(pattern) => pattern.capture_names().collect(),
            Self::Regex { regex } => regex.0.regex.capture_names().flatten().collect(),
        }
    }

    /// Whether a normalised path matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(path),
            Self::Regex { regex } => regex.matches(path),
        }
    }

    /// What is captured in a normalised path, or `None` when it does not match.
    #[must_use]
    pub fn captures(&self, path: &str) -> Option<Captures> {
        match self {
            Self::Pattern(pattern) => pattern.captures(path),
            Self::Regex { regex } => regex.captures(path),
        }
    }

    /// What is compared when two routes match one path.
    #[must_use]
    pub fn rank(&self) -> PathRank {
        match self {
            Self::Pattern(pattern) => pattern.rank(),
            Self::Regex { regex } => PathRank::of_regex(regex.0.prefix.len(), regex.0.text.len()),
        }
    }

    /// Which paths it takes: equal for those that take the same.
    #[must_use]
    pub fn shape(&self) -> PathShape<'_> {
        match self {
            Self::Pattern(pattern) => PathShape::Pattern(pattern.shape()),
            Self::Regex { regex } => PathShape::Regex(&regex.0.text),
        }
    }

    /// The text with which every path begins that it takes.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        match self {
            Self::Pattern(pattern) => pattern.literal_prefix(),
            Self::Regex { regex } => regex.literal_prefix(),
        }
    }
}

impl From<PathPattern> for PathMatch {
    fn from(pattern: PathPattern) -> Self {
        Self::Pattern(pattern)
    }
}

/// A pattern as it is, an expression behind `~`.
impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Regex { regex } => write!(f, "~{regex}"),
        }
    }
}

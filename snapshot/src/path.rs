//! Path patterns in the one notation of the user's API, and the templates that rewrite them.
//!
//! A pattern is a list of segments, each literal or a capture, and perhaps a rest (`/*`). It is
//! kept in the normalised form of paths, so that matching compares bytes with bytes.

mod never;
mod regex;
mod template;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use smallvec::SmallVec;

pub use regex::{PathMatch, PathRegex, PathRegexError, PathShape};
pub use template::{PathTemplate, TemplateError};

use crate::normalize::{Normalization, normalize_path};
use crate::text::serde_as_text;

/// A pattern: `/e/fin`, `/e/fin/*`, `/users/{id}/orders`, `/users/{id}/*`, `/*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern {
    /// The pattern as text, normalised. Braces and `*` stand in it for captures and the rest alone,
    /// so that nothing else needs to be kept of it.
    text: Arc<str>,
}

/// One segment of a pattern. The text after the last slash is a segment too, so `/a/` has two,
/// of which the second is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'p> {
    /// These bytes.
    Literal(&'p str),
    /// One whole segment, not empty, remembered by this name.
    Capture(&'p str),
}

/// What is compared of a pattern: see [`crate::Precedence`].
///
/// Names of captures are no part of it: patterns that match one path and have one rank differ in
/// nothing else, so that a name never decides who gets a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathRank {
    /// Exact paths and templates: segment by segment, literal before capture.
    Whole(SmallVec<[SegmentRank; 8]>),
    /// Regular expressions, and paths that end with `*`.
    Open {
        /// The longer literal text before the first capture or `*` is stronger.
        literal: Reverse<usize>,
        /// Then what stands behind it.
        rank: OpenRank,
    },
}

/// What is compared behind the literal text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenRank {
    /// Regular expressions, the longer first.
    Regex(Reverse<usize>),
    /// Segment by segment; the rest is the weakest, so that the longer pattern wins.
    Prefix(SmallVec<[SegmentRank; 8]>),
}

impl PathRank {
    /// Of a regular expression.
    fn of_regex(literal: usize, length: usize) -> Self {
        Self::Open { literal: Reverse(literal), rank: OpenRank::Regex(Reverse(length)) }
    }
}

/// The kinds of segments, the stronger first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SegmentRank {
    /// Literal text.
    Literal,
    /// A capture.
    Capture,
    /// The rest.
    Rest,
}

/// A pattern without the names of its captures: its segments, and whether there is a rest.
pub type PatternShape<'a> = (SmallVec<[Option<&'a str>; 8]>, bool);

/// How a pattern ends that takes everything below.
const REST: &str = "/*";

/// What a pattern captured in one path: byte ranges of that path.
pub type Captures = SmallVec<[std::ops::Range<usize>; 4]>;

/// Why a text is not a path pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The text does not begin with a slash.
    #[error("{0:?}: a path begins with /: write /{0}")]
    NoSlash(String),
    /// A `*` stands elsewhere than as the whole last segment.
    #[error(
        "{0:?}: a * stands only at the end of a path, after /: write /e/*; to match one segment in the middle, write {{name}}"
    )]
    Wildcard(String),
    /// A brace that is not a whole segment, or a name that is not a word.
    #[error(
        "{0:?}: a capture is one whole segment with a name of letters, digits and _: write /users/{{id}}/orders"
    )]
    Capture(String),
    /// Two captures with one name.
    #[error("{path:?}: two captures are named {name:?}: give each its own name")]
    Duplicate {
        /// The whole text.
        path: String,
        /// The name that stands twice.
        name: String,
    },
    /// An empty segment in the middle, which no normalised request has.
    #[error("{0:?}: an empty segment never matches, since requests are normalised: write one /")]
    Empty(String),
    /// A dot segment, which no normalised request has.
    #[error(
        "{0:?}: . and .. never match, since requests are normalised: write the path that they lead to"
    )]
    Dot(String),
    /// A byte that no path has, or a malformed percent triplet.
    #[error("{path:?}: {problem}")]
    Malformed {
        /// The whole text.
        path: String,
        /// What is wrong and what to write instead.
        problem: &'static str,
    },
}

impl FromStr for PathPattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let Some(inner) = text.strip_prefix('/') else {
            return Err(PathError::NoSlash(text.to_owned()));
        };
        if text.contains(['?', '#', ' ', '\t']) {
            return Err(PathError::Malformed {
                path: text.to_owned(),
                problem: "a path holds no query, fragment or blank: write the path alone, blanks as %20",
            });
        }
        let mut parts: Vec<&str> = inner.split('/').collect();
        let rest = parts.last() == Some(&"*");
        if rest {
            parts.pop();
        }
        let last = parts.len().wrapping_sub(1);
        let mut normal = String::with_capacity(text.len());
        let mut names: SmallVec<[&str; 4]> = SmallVec::new();
        for (index, part) in parts.into_iter().enumerate() {
            if part.is_empty() && (rest || index != last) {
                return Err(PathError::Empty(text.to_owned()));
            }
            normal.push('/');
            match parse_segment(part, text)? {
                Parsed::Literal(literal) => normal.push_str(&literal),
                Parsed::Capture(name) if names.contains(&name) => {
                    return Err(PathError::Duplicate {
                        path: text.to_owned(),
                        name: name.to_owned(),
                    });
                }
                Parsed::Capture(name) => {
                    names.push(name);
                    normal.push_str(part);
                }
            }
        }
        if rest {
            normal.push_str(REST);
        }
        Ok(Self { text: normal.into() })
    }
}

/// One part between slashes: literal text, normalised, or the name of a capture.
enum Parsed<'t> {
    Literal(String),
    Capture(&'t str),
}

/// Parses one part between slashes of `path`.
fn parse_segment<'t>(part: &'t str, path: &str) -> Result<Parsed<'t>, PathError> {
    if part.contains('*') {
        return Err(PathError::Wildcard(path.to_owned()));
    }
    if let Some(name) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        if !is_capture_name(name) {
            return Err(PathError::Capture(path.to_owned()));
        }
        return Ok(Parsed::Capture(name));
    }
    if part.contains(['{', '}']) {
        return Err(PathError::Capture(path.to_owned()));
    }
    // One segment is normalised alone, so that a removed dot segment is noticed.
    let written = format!("/{part}");
    let normal = normalize_path(&written, &Normalization::default()).map_err(|refusal| {
        PathError::Malformed { path: path.to_owned(), problem: refusal.advice() }
    })?;
    if !part.is_empty() && (normal == "/" || normal == "/.") {
        return Err(PathError::Dot(path.to_owned()));
    }
    Ok(Parsed::Literal(normal[1..].to_owned()))
}

/// A capture as templates name it: `{id}`, or `*`.
#[must_use]
pub fn hole(name: &str) -> String {
    if name == "*" { name.to_owned() } else { format!("{{{name}}}") }
}

/// Whether `name` may stand between braces: a word that does not begin with a digit.
pub(crate) fn is_capture_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl PathPattern {
    /// The pattern that matches every path: `/*`.
    #[must_use]
    pub fn everything() -> Self {
        Self { text: REST.into() }
    }

    /// The pattern as text, normalised.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The segments before the rest.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let front = self.text.strip_suffix(REST).unwrap_or(&self.text);
        // Each begins with its slash.
        front.split('/').skip(1).map(|part| {
            let name = part.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            name.map_or(Segment::Literal(part), Segment::Capture)
        })
    }

    /// Whether the pattern ends with `/*`.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        self.text.ends_with(REST)
    }

    /// Whether the pattern is one path: no capture, no rest.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.text.contains(['{', '*'])
    }

    /// Names of the captures in the order in which [`Self::captures`] gives them; `*` is the last.
    pub fn capture_names(&self) -> impl Iterator<Item = &str> {
        let named = self.segments().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Capture(name) => Some(name),
        });
        named.chain(self.has_rest().then_some("*"))
    }

    /// Whether a normalised path matches, tested segment by segment. The table finds the same
    /// with indexes; this is the definition that it is tested against.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.captures(path).is_some()
    }

    /// What the pattern captures in a normalised path, or `None` when it does not match. The
    /// range of the rest begins at the slash before it, and is empty when there is none, so that
    /// `/foo` and `/foo/` stay two paths when they are rewritten.
    #[must_use]
    pub fn captures(&self, path: &str) -> Option<Captures> {
        let mut captures = Captures::new();
        let mut at = 0;
        for segment in self.segments() {
            let begin = at + path[at..].strip_prefix('/').map(|_| 1)?;
            let end = path[begin..].find('/').map_or(path.len(), |length| begin + length);
            match segment {
                Segment::Literal(literal) if path[begin..end] == *literal => {}
                Segment::Capture(_) if begin < end => captures.push(begin..end),
                Segment::Literal(_) | Segment::Capture(_) => return None,
            }
            at = end;
        }
        if self.has_rest() {
            captures.push(at..path.len());
        } else if at != path.len() {
            return None;
        }
        Some(captures)
    }

    /// What is compared when two patterns match one path.
    #[must_use]
    pub fn rank(&self) -> PathRank {
        let mut segments: SmallVec<[SegmentRank; 8]> = self
            .segments()
            .map(|segment| match segment {
                Segment::Literal(_) => SegmentRank::Literal,
                Segment::Capture(_) => SegmentRank::Capture,
            })
            .collect();
        if !self.has_rest() {
            return PathRank::Whole(segments);
        }
        segments.push(SegmentRank::Rest);
        let literal = Reverse(self.literal_prefix().len());
        PathRank::Open { literal, rank: OpenRank::Prefix(segments) }
    }

    /// The pattern without the names of its captures: equal for patterns that take the same paths.
    #[must_use]
    pub fn shape(&self) -> PatternShape<'_> {
        let segments = self.segments().map(|segment| match segment {
            Segment::Literal(literal) => Some(literal),
            Segment::Capture(_) => None,
        });
        (segments.collect(), self.has_rest())
    }

    /// The text before the first capture or `*`: `/users/` of `/users/{id}/*`.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        let end = self.text.find(['{', '*']).unwrap_or(self.text.len());
        &self.text[..end]
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(PathPattern);

//! Templates: paths that are put together from what a pattern captured.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Captures, PathMatch, hole, is_capture_name};
use crate::normalize::{Normalization, normalize_path};

/// A path with holes for captures: `/fin/*`, `/orders/of/{id}`.
///
/// The holes are numbers, resolved against the pattern of each route when it is compiled, so that
/// nothing is looked up by name for a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathTemplate {
    /// The template as the user wrote it.
    text: Arc<str>,
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Part {
    Literal(Box<str>),
    /// What the capture with this index took.
    Capture(u16),
    /// What `*` took, with the slash before it.
    Rest(u16),
}

/// Why a text is not a template for a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text does not begin with a slash.
    #[error("{0:?}: a path begins with /: write /{0}")]
    NoSlash(String),
    /// A `*` stands elsewhere than as the whole last segment.
    #[error("{0:?}: a * stands only at the end of a path, after /: write /fin/*")]
    Wildcard(String),
    /// A brace without its partner, or without a name between.
    #[error("{0:?}: a capture is a name between braces: write /orders/of/{{id}}")]
    Brace(String),
    /// The pattern does not capture that name.
    #[error("{text:?} uses {name}, which the path \"{pattern}\" does not capture{}", hint(.captured))]
    Unknown {
        /// The template.
        text: String,
        /// The hole, as written.
        name: String,
        /// The pattern.
        pattern: String,
        /// What the pattern does capture.
        captured: Vec<String>,
    },
    /// A byte that no path has, or a malformed percent triplet.
    #[error("{text:?}: {problem}")]
    Malformed {
        /// The whole text.
        text: String,
        /// What is wrong and what to write instead.
        problem: &'static str,
    },
}

fn hint(captured: &[String]) -> String {
    if captured.is_empty() {
        ": it captures nothing".to_owned()
    } else {
        format!(": it captures {}", captured.join(", "))
    }
}

impl PathTemplate {
    /// Parses a template for paths that match `pattern`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with what to write instead.
    pub fn parse(text: &str, pattern: &PathMatch) -> Result<Self, TemplateError> {
        if !text.starts_with('/') {
            return Err(TemplateError::NoSlash(text.to_owned()));
        }
        let (front, rest) = match text.strip_suffix("/*") {
            Some(front) => (front, true),
            None => (text, false),
        };
        if front.contains('*') {
            return Err(TemplateError::Wildcard(text.to_owned()));
        }
        if text.split('/').any(is_dots) {
            let problem = "write the path without . and .. segments";
            return Err(TemplateError::Malformed { text: text.to_owned(), problem });
        }
        let mut parts = Vec::new();
        let mut remaining = front;
        while let Some(open) = remaining.find(['{', '}']) {
            let hole = remaining[open..].strip_prefix('{').and_then(|tail| tail.split_once('}'));
            let Some((name, behind)) = hole.filter(|(name, _)| is_capture_name(name)) else {
                return Err(TemplateError::Brace(text.to_owned()));
            };
            push_literal(&mut parts, &remaining[..open], text)?;
            parts.push(Part::Capture(capture_index(name, text, pattern)?));
            remaining = behind;
        }
        push_literal(&mut parts, remaining, text)?;
        if rest {
            parts.push(Part::Rest(capture_index("*", text, pattern)?));
        }
        Ok(Self { text: text.into(), parts: parts.into() })
    }

    /// Puts the path together from what the pattern captured in `path`.
    #[must_use]
    pub fn expand(&self, path: &str, captures: &Captures) -> String {
        let mut out = String::with_capacity(self.text.len() + path.len());
        for part in &self.parts {
            match part {
                Part::Literal(literal) => out.push_str(literal),
                Part::Capture(index) | Part::Rest(index) => {
                    if let Some(range) = captures.get(usize::from(*index)) {
                        out.push_str(&path[range.clone()]);
                    }
                }
            }
        }
        if out.is_empty() {
            out.push('/');
        }
        out
    }
}

/// Whether a segment is `.` or `..`, however it is encoded.
fn is_dots(segment: &str) -> bool {
    let written = format!("/{segment}");
    let normal = normalize_path(&written, &Normalization::default());
    !segment.is_empty() && normal.is_ok_and(|normal| normal == "/")
}

/// Adds literal text in its normalised form. It holds no dot segment.
fn push_literal(parts: &mut Vec<Part>, literal: &str, text: &str) -> Result<(), TemplateError> {
    if literal.is_empty() {
        return Ok(());
    }
    let malformed = |problem| TemplateError::Malformed { text: text.to_owned(), problem };
    if literal.contains(['?', '#', ' ']) {
        return Err(malformed(
            "a path holds no query, fragment or blank: the query string of the request is kept as it is",
        ));
    }
    // A piece of a segment is no segment: between letters its dots are only dots. They are taken off
    // again.
    let written = format!("/x{literal}x");
    let keep = Normalization {
        empty_segments: crate::normalize::EmptySegments::Keep,
        ..Normalization::default()
    };
    let normal = normalize_path(&written, &keep).map_err(|refusal| malformed(refusal.advice()))?;
    parts.push(Part::Literal(normal[2..normal.len() - 1].into()));
    Ok(())
}

fn capture_index(name: &str, text: &str, pattern: &PathMatch) -> Result<u16, TemplateError> {
    let index = pattern.capture_names().into_iter().position(|captured| captured == name);
    index.and_then(|index| u16::try_from(index).ok()).ok_or_else(|| TemplateError::Unknown {
        text: text.to_owned(),
        name: hole(name),
        pattern: pattern.as_str().to_owned(),
        captured: pattern.capture_names().into_iter().map(hole).collect(),
    })
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

//! Changes to the header fields of a message, and the values that they are made of.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::text::{header_names, header_text};
use crate::{Captures, PathMatch};

/// Changes to header fields: first fields are set, then some are added, then some removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderEdits {
    /// Each replaces every field of its name.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub set: Box<[FieldTemplate]>,
    /// Each comes beside those of its name.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub add: Box<[FieldTemplate]>,
    /// Names of fields that are taken off.
    #[serde(default, with = "header_names", skip_serializing_if = "<[_]>::is_empty")]
    pub remove: Box<[HeaderName]>,
}

/// A header field whose value may depend on the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldTemplate {
    /// The name.
    #[serde(with = "header_text")]
    pub name: HeaderName,
    /// The value.
    pub value: ValueTemplate,
}

/// The value of a header field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueTemplate {
    /// The same for every request.
    Fixed(#[serde(with = "header_text")] HeaderValue),
    /// Put together for each.
    Made {
        /// As it was written.
        text: Arc<str>,
        /// What it is put together of.
        parts: Box<[ValuePart]>,
    },
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValuePart {
    /// This text.
    Text(Box<str>),
    /// What the capture with this index took.
    Capture(u16),
    /// What `*` took, without the slash before it.
    Rest(u16),
    /// Something of the request.
    Variable(Variable),
}

/// What a value may say of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Variable {
    /// `%{request.id}`: its id, as in the log.
    RequestId,
    /// `%{request.method}`.
    RequestMethod,
    /// `%{request.host}`: the host in lower case, without port.
    RequestHost,
    /// `%{request.path}`: the normalised path, before it is rewritten.
    RequestPath,
    /// `%{client.address}`: the address of the peer, without port.
    ClientAddress,
}

/// Why a text is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A brace without its partner, or without a name between.
    #[error(
        "\"{0}\": a capture is a name between braces: write {{id}}, or {{{{ and }}}} for braces"
    )]
    Brace(String),
    /// Nobody captures that.
    #[error("\"{text}\" uses {{{name}}}, which the path \"{path}\" does not capture")]
    Capture {
        /// The whole text.
        text: String,
        /// What is used.
        name: String,
        /// The path.
        path: String,
    },
    /// There is no such variable.
    #[error("\"{text}\" uses %{{{name}}}, which is not known: write one of {}", known())]
    Variable {
        /// The whole text.
        text: String,
        /// What is used.
        name: String,
    },
    /// It holds what no header does (RFC 9110 section 5.5).
    #[error("{0:?} is no value of a header: write visible characters on one line")]
    Characters(String),
}

impl Variable {
    /// Every variable, with its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("request.id", Self::RequestId),
        ("request.method", Self::RequestMethod),
        ("request.host", Self::RequestHost),
        ("request.path", Self::RequestPath),
        ("client.address", Self::ClientAddress),
    ];
}

fn known() -> String {
    Variable::ALL.map(|(name, _)| format!("%{{{name}}}")).join(", ")
}

/// What one request has for the values of header fields.
pub trait ValueSource {
    /// Writes the text of a variable.
    fn variable(&self, variable: Variable, out: &mut String);
}

impl ValueTemplate {
    /// Reads a value, for requests whose path matches `path`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with what to write instead.
    pub fn parse(text: &str, path: &PathMatch) -> Result<Self, ValueError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}', '%']) {
            literal.push_str(&rest[..at]);
            rest = &rest[at..];
            let (part, length) = special(rest, text, path)?;
            match part {
                Special::Text(text) => literal.push_str(text),
                Special::Part(part) => {
                    if !literal.is_empty() {
                        parts.push(ValuePart::Text(std::mem::take(&mut literal).into()));
                    }
                    parts.push(part);
                }
            }
            rest = &rest[length..];
        }
        literal.push_str(rest);
        // Bytes beyond ASCII are opaque in fields, and programs disagree on what they mean.
        let visible = |c: char| c == '\t' || (' '..='~').contains(&c);
        if !text.chars().all(visible) {
            return Err(ValueError::Characters(text.to_owned()));
        }
        if parts.is_empty() {
            let fixed = HeaderValue::from_str(literal.trim());
            return fixed.map(Self::Fixed).map_err(|_| ValueError::Characters(text.to_owned()));
        }
        if !literal.is_empty() {
            parts.push(ValuePart::Text(literal.into()));
        }
        Ok(Self::Made { text: text.into(), parts: parts.into() })
    }

    /// Whether it is put together for each request.
    #[must_use]
    pub const fn is_made(&self) -> bool {
        matches!(self, Self::Made { .. })
    }

    /// The value for a request.
    #[must_use]
    pub fn value(
        &self,
        path: &str,
        captures: Option<&Captures>,
        source: &impl ValueSource,
    ) -> HeaderValue {
        let parts = match self {
            Self::Fixed(value) => return value.clone(),
            Self::Made { parts, .. } => parts,
        };
        let mut out = String::new();
        let captured = |index: &u16| captures.and_then(|all| all.get(usize::from(*index)));
        for part in parts {
            match part {
                ValuePart::Text(text) => out.push_str(text),
                ValuePart::Capture(index) => {
                    out.push_str(captured(index).map_or("", |range| &path[range.clone()]));
                }
                ValuePart::Rest(index) => {
                    let taken = captured(index).map_or("", |range| &path[range.clone()]);
                    out.push_str(taken.strip_prefix('/').unwrap_or(taken));
                }
                ValuePart::Variable(variable) => source.variable(*variable, &mut out),
            }
        }
        // Paths, hosts, methods and addresses are visible ASCII.
        HeaderValue::try_from(out).unwrap_or(HeaderValue::from_static(""))
    }
}

/// What a special character stands for.
enum Special<'t> {
    Text(&'t str),
    Part(ValuePart),
}

/// Reads what begins with a special character, and its length.
fn special<'t>(
    rest: &'t str,
    text: &str,
    path: &PathMatch,
) -> Result<(Special<'t>, usize), ValueError> {
    if rest.starts_with("{{") || rest.starts_with("}}") {
        return Ok((Special::Text(&rest[..1]), 2));
    }
    let variable = rest.strip_prefix("%{").filter(|inner| !inner.starts_with('{'));
    if variable.is_none() && rest.starts_with('%') {
        return Ok((Special::Text("%"), 1));
    }
    let inner = variable.or_else(|| rest.strip_prefix('{'));
    let name = inner.and_then(|inner| Some(&inner[..inner.find('}')?]));
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(ValueError::Brace(text.to_owned()));
    };
    if variable.is_some() {
        let known = Variable::ALL.into_iter().find(|(known, _)| *known == name);
        let Some((_, variable)) = known else {
            return Err(ValueError::Variable { text: text.to_owned(), name: name.to_owned() });
        };
        return Ok((Special::Part(ValuePart::Variable(variable)), name.len() + 3));
    }
    let index = path.capture_names().into_iter().position(|captured| captured == name);
    let Some(index) = index.and_then(|index| u16::try_from(index).ok()) else {
        return Err(ValueError::Capture {
            text: text.to_owned(),
            name: name.to_owned(),
            path: path.as_str().to_owned(),
        });
    };
    let part = if name == "*" { ValuePart::Rest(index) } else { ValuePart::Capture(index) };
    Ok((Special::Part(part), name.len() + 2))
}

impl HeaderEdits {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }

    /// The values that are put together for each request, in the order in which they are used.
    pub fn made(&self) -> impl Iterator<Item = &ValueTemplate> {
        let all = self.set.iter().chain(&self.add).map(|field| &field.value);
        all.filter(|value| value.is_made())
    }
}

impl std::fmt::Display for ValueTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(value) => f.write_str(&String::from_utf8_lossy(value.as_bytes())),
            Self::Made { text, .. } => f.write_str(text),
        }
    }
}

//! Versions of an API: how a request says which one it asks for, and which there are.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::header::ACCEPT;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::text::optional_header_text;
use crate::{HeaderFields, Mode, Source};

/// Which versions of an API there are, and where a request names one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiVersions {
    /// The header field that names one.
    #[serde(default, with = "optional_header_text", skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderName>,
    /// The parameter of a media type in `Accept` that names one, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<Arc<str>>,
    /// Index of the version of a request that names none. Without it such a request is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<usize>,
    /// The versions.
    pub known: Box<[ApiVersion]>,
    /// Whether a version that is not among them is refused.
    pub mode: Mode,
    /// The strongest place that says anything of it.
    pub source: Source,
}

/// A version of an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiVersion {
    /// Its name.
    pub name: Arc<str>,
    /// What `Deprecation` says (RFC 9745): since or from when nobody should begin to use it.
    #[serde(default, with = "optional_header_text", skip_serializing_if = "Option::is_none")]
    pub deprecation: Option<HeaderValue>,
    /// What `Sunset` says (RFC 8594): when it is expected to be gone.
    #[serde(default, with = "optional_header_text", skip_serializing_if = "Option::is_none")]
    pub sunset: Option<HeaderValue>,
    /// What `Link` says of where to read more.
    #[serde(default, with = "optional_header_text", skip_serializing_if = "Option::is_none")]
    pub link: Option<HeaderValue>,
}

/// What a request says of its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedVersion {
    /// The one with this index.
    Known(usize),
    /// One that there is not, several, or something that is no name.
    Unknown,
    /// Nothing.
    None,
}

/// What becomes of a request by its version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JudgedVersion {
    /// Index of the version that serves it; `None` where it is to be refused, or where a policy that
    /// only counts cannot say which.
    pub served: Option<usize>,
    /// Whether it is to be refused, or counted as one that would be.
    pub unknown: bool,
}

/// That a request is for one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionCondition {
    /// The versions that there are.
    pub versions: Arc<ApiVersions>,
    /// Index of the one.
    pub index: usize,
}

impl VersionCondition {
    /// Whether it holds. It also does when the request is for no version that there is: then
    /// whoever takes the request refuses it, with the list, and no rule without versions serves it.
    #[must_use]
    pub fn holds(&self, headers: &dyn HeaderFields) -> bool {
        self.versions.served(headers).is_none_or(|index| index == self.index)
    }

    /// The name of the version.
    #[must_use]
    pub fn name(&self) -> &str {
        self.versions.name(self.index)
    }
}

impl ApiVersions {
    /// What a request says. The header field wins over `Accept`.
    #[must_use]
    pub fn asked(&self, headers: &dyn HeaderFields) -> AskedVersion {
        let mut asked = AskedVersion::None;
        let mut line = |line: &[u8]| {
            let one = self.find(line.trim_ascii());
            // Two that differ leave open which is meant.
            asked = if asked == AskedVersion::None || asked == one {
                one
            } else {
                AskedVersion::Unknown
            };
            false
        };
        if let Some(name) = &self.header {
            headers.any(name, &mut line);
        }
        if asked == AskedVersion::None
            && let Some(name) = &self.media_type
        {
            headers.any(&ACCEPT, &mut |line| {
                let value = visible(line).and_then(|line| parameter(line, name));
                asked = value.map_or(asked, |value| self.find(value.as_bytes()));
                value.is_some()
            });
        }
        asked
    }

    /// Which version serves a request, and whether it asks for one that there is not.
    #[must_use]
    pub fn judge(&self, headers: &dyn HeaderFields) -> JudgedVersion {
        match self.asked(headers) {
            AskedVersion::Known(index) => JudgedVersion { served: Some(index), unknown: false },
            AskedVersion::None => {
                JudgedVersion { served: self.default, unknown: self.default.is_none() }
            }
            AskedVersion::Unknown => {
                let served = self.default.filter(|_| self.mode == Mode::Observe);
                JudgedVersion { served, unknown: true }
            }
        }
    }

    /// Index of the version that serves a request: see [`Self::judge`].
    #[must_use]
    pub fn served(&self, headers: &dyn HeaderFields) -> Option<usize> {
        self.judge(headers).served
    }

    /// The name of a version.
    #[must_use]
    pub fn name(&self, index: usize) -> &str {
        self.known.get(index).map_or("", |version| &version.name)
    }

    /// What a client should write instead of what it did.
    #[must_use]
    pub fn advice(&self) -> String {
        let names: Vec<&str> = self.known.iter().map(|version| &*version.name).collect();
        let header = self.header.as_ref().map(ToString::to_string);
        let parameter =
            self.media_type.as_ref().map(|name| format!("the parameter {name} of Accept"));
        let places: Vec<String> = header.into_iter().chain(parameter).collect();
        format!("Write one of {} in {}.", names.join(", "), places.join(" or "))
    }

    fn find(&self, name: &[u8]) -> AskedVersion {
        let index = self.known.iter().position(|version| version.name.as_bytes() == name);
        index.map_or(AskedVersion::Unknown, AskedVersion::Known)
    }
}

/// A line of visible ASCII, which is what media types are of.
fn visible(line: &[u8]) -> Option<&str> {
    let visible = line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    std::str::from_utf8(line).ok().filter(|_| visible)
}

/// The value of the first parameter of this name among the media ranges of an `Accept` (RFC 9110
/// section 12.5.1). Names are compared without regard to case; quotes are taken off.
fn parameter<'h>(accept: &'h str, name: &str) -> Option<&'h str> {
    let parameters = unquoted(accept, ',').flat_map(|range| unquoted(range, ';').skip(1));
    let mut named = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, value) = named.find(|(given, _)| given.trim().eq_ignore_ascii_case(name))?;
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value))
}

/// The parts between separators that stand in no quoted string.
fn unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    })
}

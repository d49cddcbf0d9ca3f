//! Which hosts a rule speaks for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::text::serde_as_text;

/// A host, a wildcard of hosts, or any host. Names are in lower case and without a final dot.
///
/// The order is the one in which the table is searched: exact hosts first, then the longer
/// wildcard suffix, then any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Exactly this name.
    Exact(Arc<str>),
    /// Every name that ends with this suffix and has at least one label before it. The suffix is
    /// kept with its leading dot: `.example.com`. As in the Gateway API, several labels may stand
    /// for the `*`.
    Wildcard(Arc<str>),
    /// Every name, and a request without a name.
    Any,
}

/// Why a text is not a host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The text is empty.
    #[error(
        "a host must not be empty: write api.example.com, *.example.com, or leave hosts out for every host"
    )]
    Empty,
    /// A `*` stands elsewhere than as the whole first label.
    #[error("{0:?}: a * stands only as the whole first label: write *.example.com")]
    Wildcard(String),
    /// A byte that no host name has.
    #[error(
        "{0:?}: a host has letters, digits, - and dots, without scheme, port, path or blanks: write api.example.com"
    )]
    Character(String),
    /// An empty label, or one of more than 63 bytes, or a name of more than 253.
    #[error("{0:?}: each label of a host has 1 to 63 characters, and the whole at most 253")]
    Length(String),
    /// A label begins or ends with `-`.
    #[error("{0:?}: a label of a host begins and ends with a letter or digit")]
    Hyphen(String),
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let lower = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if lower.is_empty() {
            return Err(HostError::Empty);
        }
        let (wildcard, name) = match lower.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, lower.as_str()),
        };
        check_name(name, text)?;
        Ok(if wildcard {
            Self::Wildcard(format!(".{name}").into())
        } else {
            Self::Exact(name.into())
        })
    }
}

/// Refuses what is not a host name (RFC 1123), an IPv4 address or an IPv6 address in brackets.
fn check_name(name: &str, written: &str) -> Result<(), HostError> {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match address.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err(HostError::Character(written.to_owned())),
        };
    }
    if name.contains('*') {
        return Err(HostError::Wildcard(written.to_owned()));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    {
        return Err(HostError::Character(written.to_owned()));
    }
    if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err(HostError::Length(written.to_owned()));
    }
    if name.split('.').any(|label| label.starts_with('-') || label.ends_with('-')) {
        return Err(HostError::Hyphen(written.to_owned()));
    }
    Ok(())
}

impl HostPattern {
    /// Whether a request for `host` (lower case, without port) is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Wildcard(suffix) => host.len() > suffix.len() && host.ends_with(&**suffix),
            Self::Any => true,
        }
    }

    /// The rank of this pattern among hosts: less is more specific.
    fn rank(&self) -> (u8, std::cmp::Reverse<usize>, &str) {
        match self {
            Self::Exact(name) => (0, std::cmp::Reverse(0), name),
            Self::Wildcard(suffix) => (1, std::cmp::Reverse(suffix.len()), suffix),
            Self::Any => (2, std::cmp::Reverse(0), ""),
        }
    }
}

impl PartialOrd for HostPattern {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HostPattern {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

serde_as_text!(HostPattern);

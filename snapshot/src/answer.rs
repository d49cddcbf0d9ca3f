//! Answers that a rule gives itself, without a backend.

#[cfg(test)]
mod tests;

use std::num::NonZeroU16;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::PathTemplate;
use crate::text::header_fields;

/// Sends the client elsewhere (RFC 9110 section 15.4). What is not said stays as the request has
/// it; the query always does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// The host, without port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<str>>,
    /// The port. With a scheme and without a port it is that of the scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<NonZeroU16>,
    /// The path, which may use what the match captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathTemplate>,
}

/// A scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scheme {
    /// `http`.
    Http,
    /// `https`.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Respond {
    /// 200 to 599.
    pub status: u16,
    /// Its header fields, in the order of their names.
    #[serde(default, with = "header_fields", skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its body.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub body: Arc<str>,
}

/// What of a request decides where it is sent.
#[derive(Clone, Copy, Debug)]
pub struct RedirectedRequest<'a> {
    /// How the client came.
    pub scheme: Scheme,
    /// Its `Host`, with a port when it has one; empty when it has none.
    pub authority: &'a str,
    /// The path: what [`Redirect::path`] made of it, or as it was matched.
    pub path: &'a str,
    /// The query as it came.
    pub query: Option<&'a str>,
}

impl Redirect {
    /// To the same place by HTTPS, with the same method and body.
    #[must_use]
    pub const fn to_https() -> Self {
        Self { status: 308, scheme: Some(Scheme::Https), host: None, port: None, path: None }
    }

    /// The value of `Location` (RFC 9110 section 10.2.2): a path where nothing else changes, which
    /// keeps scheme and host whatever stands between the client and us, and else a whole URL.
    #[must_use]
    pub fn location(&self, request: &RedirectedRequest<'_>) -> String {
        let mut location = self.origin(request).unwrap_or_default();
        if location.is_empty() && request.path.starts_with("//") {
            // Two slashes would begin a host (RFC 3986 section 4.2).
            location.push_str("/.");
        }
        location.push_str(request.path);
        if let Some(query) = request.query {
            location.push('?');
            location.push_str(query);
        }
        location
    }

    /// Scheme, host and port, where one of them is said and the host is known.
    fn origin(&self, request: &RedirectedRequest<'_>) -> Option<String> {
        if self.scheme.is_none() && self.host.is_none() && self.port.is_none() {
            return None;
        }
        let (name, came_by) = split(request.authority);
        let host = self.host.as_deref().unwrap_or(name);
        if host.is_empty() {
            return None;
        }
        let scheme = self.scheme.unwrap_or(request.scheme);
        let kept = came_by.filter(|_| self.scheme.is_none());
        let port = self.port.map(NonZeroU16::get).or(kept).filter(|port| *port != scheme.port());
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}://{host}{port}", scheme.as_str()))
    }
}

/// Host and port of an authority; an IPv6 address keeps its brackets.
pub(crate) fn split(authority: &str) -> (&str, Option<u16>) {
    let end = authority.find(']').map_or(0, |bracket| bracket + 1);
    match authority[end..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(end + colon);
            (host, port[1..].parse().ok())
        }
        None => (authority, None),
    }
}

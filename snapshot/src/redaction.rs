//! What of a request is never told: the values of parameters and header fields that are credentials by
//! their names. Names count without regard to case and to `-` or `_`, decoded, and each part of
//! `user[password]` or `user.password` alone.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use crate::text::triplet;

/// What stands in the place of a value, as in the semantic conventions of OpenTelemetry (`url.query`).
pub const REDACTED: &str = "REDACTED";

/// The longest name that can be given, in bytes.
pub const MAX_NAME: usize = 64;

/// Header fields that hold nothing else, whatever the operator says (RFC 9110 section 11.6, RFC 6265).
const ALWAYS: [&str; 4] = ["authorization", "cookie", "proxy_authorization", "set_cookie"];

/// The names that are known without a word of the operator.
const BUILT_IN: &[&str] = &[
    // OAuth 2.0 and OpenID Connect (RFC 6749, 7521, 7636); a code is as good as the token behind it.
    "access_token",
    "refresh_token",
    "id_token",
    "id_token_hint",
    "code",
    "code_verifier",
    "client_secret",
    "client_assertion",
    "assertion",
    // Tokens and keys as APIs call them.
    "token",
    "auth",
    "auth_token",
    "api_token",
    "api_key",
    "apikey",
    "access_key",
    "key",
    "private_key",
    "private_token",
    "subscription_key",
    "ocp_apim_subscription_key",
    "jwt",
    "secret",
    "credential",
    "credentials",
    "x_api_key",
    "x_auth_token",
    "x_access_token",
    "x_csrf_token",
    "x_vault_token",
    // What people type.
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "otp",
    // Sessions.
    "session",
    "session_id",
    "sessionid",
    "session_token",
    "sid",
    "jsessionid",
    "phpsessid",
    "ticket",
    "samlresponse",
    // Signed URLs: who has the URL has what it leads to, until it runs out.
    "sig",
    "signature",
    "awsaccesskeyid",
    "x_amz_signature",
    "x_amz_credential",
    "x_amz_security_token",
    "x_goog_signature",
    "x_goog_credential",
];

/// The names whose values are never told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// In their compared form.
    names: Box<[Box<str>]>,
    /// Which lengths they have, a bit for each.
    lengths: u128,
}

impl Default for Redaction {
    fn default() -> Self {
        static BUILT: LazyLock<Redaction> = LazyLock::new(|| Redaction::new(true, &[]));
        BUILT.clone()
    }
}

/// Where a parameter ends, beside the end of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// At `&`.
    Query,
    /// At `/`: `;name=value` stands in a segment of a path (RFC 3986 section 3.3).
    Path,
}

/// A name on its way in, without memory: of a name that is too long no part is kept.
struct Segment {
    bytes: [u8; MAX_NAME],
    length: usize,
}

impl Redaction {
    /// The built-in names unless the operator wants none of them, and these; longer ones than
    /// [`MAX_NAME`] never match.
    #[must_use]
    pub fn new(built_in: bool, given: &[String]) -> Self {
        let known =
            BUILT_IN.iter().filter(|_| built_in).chain(&ALWAYS).map(|name| Box::from(*name));
        let given = given.iter().map(|name| {
            let compared = name.bytes().map(|byte| char::from(compared(byte)));
            compared.collect::<String>().into_boxed_str()
        });
        let mut names: Vec<Box<str>> = known.chain(given).collect();
        names.sort();
        names.dedup();
        let lengths = names.iter().fold(0, |all, name| all | bit(name.len()));
        Self { names: names.into(), lengths }
    }

    /// Whether values of this name are hidden: a parameter as it came, or a header field.
    #[must_use]
    pub fn hides(&self, name: &str) -> bool {
        let mut segment = Segment::new();
        let mut hidden = false;
        for (byte, _) in decoded(name, 0) {
            match byte {
                b'[' | b']' | b'.' => hidden |= self.ends(&mut segment),
                _ => segment.push(byte),
            }
        }
        hidden || self.ends(&mut segment)
    }

    /// A query in the parts that may be told; between two of them a value is hidden. Nothing is
    /// allocated. Of a value that is hidden nothing is told up to the next `&`; names are looked for
    /// behind `;`, `?` and `#` too, encoded or not, so that a URL in a value keeps its own secrets.
    pub fn query<'q>(&self, query: &'q str) -> impl Iterator<Item = &'q str> {
        self.parts(query, Ends::Query)
    }

    /// The same for a path, with parameters in its segments.
    pub fn path<'q>(&self, path: &'q str) -> impl Iterator<Item = &'q str> {
        self.parts(path, Ends::Path)
    }

    /// A query as it may be told.
    #[must_use]
    pub fn redact_query<'q>(&self, query: &'q str) -> Cow<'q, str> {
        joined(self.query(query))
    }

    /// A path as it may be told.
    #[must_use]
    pub fn redact_path<'q>(&self, path: &'q str) -> Cow<'q, str> {
        joined(self.path(path))
    }

    /// A URL, or a path with a query, as it may be told: without user and password, too.
    #[must_use]
    pub fn redact_url(&self, url: &str) -> String {
        let (before, query) = match url.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (url, None),
        };
        let behind = before.find("//").map_or(0, |at| at + 2);
        let (scheme, rest) = before.split_at(behind);
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit_once('@');
        let mut told = scheme.to_owned();
        match host {
            Some((_, host)) => told.extend([REDACTED, "@", host]),
            None => told.push_str(authority),
        }
        told.push_str(&self.redact_path(path));
        if let Some(query) = query {
            told.push('?');
            told.push_str(&self.redact_query(query));
        }
        told
    }

    fn parts<'q>(&self, text: &'q str, ends: Ends) -> impl Iterator<Item = &'q str> {
        let mut from = Some(0);
        std::iter::from_fn(move || {
            let begin = from?;
            let hidden = self.next(text, begin, ends);
            from = hidden.as_ref().map(|hidden| hidden.end);
            text.get(begin..hidden.map_or(text.len(), |hidden| hidden.start))
        })
    }

    /// Where the next value stands that is hidden.
    fn next(&self, text: &str, from: usize, ends: Ends) -> Option<Range<usize>> {
        let (mut segment, mut hidden) = (Segment::new(), false);
        for (byte, behind) in decoded(text, from) {
            match byte {
                b'=' => {
                    hidden |= self.ends(&mut segment);
                    let end = behind + ends.position(text.get(behind..)?);
                    if hidden && end > behind {
                        return Some(behind..end);
                    }
                    hidden = false;
                }
                b'&' | b';' | b'?' | b'#' | b'/' => {
                    segment.length = 0;
                    hidden = false;
                }
                b'[' | b']' | b'.' => hidden |= self.ends(&mut segment),
                _ => segment.push(byte),
            }
        }
        None
    }

    /// Whether a part of a name is one of those that are known; another begins.
    fn ends(&self, segment: &mut Segment) -> bool {
        let length = std::mem::take(&mut segment.length);
        let Some(name) = segment.bytes.get(..length) else { return false };
        self.lengths & bit(length) != 0 && self.names.iter().any(|known| known.as_bytes() == name)
    }
}

impl Ends {
    fn position(self, text: &str) -> usize {
        let end = match self {
            Self::Query => '&',
            Self::Path => '/',
        };
        text.find(end).unwrap_or(text.len())
    }
}

impl Segment {
    const fn new() -> Self {
        Self { bytes: [0; MAX_NAME], length: 0 }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = compared(byte);
        }
        self.length = self.length.saturating_add(1);
    }
}

/// The form in which names are compared.
const fn compared(byte: u8) -> u8 {
    match byte {
        b'-' => b'_',
        _ => byte.to_ascii_lowercase(),
    }
}

fn bit(length: usize) -> u128 {
    u32::try_from(length).ok().and_then(|length| 1_u128.checked_shl(length)).unwrap_or_default()
}

/// Each byte, decoded, with where the text goes on behind it.
fn decoded(text: &str, from: usize) -> impl Iterator<Item = (u8, usize)> {
    let bytes = text.as_bytes();
    let mut at = from;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        at += 1;
        let encoded = (byte == b'%').then(|| triplet(bytes.get(at..)?)).flatten();
        at += if encoded.is_some() { 2 } else { 0 };
        Some((encoded.unwrap_or(byte), at))
    })
}

fn joined<'q>(mut parts: impl Iterator<Item = &'q str>) -> Cow<'q, str> {
    let first = parts.next().unwrap_or_default();
    let mut told = Cow::Borrowed(first);
    for part in parts {
        let told = told.to_mut();
        told.push_str(REDACTED);
        told.push_str(part);
    }
    told
}

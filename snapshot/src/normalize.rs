//! Normalisation of request paths: once, before matching; the same view is forwarded.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::text::triplet;

/// How paths are normalised on a listener. The defaults are the safe ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Normalization {
    /// What happens to `//`.
    pub empty_segments: EmptySegments,
    /// What happens to `%2F` and `%5C`.
    pub encoded_slash: Keep,
    /// What happens to raw bytes beyond ASCII that are valid UTF-8.
    pub raw_utf8: Encode,
    /// What happens to a raw backslash.
    pub backslash: Reject,
}

/// What happens to `//`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EmptySegments {
    /// They become one slash, so that `//admin` does not slip past a rule for `/admin/*`.
    #[default]
    Merge,
    /// They stay.
    Keep,
    /// The request is refused.
    Reject,
}

/// Kept by default, or refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Keep {
    /// It stays as it is.
    #[default]
    Keep,
    /// The request is refused.
    Reject,
}

/// Percent-encoded by default, or refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Encode {
    /// It is percent-encoded.
    #[default]
    Encode,
    /// The request is refused.
    Reject,
}

/// Refused by default, or kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reject {
    /// The request is refused.
    #[default]
    Reject,
    /// It stays as it is.
    Keep,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// It does not begin with a slash.
    #[error("path_without_slash")]
    NoSlash,
    /// A `%` without two hexadecimal digits behind it.
    #[error("malformed_percent_triplet")]
    Percent,
    /// A control byte, raw or encoded as `%00`.
    #[error("control_character_in_path")]
    Control,
    /// A raw backslash.
    #[error("backslash_in_path")]
    Backslash,
    /// Raw bytes beyond ASCII, where they are refused.
    #[error("raw_utf8_in_path")]
    RawUtf8,
    /// An encoded slash or backslash, where they are refused.
    #[error("encoded_slash_in_path")]
    EncodedSlash,
    /// `//`, where it is refused.
    #[error("empty_segment_in_path")]
    EmptySegment,
    /// What a regular expression captured would make a dot segment of the rewritten path.
    #[error("dot_segment_in_rewritten_path")]
    RewrittenDot,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::NoSlash,
        Self::Percent,
        Self::Control,
        Self::Backslash,
        Self::RawUtf8,
        Self::EncodedSlash,
        Self::EmptySegment,
        Self::RewrittenDot,
    ];

    /// The machine word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSlash => "path_without_slash",
            Self::Percent => "malformed_percent_triplet",
            Self::Control => "control_character_in_path",
            Self::Backslash => "backslash_in_path",
            Self::RawUtf8 => "raw_utf8_in_path",
            Self::EncodedSlash => "encoded_slash_in_path",
            Self::EmptySegment => "empty_segment_in_path",
            Self::RewrittenDot => "dot_segment_in_rewritten_path",
        }
    }

    /// What to write instead.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::NoSlash => "a path begins with /",
            Self::Percent => "% is followed by two hexadecimal digits; write a literal % as %25",
            Self::Control => "a path holds no control characters",
            Self::Backslash => "a path holds no backslash: write /, or a literal backslash as %5C",
            Self::RawUtf8 => "characters beyond ASCII are written percent-encoded here",
            Self::EncodedSlash => "an encoded slash or backslash is refused here",
            Self::EmptySegment => "an empty segment is refused here: write one /",
            Self::RewrittenDot => "it would be rewritten to a path with . or .. segments",
        }
    }
}

/// The normalised form of a path, without its query. A path that is normal already is borrowed.
///
/// Percent-encoded unreserved characters are decoded, triplets upper-cased, raw characters beyond
/// ASCII percent-encoded, dot segments removed (RFC 3986 section 6.2.2), empty segments merged.
///
/// # Errors
///
/// Why the path is refused, according to `options`.
pub fn normalize_path<'a>(path: &'a str, options: &Normalization) -> Result<Cow<'a, str>, Refusal> {
    if !path.starts_with('/') {
        return Err(Refusal::NoSlash);
    }
    if is_normal(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode(path.as_bytes(), options)?;
    resolve_segments(&decoded, options).map(Cow::Owned)
}

/// Whether nothing in a path could need normalising: one pass, without allocating.
fn is_normal(path: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in path {
        let suspicious = match byte {
            b'%' | b'\\' | 0..=0x20 | 0x7F.. => true,
            b'/' | b'.' => previous == b'/',
            _ => false,
        };
        if suspicious {
            return false;
        }
        previous = byte;
    }
    true
}

/// Percent-encoding in its one normal form (RFC 3986 sections 6.2.2.1 and 6.2.2.2).
fn decode(path: &[u8], options: &Normalization) -> Result<String, Refusal> {
    let mut out = String::with_capacity(path.len() + 16);
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        at += 1;
        match byte {
            b'%' => {
                let encoded = triplet(&path[at..]).ok_or(Refusal::Percent)?;
                at += 2;
                push_triplet(&mut out, encoded, options)?;
            }
            b'\\' if options.backslash == Reject::Reject => return Err(Refusal::Backslash),
            0..=0x20 | 0x7F => return Err(Refusal::Control),
            0x80.. if options.raw_utf8 == Encode::Reject => return Err(Refusal::RawUtf8),
            0x80.. => push_encoded(&mut out, byte),
            _ => out.push(char::from(byte)),
        }
    }
    Ok(out)
}

/// Adds an encoded byte: decoded when it is unreserved, else in upper case.
fn push_triplet(out: &mut String, byte: u8, options: &Normalization) -> Result<(), Refusal> {
    match byte {
        0 => return Err(Refusal::Control),
        b'/' | b'\\' if options.encoded_slash == Keep::Reject => return Err(Refusal::EncodedSlash),
        _ if is_unreserved(byte) => out.push(char::from(byte)),
        _ => push_encoded(out, byte),
    }
    Ok(())
}

/// Whether a byte stands for itself wherever it is (RFC 3986 section 2.3).
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// Text of which every byte is encoded.
pub(crate) fn all_encoded(text: &str) -> String {
    let mut out = String::with_capacity(3 * text.len());
    text.bytes().for_each(|byte| push_encoded(&mut out, byte));
    out
}

pub(crate) fn push_encoded(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Removes dot segments, never above the root, and treats empty ones as the options say. A final
/// `.`, `..` or empty segment leaves a final slash (RFC 3986 section 5.2.4).
fn resolve_segments(path: &str, options: &Normalization) -> Result<String, Refusal> {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path[1..].split('/').peekable();
    let mut directory = false;
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." => directory = last,
            ".." => {
                kept.pop();
                directory = last;
            }
            "" if last => directory = true,
            "" => match options.empty_segments {
                EmptySegments::Merge => {}
                EmptySegments::Keep => kept.push(part),
                EmptySegments::Reject => return Err(Refusal::EmptySegment),
            },
            _ => kept.push(part),
        }
    }
    let mut out = String::with_capacity(path.len());
    for part in kept {
        out.push('/');
        out.push_str(part);
    }
    if directory || out.is_empty() {
        out.push('/');
    }
    Ok(out)
}

//! The fields of a head, whose values are parts of the bytes that they came in.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::Malformed;

/// A name, and where its value stands.
pub(crate) type Place = (HeaderName, usize, usize);

/// Where the fields stand in `bytes`, which they were parsed from.
pub(crate) fn places(
    bytes: &[u8],
    fields: &[httparse::Header<'_>],
) -> Result<SmallVec<[Place; 16]>, Malformed> {
    let begin = bytes.as_ptr().addr();
    let place = |field: &httparse::Header<'_>| {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let at = field.value.as_ptr().addr().saturating_sub(begin);
        Ok((name.map_err(|_| Malformed("a bad name of a field"))?, at, at + field.value.len()))
    };
    fields.iter().map(place).collect()
}

/// The fields, their values being parts of `head`, which are not copied.
pub(crate) fn header_map(
    places: SmallVec<[Place; 16]>,
    head: &Bytes,
) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::with_capacity(places.len() + 4);
    for (name, from, to) in places {
        // An empty value stands nowhere.
        let value = if from < to { head.slice(from..to) } else { Bytes::new() };
        let value = HeaderValue::from_maybe_shared(value);
        headers.append(name, value.map_err(|_| Malformed("a bad value of a field"))?);
    }
    Ok(headers)
}

/// `1*DIGIT` (RFC 9110 section 8.6).
pub(crate) fn content_length(text: &[u8]) -> Result<u64, Malformed> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| digits);
    number.and_then(|text| text.parse().ok()).ok_or(Malformed("a bad length of the body"))
}

/// The length of a request's body; none that some readers could not hold.
pub(crate) fn request_length(text: &[u8]) -> Option<u64> {
    content_length(text).ok().filter(|number| i64::try_from(*number).is_ok())
}

/// The members of a list of tokens, as `Connection` and `Transfer-Encoding` are.
pub(crate) fn options(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether CR and LF stand together wherever one of them stands, as at the end of a line: some readers
/// take one alone for the end of a line, and some do not (RFC 9112 section 2.2).
pub(crate) fn lines_end_well(head: &[u8]) -> bool {
    let feeds = memchr::memchr_iter(b'\n', head);
    let returns = memchr::memchr_iter(b'\r', head);
    feeds.eq(returns.map(|at| at + 1))
}

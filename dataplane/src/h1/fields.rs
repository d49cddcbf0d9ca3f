//! What values of fields say that frame a message.

use super::Malformed;
use crate::fields::{Fields, Known};

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
pub(crate) fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether the connection stays open behind a message; `usual` where nothing is said of it, as its version
/// has it. Who says close goes, whatever else it says (RFC 9112 section 9.3).
pub(crate) fn stays_open(headers: &Fields, usual: bool) -> bool {
    let mut keep_alive = usual;
    for value in headers.all(Known::Connection) {
        for option in options(value) {
            if option.eq_ignore_ascii_case(b"close") {
                return false;
            }
            keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
    keep_alive
}

/// Whether CR and LF stand together wherever one of them stands, as at the end of a line: some readers
/// take one alone for the end of a line, and some do not (RFC 9112 section 2.2).
pub(crate) fn lines_end_well(head: &[u8]) -> bool {
    let feeds = memchr::memchr_iter(b'\n', head);
    let returns = memchr::memchr_iter(b'\r', head);
    feeds.eq(returns.map(|at| at + 1))
}

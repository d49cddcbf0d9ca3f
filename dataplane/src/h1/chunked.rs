//! The chunked transfer coding (RFC 9112 section 7.1), read strictly: sizes are hexadecimal digits,
//! lines end with CR and LF, and what is not so ends the exchange.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Input, Malformed, Step, lines_end_well};

/// The longest line of a size, with its extensions.
const MAX_LINE: usize = 4 * 1024;
/// The greatest trailer section, in bytes.
const MAX_TRAILERS: usize = 16 * 1024;
/// The most trailers.
const MAX_TRAILER_FIELDS: usize = 64;
/// A size with more digits would not fit.
const MAX_DIGITS: usize = 15;

/// What comes next in a chunked body.
#[derive(Debug, Default)]
pub(crate) enum Chunked {
    /// The line of a chunk's size.
    #[default]
    Size,
    /// So many bytes of a chunk.
    Data(u64),
    /// CR and LF behind a chunk.
    End,
    /// Trailers and the last line.
    Trailers,
}

impl Chunked {
    /// The next part of the body that is there.
    pub(crate) fn next(&mut self, input: &mut Input) -> Result<Step, Malformed> {
        loop {
            match self {
                Self::Size => {
                    let Some(size) = size(input)? else { return Ok(Step::More) };
                    *self = if size == 0 { Self::Trailers } else { Self::Data(size) };
                }
                Self::Data(_) if input.is_empty() => return Ok(Step::More),
                Self::Data(left) => {
                    let data = input.take(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= u64::try_from(data.len()).unwrap_or_default();
                    if *left == 0 {
                        *self = Self::End;
                    }
                    return Ok(Step::Data(data));
                }
                Self::End => match input.bytes() {
                    [b'\r', b'\n', ..] => {
                        input.skip(2);
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return Ok(Step::More),
                    _ => return Err(Malformed("a chunk is longer than its size")),
                },
                Self::Trailers => return trailers(input),
            }
        }
    }
}

/// Takes the line of a size off, if it is there.
fn size(input: &mut Input) -> Result<Option<u64>, Malformed> {
    let bytes = input.bytes();
    let Some(end) = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
        let long = bytes.len() >= MAX_LINE;
        return if long { Err(Malformed("a chunk's line is too long")) } else { Ok(None) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Malformed("a chunk's line without CR"))?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, extension) = line.split_at(digits);
    let good = matches!(extension.trim_ascii_start(), [] | [b';', ..])
        && !extension.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
    let number = std::str::from_utf8(number).ok().filter(|_| good && digits <= MAX_DIGITS);
    let size = number.and_then(|number| u64::from_str_radix(number, 16).ok());
    let size = size.ok_or(Malformed("a bad size of a chunk"))?;
    input.skip(end + 1);
    Ok(Some(size))
}

/// Takes the end of the body off, if it is there.
fn trailers(input: &mut Input) -> Result<Step, Malformed> {
    let bytes = input.bytes();
    let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILER_FIELDS];
    let parsed = httparse::parse_headers(bytes, &mut fields);
    let (length, fields) = match parsed.map_err(|_| Malformed("bad trailers"))? {
        httparse::Status::Complete(complete) if complete.0 <= MAX_TRAILERS => complete,
        httparse::Status::Partial if bytes.len() <= MAX_TRAILERS => return Ok(Step::More),
        // Whether they came at once or in pieces.
        _ => return Err(Malformed("the trailers are too long")),
    };
    if !lines_end_well(&bytes[..length]) {
        return Err(Malformed("a trailer's line without CR"));
    }
    let mut trailers = HeaderMap::new();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else { return Err(Malformed("bad trailers")) };
        trailers.append(name, value);
    }
    input.skip(length);
    Ok(if trailers.is_empty() { Step::End } else { Step::Trailers(Box::new(trailers)) })
}

//! The head of a response, and what it says of the body behind it (RFC 9112 sections 4 to 6).
//!
//! What two readers could understand in two ways is refused rather than repaired: a gateway that
//! guesses may pass the rest of one answer on as the answer to somebody else.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Method, StatusCode};
use smallvec::SmallVec;

use super::chunked::Chunked;
use super::input::Input;
use super::{Malformed, Step};
use crate::message::ResponseHead;

/// The greatest head of a response, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The most fields of a head.
const MAX_FIELDS: usize = 128;

/// What is known of a response so far.
pub(super) enum Parsed {
    /// The head has not come whole.
    Partial,
    /// An interim response (1xx) was taken off; the final one comes behind it.
    Interim,
    /// The head was taken off.
    Final(Head),
}

/// The head of a final response.
pub(super) struct Head {
    pub(super) head: ResponseHead,
    pub(super) decoder: Decoder,
    /// Whether the connection stays open behind the body.
    pub(super) keep_alive: bool,
}

/// Takes a body off the bytes of a connection.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Nothing comes any more.
    Done,
    /// So many bytes come.
    Length(u64),
    Chunked(Chunked),
    /// Everything until the connection ends.
    UntilClose,
}

/// Takes the head off, if it is there.
pub(super) fn parse(input: &mut Input, method: &Method) -> Result<Parsed, Malformed> {
    if input.is_empty() {
        return Ok(Parsed::Partial);
    }
    let bytes = input.bytes();
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut fields,
    );
    let length = match parsed.map_err(|_| Malformed("no head of HTTP/1"))? {
        httparse::Status::Complete(length) if length <= MAX_HEAD => length,
        httparse::Status::Partial if bytes.len() <= MAX_HEAD => return Ok(Parsed::Partial),
        _ => return Err(Malformed("the head is too long")),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Malformed("no status"))?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Malformed("switched protocols without being asked"));
    }
    if status.is_informational() {
        input.take(length);
        return Ok(Parsed::Interim);
    }
    let version = response.version.unwrap_or_default();
    let reason = response.reason.filter(|reason| Some(*reason) != status.canonical_reason());
    let reason = reason.map(|reason| Bytes::copy_from_slice(reason.as_bytes()));
    let places = places(bytes, response.headers)?;
    let mut headers = header_map(places, &input.take(length))?;
    let framing = Framing::of(&mut headers, version)?;
    let (decoder, keep_alive) = framing.decoder(method, status);
    let head = ResponseHead { status, reason, headers };
    Ok(Parsed::Final(Head { head, decoder, keep_alive }))
}

/// A name, and where its value stands.
type Place = (HeaderName, usize, usize);

fn places(
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
fn header_map(places: SmallVec<[Place; 16]>, head: &Bytes) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::with_capacity(places.len() + 4);
    for (name, from, to) in places {
        // An empty value stands nowhere.
        let value = if from < to { head.slice(from..to) } else { Bytes::new() };
        let value = HeaderValue::from_maybe_shared(value);
        headers.append(name, value.map_err(|_| Malformed("a bad value of a field"))?);
    }
    Ok(headers)
}

/// What the fields say of the body and of the connection.
#[derive(Debug, Default)]
struct Framing {
    chunked: bool,
    length: Option<u64>,
    keep_alive: bool,
}

impl Framing {
    /// Reads the fields, and leaves them so that nobody reads them in another way.
    fn of(headers: &mut HeaderMap, version: u8) -> Result<Self, Malformed> {
        let mut framing = Self { keep_alive: version >= 1, ..Self::default() };
        let (mut lengths, mut codings) = (0, 0);
        for (name, value) in &*headers {
            if *name == CONTENT_LENGTH {
                for text in value.as_bytes().split(|byte| *byte == b',') {
                    lengths += 1;
                    let length = content_length(text.trim_ascii())?;
                    if framing.length.is_some_and(|known| known != length) {
                        return Err(Malformed("two lengths of the body"));
                    }
                    framing.length = Some(length);
                }
            } else if *name == TRANSFER_ENCODING {
                for coding in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    codings += 1;
                    framing.chunked |= coding.eq_ignore_ascii_case(b"chunked");
                }
            } else if *name == CONNECTION {
                framing.connection(value);
            }
        }
        // Any coding but chunked alone would have to be passed on or undone; we asked for none.
        if codings > 0 && (codings != 1 || !framing.chunked || version == 0) {
            return Err(Malformed("a transfer coding that was not asked for"));
        }
        if codings > 0 && lengths > 0 {
            // The length is not true (RFC 9112 section 6.3); who sends both is not trusted with
            // another request.
            headers.remove(CONTENT_LENGTH);
            framing.length = None;
            framing.keep_alive = false;
        }
        if let Some(length) = framing.length.filter(|_| lengths > 1) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(framing)
    }

    fn connection(&mut self, value: &HeaderValue) {
        for option in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                self.keep_alive = false;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            }
        }
    }

    /// RFC 9112 section 6.3, in its order.
    fn decoder(&self, method: &Method, status: StatusCode) -> (Decoder, bool) {
        let bodiless = *method == Method::HEAD
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED;
        match self.length {
            _ if bodiless => (Decoder::Done, self.keep_alive),
            _ if self.chunked => (Decoder::Chunked(Chunked::default()), self.keep_alive),
            Some(0) => (Decoder::Done, self.keep_alive),
            Some(length) => (Decoder::Length(length), self.keep_alive),
            None => (Decoder::UntilClose, false),
        }
    }
}

/// `1*DIGIT` (RFC 9110 section 8.6).
fn content_length(text: &[u8]) -> Result<u64, Malformed> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| digits);
    number.and_then(|text| text.parse().ok()).ok_or(Malformed("a bad length of the body"))
}

// === impl Decoder ===

impl Decoder {
    /// The next part of the body that is there.
    pub(super) fn next(&mut self, input: &mut Input) -> Result<Step, Malformed> {
        match self {
            Self::Done => Ok(Step::End),
            Self::Length(_) | Self::UntilClose if input.is_empty() => Ok(Step::More),
            Self::Length(left) => {
                let data = input.take(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= u64::try_from(data.len()).unwrap_or_default();
                if *left == 0 {
                    *self = Self::Done;
                }
                Ok(Step::Data(data))
            }
            Self::UntilClose => Ok(Step::Data(input.take(usize::MAX))),
            Self::Chunked(chunked) => {
                let step = chunked.next(input)?;
                if let Step::End | Step::Trailers(_) = step {
                    *self = Self::Done;
                }
                Ok(step)
            }
        }
    }

    /// The connection has ended; says whether the body may end so.
    pub(super) fn end_of_connection(&mut self) -> bool {
        let may = matches!(self, Self::UntilClose);
        if may {
            *self = Self::Done;
        }
        may
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// How many bytes come still, when that is known.
    pub(super) fn remaining(&self) -> Option<u64> {
        match self {
            Self::Done => Some(0),
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }
}

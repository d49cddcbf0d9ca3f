//! The head of a response, and what it says of the body behind it (RFC 9112 sections 4 to 6).
//!
//! What two readers could understand in two ways is refused rather than repaired: a gateway that
//! guesses may pass the rest of one answer on as the answer to somebody else.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::HeaderValue;
use http::{Method, StatusCode};

use crate::fields::{Fields, Known};
use crate::h1::{Chunked, Decoder, Input, Malformed, content_length, options, stays_open};
use crate::message::{ResponseHead, has_no_body};

/// The greatest head of a response, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The most fields of a head.
const MAX_FIELDS: usize = 128;

/// What is known of a response so far.
pub(crate) enum Parsed {
    /// The head has not come whole.
    Partial,
    /// An interim response (1xx) was taken off; the final one comes behind it.
    Interim(ResponseHead),
    /// The head was taken off.
    Final(Head),
}

/// The head of a final response.
pub(crate) struct Head {
    pub(crate) head: ResponseHead,
    pub(crate) decoder: Decoder,
    /// Whether the connection stays open behind the body.
    pub(crate) keep_alive: bool,
    /// Whether what follows is of the protocol that was asked for.
    pub(crate) switched: bool,
}

/// Takes the head off, if it is there; `upgrade` is the protocol that was asked for.
pub(crate) fn parse(
    input: &mut Input,
    method: &Method,
    upgrade: Option<&HeaderValue>,
) -> Result<Parsed, Malformed> {
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
    let version = response.version.unwrap_or_default();
    let reason = response.reason.filter(|reason| Some(*reason) != status.canonical_reason());
    let reason = reason.map(|reason| Bytes::copy_from_slice(reason.as_bytes()));
    let headers = Fields::found(bytes, response.headers);
    let headers = headers.map_err(|_| Malformed("a field is too long"))?;
    let mut headers = headers.over(input.take(length));
    if status == StatusCode::SWITCHING_PROTOCOLS {
        check_switch(&headers, upgrade)?;
        let head = ResponseHead { status, reason, headers };
        let decoder = Decoder::UntilClose;
        return Ok(Parsed::Final(Head { head, decoder, keep_alive: false, switched: true }));
    }
    if status.is_informational() {
        return Ok(Parsed::Interim(ResponseHead { status, reason, headers }));
    }
    let framing = Framing::of(&mut headers, version)?;
    let (decoder, keep_alive) = framing.decoder(method, status);
    let head = ResponseHead { status, reason, headers };
    Ok(Parsed::Final(Head { head, decoder, keep_alive, switched: false }))
}

/// Whether a switch is to what was asked for (RFC 9110 section 7.8). What follows another one would be
/// read as something that it is not.
fn check_switch(headers: &Fields, asked: Option<&HeaderValue>) -> Result<(), Malformed> {
    let asked = asked.ok_or(Malformed("switched protocols without being asked"))?;
    let named = headers.only(Known::Upgrade);
    let same = |name: &[u8]| name.trim_ascii().eq_ignore_ascii_case(asked.as_bytes());
    let framed =
        headers.contains(Known::ContentLength) || headers.contains(Known::TransferEncoding);
    if named.is_some_and(same) && !framed {
        Ok(())
    } else {
        Err(Malformed("switched to a protocol that was not asked for"))
    }
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
    fn of(headers: &mut Fields, version: u8) -> Result<Self, Malformed> {
        let mut framing = Self { keep_alive: stays_open(headers, version >= 1), ..Self::default() };
        let (mut lengths, mut codings) = (0, 0);
        for value in headers.all(Known::ContentLength) {
            for text in options(value) {
                lengths += 1;
                let length = content_length(text)?;
                if framing.length.is_some_and(|known| known != length) {
                    return Err(Malformed("two lengths of the body"));
                }
                framing.length = Some(length);
            }
        }
        for value in headers.all(Known::TransferEncoding) {
            for coding in options(value) {
                codings += 1;
                framing.chunked |= coding.eq_ignore_ascii_case(b"chunked");
            }
        }
        // Any coding but chunked alone would have to be passed on or undone; we asked for none.
        if codings > 0 && (codings != 1 || !framing.chunked || version == 0) {
            return Err(Malformed("a transfer coding that was not asked for"));
        }
        if codings > 0 && lengths > 0 {
            // The length is not true (RFC 9112 section 6.3); who sends both is not trusted with
            // another request.
            headers.remove(Known::ContentLength);
            framing.length = None;
            framing.keep_alive = false;
        }
        if let Some(length) = framing.length.filter(|_| lengths > 1) {
            headers.set(Known::ContentLength, itoa::Buffer::new().format(length).as_bytes());
        }
        Ok(framing)
    }

    /// RFC 9112 section 6.3, in its order.
    fn decoder(&self, method: &Method, status: StatusCode) -> (Decoder, bool) {
        let bodiless = *method == Method::HEAD || has_no_body(status);
        match self.length {
            _ if bodiless => (Decoder::Done, self.keep_alive),
            _ if self.chunked => (Decoder::Chunked(Chunked::default()), self.keep_alive),
            Some(0) => (Decoder::Done, self.keep_alive),
            Some(length) => (Decoder::Length(length), self.keep_alive),
            None => (Decoder::UntilClose, false),
        }
    }
}

//! The head of a request, and what it says of the body behind it (RFC 9112 sections 2 to 6).
//!
//! What two readers could understand in two ways is refused rather than repaired: behind such a head
//! a backend may find a request that nobody has looked at.

use std::mem::MaybeUninit;

use http::{Method, Uri, Version};

use crate::config::Config;
use crate::error::{MessageProblem, ProxyError};
use crate::fields::{Fields, Known};
use crate::h1::{Chunked, Decoder, Input, lines_end_well, options, request_length, stays_open};
use crate::headers::expects_continue;
use crate::message::RequestHead;

/// The most fields that a head may have by any setting.
const MAX_FIELDS: usize = 256;

/// A request whose head was taken off the bytes of its connection.
pub(crate) struct Request {
    pub(crate) head: RequestHead,
    /// What takes its body off.
    pub(crate) decoder: Decoder,
    /// Whether the client keeps the connection open behind the answer.
    pub(crate) keep_alive: bool,
    /// Whether the client waits to be told to send its body (RFC 9110 section 10.1.1).
    pub(crate) expects: bool,
    /// Whether it may ask for another protocol: behind a body it may not.
    pub(crate) upgrade: bool,
}

/// Takes the head off, if it is there.
pub(crate) fn parse(input: &mut Input, config: &Config) -> Result<Option<Request>, ProxyError> {
    let most = config.client_head_bytes;
    let bytes = input.bytes();
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let fields = fields.get_mut(..config.client_head_fields).unwrap_or_default();
    let mut request = httparse::Request::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_request_with_uninit_headers(
        &mut request,
        bytes,
        fields,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= most => length,
        Ok(httparse::Status::Partial) if bytes.len() <= most => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(ProxyError::HeadTooLarge),
        Err(httparse::Error::Version) if names_version(bytes) => {
            return Err(MessageProblem::Version.into());
        }
        Err(httparse::Error::NewLine) if !lines_end_well(bytes) => {
            return Err(MessageProblem::LineEnding.into());
        }
        Err(_) => return Err(MessageProblem::Head.into()),
    };
    if !lines_end_well(&bytes[..length]) {
        return Err(MessageProblem::LineEnding.into());
    }
    let method = Method::from_bytes(request.method.unwrap_or_default().as_bytes());
    let method = method.map_err(|_| MessageProblem::Head)?;
    let target = request.path.unwrap_or_default();
    check_target(&method, target, config.client_target_bytes)?;
    let at = target.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
    let target = at..at + target.len();
    let version = if request.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let headers = Fields::found(bytes, request.headers).map_err(|_| MessageProblem::Head)?;
    let bytes = input.take(length);
    let headers = headers.over(bytes.clone());
    let target = Uri::from_maybe_shared(bytes.slice(target)).map_err(|_| MessageProblem::Target)?;
    let Framing { decoder, keep_alive } = framing(&headers, version)?;
    let expects = !decoder.is_done() && version == Version::HTTP_11 && expects_continue(&headers);
    let upgrade = decoder.is_done() && headers.contains(Known::Upgrade);
    let head = RequestHead { method, target, version, headers };
    Ok(Some(Request { head, decoder, keep_alive, expects, upgrade }))
}

/// Whether the first line ends with a version, if of another HTTP: what does not is no request.
fn names_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.rsplitn(2, |byte| *byte == b' ');
    let version = words.next().unwrap_or_default();
    let before = words.next().unwrap_or_default();
    let digits = matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit());
    digits && before.iter().filter(|byte| **byte == b' ').count() == 1
}

/// Origin form, absolute form, `*` for `OPTIONS`, and what `CONNECT` asks for, which is refused
/// later (RFC 9112 section 3.2).
fn check_target(method: &Method, target: &str, most: usize) -> Result<(), ProxyError> {
    if target.len() > most {
        return Err(ProxyError::TargetTooLong);
    }
    let absolute = || {
        let scheme = target.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| {
            scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
        })
    };
    let good = target.starts_with('/')
        || *method == Method::CONNECT
        || (*method == Method::OPTIONS && target == "*")
        || absolute();
    // A fragment is nobody's but the client's.
    if good && !target.contains('#') { Ok(()) } else { Err(MessageProblem::Target.into()) }
}

/// What the fields say of the body and of the connection.
struct Framing {
    decoder: Decoder,
    keep_alive: bool,
}

/// RFC 9112 section 6.3 without its repairs.
fn framing(headers: &Fields, version: Version) -> Result<Framing, ProxyError> {
    let http11 = version == Version::HTTP_11;
    let mut length = None;
    for text in headers.all(Known::ContentLength) {
        // More than one, or one that others read in another way: octal, signed, too large.
        let odd = text.len() > 1 && text.first() == Some(&b'0');
        match request_length(text).filter(|_| !odd && length.is_none()) {
            Some(number) => length = Some(number),
            None => return Err(MessageProblem::Length.into()),
        }
    }
    let mut coded = false;
    for value in headers.all(Known::TransferEncoding) {
        let mut codings = options(value);
        let (first, second) = (codings.next().unwrap_or_default(), codings.next());
        let chunked = first.eq_ignore_ascii_case(b"chunked");
        let last = options(value).last().unwrap_or_default();
        if chunked && second.is_none() && !coded && http11 {
            coded = true;
        } else if !chunked && last.eq_ignore_ascii_case(b"chunked") && !coded && http11 {
            return Err(ProxyError::TransferCodingNotSupported);
        } else {
            return Err(MessageProblem::TransferCoding.into());
        }
    }
    let decoder = match (coded, length) {
        (true, Some(_)) => return Err(MessageProblem::LengthAndCoding.into()),
        (true, None) => Decoder::Chunked(Chunked::default()),
        (false, None | Some(0)) => Decoder::Done,
        (false, Some(length)) => Decoder::Length(length),
    };
    Ok(Framing { decoder, keep_alive: stays_open(headers, http11) })
}

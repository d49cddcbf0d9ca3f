//! A request of a stream, in the form in which the proxy knows requests (RFC 9113 section 8).

use h2::RecvStream;
use h2::ext::Protocol;
use http::{HeaderValue, Method, Request, Version};

use crate::config::Config;
use crate::error::{MessageProblem, ProxyError};
use crate::fields::{Fields, Known, Seen};
use crate::h1::request_length;
use crate::headers::expects_continue;
use crate::message::RequestHead;
use crate::streams::{StreamBody, has_outer_blanks};

/// What each field costs beside its bytes (RFC 9113 section 6.5.2).
const FIELD: usize = 32;

/// A head with what it says of what follows.
pub(super) struct Opened {
    pub(super) head: RequestHead,
    pub(super) body: StreamBody,
    /// Whether the client waits to be told to send its body.
    pub(super) expects: bool,
    /// The protocol that the stream is for (RFC 8441).
    pub(super) protocol: Option<HeaderValue>,
}

/// Takes a request apart. The codec has refused what is malformed by RFC 9113 alone; an error is what
/// it lets pass.
pub(super) fn open(request: Request<RecvStream>, config: &Config) -> Result<Opened, Box<Refused>> {
    let (mut parts, stream) = request.into_parts();
    let protocol = parts.extensions.remove::<Protocol>();
    let mut head = RequestHead {
        method: parts.method,
        target: parts.uri,
        version: Version::HTTP_2,
        headers: Fields::from(&parts.headers),
    };
    // The host stands in one place from here on, whatever the client speaks.
    if let Some(authority) = head.target.authority()
        && !head.headers.contains(Known::Host)
    {
        head.headers.add(Known::Host, authority.as_str().as_bytes());
    }
    let length = match check(&head, config) {
        Ok(length) => length,
        Err(error) => return Err(Box::new(Refused { head, error })),
    };
    join_cookies(&mut head.headers);
    let may = |protocol: &Protocol| {
        let mut allowed = config.upgrades.iter();
        allowed.any(|name| protocol.as_str().eq_ignore_ascii_case(name))
    };
    let protocol = protocol.filter(|protocol| head.method == Method::CONNECT && may(protocol));
    let protocol = protocol.and_then(|protocol| {
        // What is opened by CONNECT here, a backend of HTTP/1.1 is asked for by GET.
        head.method = Method::GET;
        if protocol.as_str().eq_ignore_ascii_case("websocket") {
            head.headers.set(Known::SecWebsocketKey, &websocket_key());
        }
        HeaderValue::from_str(protocol.as_str()).ok()
    });
    let body = StreamBody::new(stream, length);
    let expects = !body.is_end_stream() && expects_continue(&head.headers);
    Ok(Opened { head, body, expects, protocol })
}

/// A request that is answered with an error, with what could be read of it.
pub(super) struct Refused {
    pub(super) head: RequestHead,
    pub(super) error: ProxyError,
}

/// Checks what the codec does not; gives the length of the body when the client said it.
fn check(head: &RequestHead, config: &Config) -> Result<Option<u64>, ProxyError> {
    let authority = head.target.authority().map_or(0, |authority| authority.as_str().len());
    let path = head.target.path_and_query().map_or(0, |path| path.as_str().len());
    let mut size = authority + path;
    let mut length = None;
    for Seen { known, name, value } in head.headers.iter() {
        size += name.len() + value.len() + FIELD;
        if has_outer_blanks(value) {
            return Err(MessageProblem::Head.into());
        }
        if known == Some(Known::ContentLength) {
            match request_length(value).filter(|_| length.is_none()) {
                Some(number) => length = Some(number),
                None => return Err(MessageProblem::Length.into()),
            }
        }
    }
    if size > config.client_head_bytes || head.headers.len() > config.client_head_fields {
        return Err(ProxyError::HeadTooLarge);
    }
    if path > config.client_target_bytes {
        return Err(ProxyError::TargetTooLong);
    }
    let path = head.target.path();
    let good = path.starts_with('/')
        || head.method == Method::CONNECT
        || (head.method == Method::OPTIONS && path == "*");
    if good { Ok(length) } else { Err(MessageProblem::Target.into()) }
}

/// One field again of what was split to be compressed better (section 8.2.3).
fn join_cookies(headers: &mut Fields) {
    let mut crumbs = headers.all(Known::Cookie);
    if let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) {
        let mut whole = [first, second].join(&b"; "[..]);
        for crumb in crumbs {
            whole.extend_from_slice(b"; ");
            whole.extend_from_slice(crumb);
        }
        headers.set(Known::Cookie, &whole);
    }
}

/// Sixteen bytes at random (RFC 6455 section 4.1), of which only the backend's proof is made.
fn websocket_key() -> [u8; 24] {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = [b'='; 24];
    for digit in &mut text[..21] {
        *digit = *fastrand::choice(DIGITS).unwrap_or(&b'A');
    }
    // The last digit of sixteen bytes has two bits only.
    text[21] = *fastrand::choice(b"AQgw").unwrap_or(&b'A');
    text
}

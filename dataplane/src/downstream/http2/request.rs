//! A request of a stream, in the form in which the proxy knows requests (RFC 9113 section 8).

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Version};
use http_body::Frame;

use crate::config::Config;
use crate::downstream::source::Broken;
use crate::error::{MessageProblem, ProxyError};
use crate::h1::content_length;
use crate::message::RequestHead;

const SEC_WEBSOCKET_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
/// What each field costs beside its bytes (RFC 9113 section 6.5.2).
const FIELD: usize = 32;

/// The body of a stream.
pub(crate) struct StreamBody {
    stream: RecvStream,
    /// What of a length that was said has not come yet.
    left: Option<u64>,
}

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
        headers: parts.headers,
    };
    // The host stands in one place from here on, whatever the client speaks.
    if let Some(authority) = head.target.authority()
        && !head.headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
    let left = match check(&head, config.client_head_bytes) {
        Ok(left) => left,
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
            head.headers.insert(SEC_WEBSOCKET_KEY, websocket_key());
        }
        HeaderValue::from_str(protocol.as_str()).ok()
    });
    let body = StreamBody { stream, left };
    let expects = !body.is_end_stream()
        && head.headers.get(EXPECT).is_some_and(|value| {
            value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"100-continue")
        });
    Ok(Opened { head, body, expects, protocol })
}

/// A request that is answered with an error, with what could be read of it.
pub(super) struct Refused {
    pub(super) head: RequestHead,
    pub(super) error: ProxyError,
}

/// Checks what the codec does not; gives the length of the body when the client said it.
fn check(head: &RequestHead, most: usize) -> Result<Option<u64>, ProxyError> {
    let authority = head.target.authority().map_or(0, |authority| authority.as_str().len());
    let path = head.target.path_and_query().map_or(0, |path| path.as_str().len());
    let mut size = authority + path;
    let mut length = None;
    for (name, value) in &head.headers {
        let value = value.as_bytes();
        size += name.as_str().len() + value.len() + FIELD;
        // Section 8.2.1: a reader of HTTP/1 would take blanks off.
        if value.trim_ascii().len() != value.len() {
            return Err(MessageProblem::Head.into());
        }
        if *name == CONTENT_LENGTH {
            let number = content_length(value).ok().filter(|number| i64::try_from(*number).is_ok());
            match number.filter(|_| length.is_none()) {
                Some(number) => length = Some(number),
                None => return Err(MessageProblem::Length.into()),
            }
        }
    }
    if size > most {
        return Err(ProxyError::HeadTooLarge);
    }
    let path = head.target.path();
    let good = path.starts_with('/')
        || head.method == Method::CONNECT
        || (head.method == Method::OPTIONS && path == "*");
    if good { Ok(length) } else { Err(MessageProblem::Target.into()) }
}

/// One field again of what was split to be compressed better (section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    if let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) {
        let mut whole = [first.as_bytes(), second.as_bytes()].join(&b"; "[..]);
        for crumb in crumbs {
            whole.extend_from_slice(b"; ");
            whole.extend_from_slice(crumb.as_bytes());
        }
        if let Ok(whole) = HeaderValue::from_maybe_shared(Bytes::from(whole)) {
            headers.insert(COOKIE, whole);
        }
    }
}

/// Sixteen bytes at random (RFC 6455 section 4.1), of which only the backend's proof is made.
fn websocket_key() -> HeaderValue {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = [b'='; 24];
    for digit in &mut text[..21] {
        *digit = *fastrand::choice(DIGITS).unwrap_or(&b'A');
    }
    // The last digit of sixteen bytes has two bits only.
    text[21] = *fastrand::choice(b"AQgw").unwrap_or(&b'A');
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

// === impl StreamBody ===

impl StreamBody {
    /// The next part. What is handed over makes room for more.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match ready!(self.stream.poll_data(cx)) {
            Some(Ok(data)) => {
                let _ = self.stream.flow_control().release_capacity(data.len());
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Err(_)) => Poll::Ready(Some(Err(Broken))),
            None => Poll::Ready(match ready!(self.stream.poll_trailers(cx)) {
                Ok(Some(trailers)) => Some(Ok(Frame::trailers(trailers))),
                Ok(None) => None,
                Err(_) => Some(Err(Broken)),
            }),
        }
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    /// How much comes still, when that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        if self.is_end_stream() { Some(0) } else { self.left }
    }
}

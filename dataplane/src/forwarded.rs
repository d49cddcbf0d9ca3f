//! What a backend is told about the client: `Forwarded` (RFC 7239), `X-Forwarded-*` and
//! `X-Request-Id`. No peer is trusted, so what the client sent in them is replaced.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The id of a request, for the backend and for our own log.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The values that are the same for every request of a client's connection.
#[derive(Debug)]
pub(crate) struct Forwarded {
    address: HeaderValue,
    port: HeaderValue,
    /// `for=` as RFC 7239 writes it: an IPv6 address in brackets and quotes.
    node: String,
    /// The last host and the `Forwarded` made from it: a client seldom changes it.
    last: RefCell<Option<(HeaderValue, HeaderValue)>>,
}

impl Forwarded {
    /// For a client at `peer` that came to `local`.
    pub(crate) fn new(peer: SocketAddr, local: SocketAddr) -> Self {
        let address = peer.ip().to_canonical();
        Self {
            address: printable(&address.to_string()),
            port: HeaderValue::from(local.port()),
            node: match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("\"[{address}]\""),
            },
            last: RefCell::new(None),
        }
    }

    /// Sets the headers on a request whose `Host` is in `headers`.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        let host = headers.get(HOST).cloned();
        headers.insert(FORWARDED, self.forwarded(host.as_ref()));
        headers.insert(X_FORWARDED_FOR, self.address.clone());
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        headers.insert(X_FORWARDED_PORT, self.port.clone());
        match host {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }

    fn forwarded(&self, host: Option<&HeaderValue>) -> HeaderValue {
        let Some(host) = host else {
            return printable(&format!("for={};proto=http", self.node));
        };
        let mut last = self.last.borrow_mut();
        if let Some((known, value)) = &*last
            && known == host
        {
            return value.clone();
        }
        // A host is checked before it comes here: it holds no quote. A colon needs quotes.
        let text = String::from_utf8_lossy(host.as_bytes());
        let value = printable(&format!("for={};host=\"{text}\";proto=http", self.node));
        *last = Some((host.clone(), value.clone()));
        value
    }
}

/// A header value from text that has only visible characters.
fn printable(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// A new request id: a UUID version 7 (RFC 9562), so that ids sort by time.
pub(crate) fn request_id(milliseconds: u64) -> RequestId {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&fastrand::u64(..).to_ne_bytes());
    random[8..].copy_from_slice(&fastrand::u16(..).to_ne_bytes());
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid();
    let mut text = [0; 36];
    id.hyphenated().encode_lower(&mut text);
    RequestId { text }
}

/// A request id as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId {
    text: [u8; 36],
}

impl RequestId {
    /// The id as it stands in log, header and problem body.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// The id as a header value.
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.text).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

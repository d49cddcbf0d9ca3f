//! What a backend is told about the client: `Forwarded` (RFC 7239), `X-Forwarded-*` and
//! `X-Request-Id`. What came in them is replaced, but for what a trusted peer says.

#[cfg(test)]
mod tests;
mod told;

use std::cell::RefCell;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};

pub(crate) use told::Told;
pub use told::Trust;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The id of a request, for the backend and for our own log.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The values that are the same for every request of a client's connection.
#[derive(Debug)]
pub(crate) struct Forwarded {
    peer: IpAddr,
    address: HeaderValue,
    port: HeaderValue,
    /// Whether the client came by TLS.
    https: bool,
    /// `for=` as RFC 7239 writes it: an IPv6 address in brackets and quotes.
    node: String,
    /// The last host and the `Forwarded` made from it: a client seldom changes it.
    last: RefCell<Option<(HeaderValue, HeaderValue)>>,
}

impl Forwarded {
    /// For a client at `peer` that came to `local`, by TLS or without.
    pub(crate) fn new(peer: SocketAddr, local: SocketAddr, https: bool) -> Self {
        let address = peer.ip().to_canonical();
        Self {
            peer: address,
            address: printable(&address.to_string()),
            port: HeaderValue::from(local.port()),
            https,
            node: node(address),
            last: RefCell::new(None),
        }
    }

    /// Whether the client came by HTTPS, to us or to a trusted peer.
    pub(crate) fn is_https(&self, told: Option<&Told>) -> bool {
        told.and_then(|told| told.https).unwrap_or(self.https)
    }

    /// Sets the headers on a request whose `Host` is in `headers`; `told` is what a trusted peer says.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, told: Option<&Told>) {
        let host = told.and_then(|told| told.host.as_ref()).or_else(|| headers.get(HOST)).cloned();
        let https = told.and_then(|told| told.https);
        let scheme = scheme(https.unwrap_or(self.https));
        let (forwarded, list) = match told {
            Some(told) => self.chain(told, host.as_ref(), scheme),
            None => (self.forwarded(host.as_ref()), self.address.clone()),
        };
        // Whoever names the scheme and no port means the usual one.
        let usual = https.map(|https| if https { 443 } else { 80_u16 });
        let port = told.and_then(|told| told.port).or(usual);
        headers.insert(FORWARDED, forwarded);
        headers.insert(X_FORWARDED_FOR, list);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
        headers.insert(X_FORWARDED_PORT, port.map_or_else(|| self.port.clone(), HeaderValue::from));
        match host {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }

    /// `Forwarded` and `X-Forwarded-For` with the client that stands behind our peer.
    fn chain(
        &self,
        told: &Told,
        host: Option<&HeaderValue>,
        scheme: &str,
    ) -> (HeaderValue, HeaderValue) {
        let (mut list, mut forwarded) = (String::new(), String::new());
        for (index, address) in told.chain().iter().chain([&self.peer]).enumerate() {
            let between = if index == 0 { "" } else { ", " };
            // Writing to memory does not fail.
            let _ = write!(list, "{between}{address}");
            let _ = match index {
                0 => write!(forwarded, "{}", element(&node(*address), host, scheme)),
                _ => write!(forwarded, "{between}for={}", node(*address)),
            };
        }
        (printable(&forwarded), printable(&list))
    }

    fn forwarded(&self, host: Option<&HeaderValue>) -> HeaderValue {
        let scheme = scheme(self.https);
        let Some(host) = host else { return printable(&element(&self.node, None, scheme)) };
        let mut last = self.last.borrow_mut();
        if let Some((known, value)) = &*last
            && known == host
        {
            return value.clone();
        }
        let value = printable(&element(&self.node, Some(host), scheme));
        *last = Some((host.clone(), value.clone()));
        value
    }
}

/// What is said of the client itself.
fn element(node: &str, host: Option<&HeaderValue>, scheme: &str) -> String {
    let Some(host) = host else { return format!("for={node};proto={scheme}") };
    // A host is checked before it comes here: it holds no quote. A colon needs quotes.
    let host = String::from_utf8_lossy(host.as_bytes());
    format!("for={node};host=\"{host}\";proto={scheme}")
}

const fn scheme(https: bool) -> &'static str {
    if https { "https" } else { "http" }
}

/// An address as RFC 7239 section 6 writes it.
fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
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
    let mut text = [0; MAX_ID];
    let length = id.hyphenated().encode_lower(&mut text).len();
    RequestId { text, length }
}

/// The id that a request has already, when it is one: up to 64 letters, digits and a few signs.
fn given_id(value: &HeaderValue) -> Option<RequestId> {
    let given = value.as_bytes();
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/@".contains(byte);
    let mut text = [0; MAX_ID];
    if given.is_empty() || !given.iter().all(known) {
        return None;
    }
    text.get_mut(..given.len())?.copy_from_slice(given);
    Some(RequestId { text, length: given.len() })
}

/// The longest id that is kept.
const MAX_ID: usize = 64;

/// A request id as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId {
    text: [u8; MAX_ID],
    length: usize,
}

impl RequestId {
    /// The id as it stands in log, header and problem body.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// The id as a header value.
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.bytes()).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }

    fn bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

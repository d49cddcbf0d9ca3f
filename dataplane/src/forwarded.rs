//! What a backend is told about the client: `Forwarded` (RFC 7239), `X-Forwarded-*` and
//! `X-Request-Id`. What came in them is replaced, but for what a trusted peer says.

#[cfg(test)]
mod tests;
mod told;

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;
use smallvec::SmallVec;

use crate::address::{AddressText, IpText};
use crate::fields::{Block, Fields, Known};
pub(crate) use told::Told;
pub use told::Trust;

/// A host that is kept while the fields change.
type Text = SmallVec<[u8; 64]>;

/// What is ours to say, whatever came in it.
const OURS: u64 = Known::set(&[
    Known::Forwarded,
    Known::XForwardedFor,
    Known::XForwardedProto,
    Known::XForwardedPort,
    Known::XForwardedHost,
]);

/// The values that are the same for every request of a client's connection.
#[derive(Debug)]
pub(crate) struct Forwarded {
    peer: IpAddr,
    address: AddressText,
    /// The port that the client came to.
    port: u16,
    /// Whether the client came by TLS.
    https: bool,
    /// What was made for the last host, which a client seldom changes.
    last: RefCell<Option<Block>>,
}

impl Forwarded {
    /// For a client at `peer` that came to `local`, by TLS or without.
    pub(crate) fn new(peer: SocketAddr, local: SocketAddr, https: bool) -> Self {
        let (address, port) = (peer.into(), local.port());
        Self { peer: peer.ip().to_canonical(), address, port, https, last: RefCell::default() }
    }

    /// The peer's address with its port.
    pub(crate) fn peer(&self) -> &[u8] {
        self.address.as_bytes()
    }

    /// Whether the client came by HTTPS, to us or to a trusted peer.
    pub(crate) fn is_https(&self, told: Option<&Told>) -> bool {
        told.and_then(|told| told.https).unwrap_or(self.https)
    }

    /// Sets the headers on a request whose `Host` is in `headers`; `told` is what a trusted peer says.
    pub(crate) fn apply(&self, headers: &mut Fields, told: Option<&Told>) {
        // The five stand together as if they had come so, which they mostly did not.
        headers.remove_set(OURS);
        let Some(told) = told else { return self.peer_alone(headers) };
        let host = told.host.as_ref().map(HeaderValue::as_bytes);
        let host = host.or_else(|| headers.get(Known::Host)).map(Text::from_slice);
        let scheme = scheme(told.https.unwrap_or(self.https));
        let (forwarded, list) = self.chain(told, host.as_deref(), scheme);
        // Whoever names the scheme and no port means the usual one.
        let usual = told.https.map(|https| if https { 443 } else { 80_u16 });
        headers.add(Known::Forwarded, &forwarded);
        headers.add(Known::XForwardedFor, &list);
        headers.add(Known::XForwardedProto, scheme.as_bytes());
        let port = told.port.or(usual).unwrap_or(self.port);
        headers.add(Known::XForwardedPort, itoa::Buffer::new().format(port).as_bytes());
        if let Some(host) = host {
            headers.add(Known::XForwardedHost, &host);
        }
    }

    /// The same where the peer is the client.
    fn peer_alone(&self, headers: &mut Fields) {
        let mut last = self.last.borrow_mut();
        let host = headers.get(Known::Host);
        if let Some(block) = &*last
            && block.get(Known::XForwardedHost) == host
        {
            return headers.extend(block);
        }
        let host = host.map(Text::from_slice);
        let scheme = scheme(self.https);
        let mark = headers.mark();
        let ip = self.address.ip();
        headers.add_written(Known::Forwarded, |text| element(text, ip, host.as_deref(), scheme));
        headers.add(Known::XForwardedFor, ip);
        headers.add(Known::XForwardedProto, scheme.as_bytes());
        headers.add(Known::XForwardedPort, itoa::Buffer::new().format(self.port).as_bytes());
        if let Some(host) = host {
            headers.add(Known::XForwardedHost, &host);
        }
        *last = Some(headers.since(mark));
    }

    /// `Forwarded` and `X-Forwarded-For` with the client that stands behind our peer.
    fn chain(&self, told: &Told, host: Option<&[u8]>, scheme: &str) -> (Vec<u8>, Vec<u8>) {
        let (mut list, mut forwarded) = (Vec::new(), Vec::new());
        for (index, address) in told.chain().iter().chain([&self.peer]).enumerate() {
            let text = IpText::from(*address);
            if index == 0 {
                element(&mut forwarded, text.as_bytes(), host, scheme);
            } else {
                forwarded.extend_from_slice(b", ");
                node(&mut forwarded, text.as_bytes());
                list.extend_from_slice(b", ");
            }
            list.extend_from_slice(text.as_bytes());
        }
        (forwarded, list)
    }
}

/// What is said of the client itself.
fn element(text: &mut Vec<u8>, address: &[u8], host: Option<&[u8]>, scheme: &str) {
    node(text, address);
    if let Some(host) = host {
        // A host is checked before it comes here: it holds no quote. A colon needs quotes.
        for part in [b";host=\"", host, b"\""] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b";proto=");
    text.extend_from_slice(scheme.as_bytes());
}

const fn scheme(https: bool) -> &'static str {
    if https { "https" } else { "http" }
}

/// An address as RFC 7239 section 6 writes it: one of IPv6, which has colons, in brackets and quotes.
fn node(text: &mut Vec<u8>, address: &[u8]) {
    let (before, after) = if address.contains(&b':') {
        (&b"for=\"["[..], &b"]\""[..])
    } else {
        (&b"for="[..], &b""[..])
    };
    for part in [before, address, after] {
        text.extend_from_slice(part);
    }
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
fn given_id(given: &[u8]) -> Option<RequestId> {
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

    /// The same as bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

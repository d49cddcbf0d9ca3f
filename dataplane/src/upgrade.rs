//! Switching to another protocol over the connection of a request (RFC 9110 section 7.8), as WebSocket
//! does: behind the backend's 101 bytes pass as they are, in both directions, until one side ends.

use http::{HeaderValue, Version};

use crate::body::ClientBody;
use crate::fields::{Fields, Known};
use crate::h1::options;
use crate::message::RequestHead;

/// A switch that a client asks for, on its way to a backend.
pub(crate) struct Upgrade {
    /// The protocol, as the client named it.
    pub(crate) protocol: HeaderValue,
    client: ClientBody,
}

impl Upgrade {
    pub(crate) fn new(protocol: HeaderValue, client: ClientBody) -> Self {
        Self { protocol, client }
    }

    /// The backend has switched: what the client sends from here on is of the other protocol.
    pub(crate) fn open(self) -> ClientBody {
        self.client.into_tunnel()
    }
}

/// The protocol that a request asks for, when it is one of those that may be. Who asks for another, or
/// for several, gets an answer over HTTP, as the RFC lets a server do: `h2c` above all would lead past
/// everything that is decided for each request.
pub(crate) fn asked(head: &RequestHead, allowed: &[String]) -> Option<HeaderValue> {
    let protocol = head.headers.only(Known::Upgrade)?;
    let known = |name: &String| protocol.eq_ignore_ascii_case(name.as_bytes());
    let asks = head.version == Version::HTTP_11 && names_upgrade(&head.headers);
    let protocol = (asks && allowed.iter().any(known)).then_some(protocol)?;
    HeaderValue::from_bytes(protocol).ok()
}

fn names_upgrade(headers: &Fields) -> bool {
    let mut named = headers.all(Known::Connection).flat_map(options);
    named.any(|option| option.eq_ignore_ascii_case(b"upgrade"))
}

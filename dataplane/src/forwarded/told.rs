//! What a trusted peer says of the client behind it. Who is believed is the operator's word
//! ([`Trust`]); what stands left of the client in the list could be anybody's, and is left out, so that
//! log, policy and backend know the same client.

use std::net::{IpAddr, SocketAddr};

use fairway_snapshot::Network;
use http::HeaderValue;
use smallvec::SmallVec;

use super::{RequestId, given_id};
use crate::authority::is_host;
use crate::fields::{Fields, Known};

/// The most entries that are looked at.
const MAX_HOPS: usize = 32;

/// Whose word about clients is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// How many proxies stand between clients and this gateway, each of which adds its peer to
    /// `X-Forwarded-For`; 0 takes nobody's word unless networks are given.
    pub hops: u8,
    /// Peers whose word is taken; with hops, only theirs. Without hops the client is the last address of
    /// the list that lies in none of them.
    pub networks: Vec<Network>,
}

/// What is known of a client through its trusted peer.
#[derive(Debug)]
pub(crate) struct Told {
    /// From the client to the one before our peer; empty when the peer is the client.
    chain: SmallVec<[IpAddr; 4]>,
    pub(super) https: Option<bool>,
    pub(super) host: Option<HeaderValue>,
    pub(super) port: Option<u16>,
    id: Option<RequestId>,
}

impl Trust {
    /// Whether a peer's word is taken.
    pub(crate) fn believes(&self, peer: SocketAddr) -> bool {
        if self.networks.is_empty() { self.hops > 0 } else { self.names(peer) }
    }

    /// Whether a peer is in one of the networks: one of those that may say whose a connection is, for which
    /// no number of hops is enough.
    pub(crate) fn names(&self, peer: SocketAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer.ip()))
    }

    /// What a trusted peer says.
    pub(crate) fn read(&self, headers: &Fields) -> Told {
        Told {
            chain: self.chain(headers),
            https: headers.only(Known::XForwardedProto).and_then(https),
            host: headers.only(Known::XForwardedHost).filter(|host| is_host(host)).and_then(value),
            port: headers.only(Known::XForwardedPort).and_then(port),
            id: headers.only(Known::XRequestId).and_then(given_id),
        }
    }

    /// From the client to the one before our peer. An entry that is no address ends the way back: who
    /// stands left of it cannot be told.
    fn chain(&self, headers: &Fields) -> SmallVec<[IpAddr; 4]> {
        let fields = headers.all(Known::XForwardedFor).rev();
        let entries =
            fields.flat_map(|field| field.rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii));
        let most = if self.hops > 0 { usize::from(self.hops) } else { MAX_HOPS };
        let mut chain = SmallVec::new();
        for entry in entries.take(most) {
            let Some(address) = address(entry) else { break };
            chain.push(address);
            let known = self.networks.iter().any(|network| network.contains(address));
            if self.hops == 0 && !known {
                break;
            }
        }
        chain.reverse();
        chain
    }
}

impl Told {
    /// The client, unless it is the peer itself.
    pub(crate) fn client(&self) -> Option<IpAddr> {
        self.chain.first().copied()
    }

    pub(super) fn chain(&self) -> &[IpAddr] {
        &self.chain
    }

    /// The id that the request has already.
    pub(crate) fn id(&self) -> Option<RequestId> {
        self.id
    }
}

fn value(text: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text).ok()
}

fn https(value: &[u8]) -> Option<bool> {
    let value = value.trim_ascii();
    let is = |name: &[u8]| value.eq_ignore_ascii_case(name);
    (is(b"https") || is(b"http")).then(|| is(b"https"))
}

fn port(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value).ok()?.trim().parse().ok().filter(|port| *port != 0)
}

/// An address as proxies write it: with or without a port, and with brackets where it is of version 6.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

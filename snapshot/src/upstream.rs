//! A group of endpoints that requests are sent to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::UpstreamId;

/// Where an upstream's endpoints come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// Addresses of a name, asked from DNS. With a final dot the name is absolute; without one,
    /// the search list of the resolver's settings applies.
    Name(Arc<str>),
    /// One fixed address.
    Address(IpAddr),
    /// Addresses that are told beside the snapshots, in [`AddressSets`]; the name says of whom:
    /// `finance.market`.
    Told(Arc<str>),
}

/// What the endpoints of an upstream speak.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Speaks {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, begun by its preface (RFC 9113 section 3.3).
    Http2,
}

impl Speaks {
    /// Whether it is HTTP/1.1, which is not written.
    #[must_use]
    pub fn is_http1(&self) -> bool {
        *self == Self::Http1
    }
}

/// What the field `protocol` of a backend says.
impl std::str::FromStr for Speaks {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "http" => Ok(Self::Http1),
            "h2c" | "grpc" => Ok(Self::Http2),
            _ => Err(()),
        }
    }
}

/// The endpoints of upstreams whose target is [`Target::Told`], each with its own port. An upstream
/// that is missing is not known yet; one without addresses has no endpoint that may be used.
pub type AddressSets = BTreeMap<UpstreamId, Arc<[SocketAddr]>>;

/// A group of endpoints that requests are sent to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// Where the addresses come from.
    pub target: Target,
    /// The port of every endpoint; of one that is told, the port that its name stands for.
    pub port: NonZeroU16,
    /// What they speak.
    #[serde(default, skip_serializing_if = "Speaks::is_http1")]
    pub speaks: Speaks,
}

impl Upstream {
    /// One that speaks HTTP/1.1.
    #[must_use]
    pub const fn new(target: Target, port: NonZeroU16) -> Self {
        Self { target, port, speaks: Speaks::Http1 }
    }

    /// The same, speaking this.
    #[must_use]
    pub fn speaking(self, speaks: Speaks) -> Self {
        Self { speaks, ..self }
    }

    /// The id, which says all that the upstream is: `finance.market.svc.cluster.local.:8000`, and
    /// `h2c:` before it where it speaks HTTP/2.
    #[must_use]
    pub fn id(&self) -> UpstreamId {
        let before = match self.speaks {
            Speaks::Http1 => "",
            Speaks::Http2 => "h2c:",
        };
        let port = self.port;
        match &self.target {
            Target::Name(name) => format!("{before}{name}:{port}").into(),
            Target::Address(IpAddr::V4(address)) => format!("{before}{address}:{port}").into(),
            Target::Told(name) => format!("{before}told:{name}:{port}").into(),
            Target::Address(IpAddr::V6(address)) => format!("{before}[{address}]:{port}").into(),
        }
    }
}

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
}

impl Upstream {
    /// The id, which says all that the upstream is: `finance.market.svc.cluster.local.:8000`.
    #[must_use]
    pub fn id(&self) -> UpstreamId {
        match &self.target {
            Target::Name(name) => format!("{name}:{}", self.port).into(),
            Target::Address(IpAddr::V4(address)) => format!("{address}:{}", self.port).into(),
            Target::Told(name) => format!("told:{name}:{}", self.port).into(),
            Target::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port).into(),
        }
    }
}

//! A group of endpoints that requests are sent to.

use std::net::IpAddr;
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
}

/// A group of endpoints that requests are sent to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// Where the addresses come from.
    pub target: Target,
    /// The port of every endpoint.
    pub port: NonZeroU16,
}

impl Upstream {
    /// The id, which says all that the upstream is: `finance.market.svc.cluster.local.:8000`.
    #[must_use]
    pub fn id(&self) -> UpstreamId {
        match &self.target {
            Target::Name(name) => format!("{name}:{}", self.port).into(),
            Target::Address(IpAddr::V4(address)) => format!("{address}:{}", self.port).into(),
            Target::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port).into(),
        }
    }
}

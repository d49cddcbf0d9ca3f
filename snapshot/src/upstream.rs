//! A group of endpoints that requests are sent to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ResourceId, UpstreamId};

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
    /// HTTP/2; without TLS begun by its preface (RFC 9113 section 3.3).
    Http2,
    /// What each connection agrees on, HTTP/2 before HTTP/1.1 (RFC 7301). Without TLS nothing is
    /// agreed on, and it is HTTP/1.1.
    Either,
}

impl Speaks {
    /// Whether it is HTTP/1.1, which is not written.
    #[must_use]
    pub fn is_http1(&self) -> bool {
        *self == Self::Http1
    }
}

/// TLS with the endpoints of an upstream. There is no way to leave their certificates unverified.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamTls {
    /// The name that is asked for (RFC 6066 section 3) and that their certificates must be for: a DNS
    /// name, or an address, which is not asked for.
    pub server_name: Arc<str>,
    /// Who vouches for them: [`Resource::Authorities`](crate::Resource::Authorities); none are those
    /// that the system of the data plane trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<ResourceId>,
    /// The certificate that we show where they ask for one; none are shown nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ResourceId>,
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
    /// How it is secured; none is plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Arc<UpstreamTls>>,
}

impl Upstream {
    /// One that speaks HTTP/1.1, in plain text.
    #[must_use]
    pub const fn new(target: Target, port: NonZeroU16) -> Self {
        Self { target, port, speaks: Speaks::Http1, tls: None }
    }

    /// The same, speaking this.
    #[must_use]
    pub fn speaking(self, speaks: Speaks) -> Self {
        Self { speaks, ..self }
    }

    /// The same, secured so.
    #[must_use]
    pub fn secured(self, tls: Option<Arc<UpstreamTls>>) -> Self {
        Self { tls, ..self }
    }

    /// Whether it refers to this resource.
    #[must_use]
    pub fn refers_to(&self, id: &ResourceId) -> bool {
        let tls = self.tls.as_deref();
        tls.is_some_and(|tls| {
            [&tls.authorities, &tls.identity].into_iter().flatten().any(|of| of == id)
        })
    }

    /// The id, which says all that the upstream is: `finance.market.svc.cluster.local.:8000`, with
    /// `h2c:` before it where it speaks HTTP/2. One with TLS begins with `https:` (`https/1.1:` and
    /// `https/2:` where only one protocol is offered), and ends with the verified name and the ids of
    /// what is verified with and shown, which are made of their content.
    #[must_use]
    pub fn id(&self) -> UpstreamId {
        let before = match (&self.tls, self.speaks) {
            (None, Speaks::Http1 | Speaks::Either) => "",
            (None, Speaks::Http2) => "h2c:",
            (Some(_), Speaks::Either) => "https:",
            (Some(_), Speaks::Http1) => "https/1.1:",
            (Some(_), Speaks::Http2) => "https/2:",
        };
        let port = self.port;
        let mut id = match &self.target {
            Target::Name(name) => format!("{before}{name}:{port}"),
            Target::Address(IpAddr::V4(address)) => format!("{before}{address}:{port}"),
            Target::Told(name) => format!("{before}told:{name}:{port}"),
            Target::Address(IpAddr::V6(address)) => format!("{before}[{address}]:{port}"),
        };
        if let Some(tls) = &self.tls {
            let resources = [&tls.authorities, &tls.identity].into_iter().flatten();
            let parts = resources.map(ResourceId::as_str);
            for part in [&*tls.server_name].into_iter().chain(parts) {
                // Neither names nor ids hold a comma.
                id.push(',');
                id.push_str(part);
            }
        }
        id.into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::{Speaks, Target, Upstream, UpstreamTls};

    #[test]
    fn what_differs_has_another_id() {
        let tls = |name: &str, authorities: Option<&str>, identity: Option<&str>| {
            let authorities = authorities.map(Into::into);
            let identity = identity.map(Into::into);
            Some(Arc::new(UpstreamTls { server_name: name.into(), authorities, identity }))
        };
        let secured = [
            None,
            tls("a.example", None, None),
            tls("b.example", None, None),
            tls("a.example", Some("ca-1"), None),
            tls("a.example", Some("ca-2"), None),
            tls("a.example", None, Some("certificate-1")),
            tls("a.example", Some("ca-1"), Some("certificate-1")),
            tls("a.example", Some("ca-1"), Some("certificate-2")),
        ];
        let mut ids = BTreeSet::new();
        for tls in &secured {
            for speaks in [Speaks::Http1, Speaks::Http2, Speaks::Either] {
                // Without TLS nothing is agreed on, and it is HTTP/1.1.
                if tls.is_none() && speaks == Speaks::Either {
                    continue;
                }
                for target in [Target::Name("a.".into()), Target::Told("a.".into())] {
                    let upstream = Upstream::new(target, 443.try_into().unwrap());
                    let upstream = upstream.speaking(speaks).secured(tls.clone());
                    let text = serde_json::to_string(&upstream).unwrap();
                    assert_eq!(serde_json::from_str::<Upstream>(&text).unwrap(), upstream);
                    assert!(ids.insert(upstream.id()), "{}", upstream.id());
                }
            }
        }
        let upstream = Upstream::new(Target::Name("a.".into()), 443.try_into().unwrap());
        let upstream = upstream.speaking(Speaks::Either).secured(secured[6].clone());
        assert_eq!(upstream.id().as_str(), "https:a.:443,a.example,ca-1,certificate-1");
        assert!(upstream.refers_to(&"ca-1".into()) && upstream.refers_to(&"certificate-1".into()));
        assert!(!upstream.refers_to(&"ca-2".into()));
    }
}

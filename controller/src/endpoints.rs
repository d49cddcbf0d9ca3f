//! The endpoints of a Service, read off its EndpointSlices as kube-proxy reads them, for backends
//! that ask for `discovery: endpoints`.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use fairway_snapshot::{AddressSets, ObjectId, UpstreamId};

use crate::inputs::WrittenSlice;

/// Which endpoints an upstream has: those of a port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The Service.
    pub service: ObjectId,
    /// The name of its port; a single port may have none.
    pub port: Option<Arc<str>>,
}

/// A part of the endpoints of a Service, reduced to what routing needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The name of the Service; a slice of nobody has none.
    pub(crate) service: Option<Arc<str>>,
    endpoints: Box<[Endpoint]>,
    /// Name and number of the ports that speak TCP.
    ports: Box<[(Option<Arc<str>>, u16)]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Endpoint {
    address: IpAddr,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It takes requests.
    Ready,
    /// It is ending, and still takes requests.
    Ending,
}

/// All slices, by the Service that they belong to and by their own names.
pub(crate) type Slices = BTreeMap<ObjectId, BTreeMap<Arc<str>, Slice>>;

/// The endpoints of every upstream that is wanted. A list that did not change is the same value
/// as in `before`.
pub(crate) fn address_sets(
    wanted: &BTreeMap<UpstreamId, Wanted>,
    slices: &Slices,
    before: &AddressSets,
) -> AddressSets {
    let sets = wanted.iter().map(|(id, wanted)| {
        let found = addresses(slices.get(&wanted.service), wanted.port.as_deref());
        let same = before.get(id).filter(|known| known[..] == found[..]);
        (id.clone(), same.map_or_else(|| found.into(), Arc::clone))
    });
    sets.collect()
}

/// The endpoints of a port, sorted: those that are ready, and where none is, those that end and
/// still serve. Of two families the first that has any, as with DNS.
fn addresses(slices: Option<&BTreeMap<Arc<str>, Slice>>, port: Option<&str>) -> Vec<SocketAddr> {
    let all = slices.into_iter().flat_map(BTreeMap::values).flat_map(|slice| {
        let of_name = |(name, _): &&(Option<Arc<str>>, u16)| name.as_deref() == port;
        let number = slice.ports.iter().find(of_name).map(|(_, number)| *number);
        slice.endpoints.iter().filter_map(move |endpoint| Some((endpoint, number?)))
    });
    let all: Vec<(&Endpoint, u16)> = all.collect();
    for state in [State::Ready, State::Ending] {
        for v4 in [true, false] {
            let fits =
                |endpoint: &Endpoint| endpoint.state == state && endpoint.address.is_ipv4() == v4;
            let found = all.iter().filter(|(endpoint, _)| fits(endpoint));
            let mut found: Vec<SocketAddr> =
                found.map(|(endpoint, port)| SocketAddr::new(endpoint.address, *port)).collect();
            if !found.is_empty() {
                found.sort_unstable();
                found.dedup();
                return found;
            }
        }
    }
    Vec::new()
}

impl From<WrittenSlice> for Slice {
    fn from(written: WrittenSlice) -> Self {
        let endpoints = written.endpoints.unwrap_or_default().into_iter().filter_map(|endpoint| {
            let conditions = endpoint.conditions.unwrap_or_default();
            let ready = conditions.ready.unwrap_or(true);
            let ending = conditions.terminating.unwrap_or(false);
            let state = match (ready, conditions.serving.unwrap_or(ready), ending) {
                (true, _, false) => State::Ready,
                (_, true, true) => State::Ending,
                (true | false, _, _) => return None,
            };
            // The addresses of one endpoint lead to one pod; kube-proxy takes the first. What is
            // a name rather than an address is left to DNS.
            let address = endpoint.addresses.first()?.parse().ok()?;
            Some(Endpoint { address, state })
        });
        let ports = written.ports.unwrap_or_default().into_iter().filter_map(|port| {
            let tcp = port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
            let name = port.name.filter(|name| !name.is_empty()).map(Arc::from);
            Some((name, u16::try_from(port.port?).ok().filter(|port| tcp && *port > 0)?))
        });
        let service = written.metadata.labels.unwrap_or_default().service.map(Into::into);
        Self { service, endpoints: endpoints.collect(), ports: ports.collect() }
    }
}

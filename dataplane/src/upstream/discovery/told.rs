//! Endpoints that are told beside the snapshots: addresses change often, and neither a table nor a
//! pool must be made anew for them.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use fairway_snapshot::{AddressPolicy, AddressSets, UpstreamId};
use tokio::sync::watch;

use super::{Discovery, EndpointSet, EndpointState, Endpoints};

impl Discovery {
    /// Takes every change of what is told, until the sender is gone; what was told last stays.
    pub(crate) async fn follow(self: Arc<Self>, mut told: watch::Receiver<Arc<AddressSets>>) {
        loop {
            let sets = Arc::clone(&told.borrow_and_update());
            self.tell(sets);
            if told.changed().await.is_err() {
                return;
            }
        }
    }

    /// Publishes what is told of the upstreams that are known. Of one that nothing is told of, what
    /// was told before stays.
    fn tell(&self, told: Arc<AddressSets>) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, known) in &sets.known {
            if let (true, Some(addresses)) = (known.told, told.get(id)) {
                let endpoints = endpoints(id, addresses, &self.allowed);
                if **known.set.current.load() != endpoints {
                    known.set.publish(endpoints);
                }
            }
        }
        sets.told = told;
    }
}

/// The set of an upstream that is told of, as far as it is known now.
pub(super) fn begin(
    id: &UpstreamId,
    port: u16,
    told: &AddressSets,
    allowed: &AddressPolicy,
) -> EndpointSet {
    let pending = || Endpoints { addresses: Vec::new(), state: EndpointState::Pending };
    let known = told.get(id).map(|addresses| endpoints(id, addresses, allowed));
    EndpointSet::new(port, known.unwrap_or_else(pending))
}

/// What is told, without the addresses that no backend may have.
fn endpoints(id: &UpstreamId, told: &[SocketAddr], allowed: &AddressPolicy) -> Endpoints {
    let (mut addresses, refused): (Vec<SocketAddr>, Vec<SocketAddr>) =
        told.iter().partition(|address| allowed.allows(address.ip()));
    addresses.sort_unstable();
    addresses.dedup();
    let state = match refused.first() {
        _ if !addresses.is_empty() => EndpointState::Ready,
        Some(first) => {
            let message = format!("leads to {first}, which no backend may have");
            tracing::warn!(upstream = %id, message, "addresses of a backend are not allowed");
            EndpointState::Refused { message }
        }
        None => EndpointState::Failed { message: "no endpoint is ready".to_owned(), empty: true },
    };
    Endpoints { addresses, state }
}

//! Fairway as a process, on a real API server with a real etcd, in front of real servers that are
//! found through a real DNS server.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod authorities;
mod chart;
mod endpoints;
mod events;
mod grants;
mod kept;
mod lease;
mod life;
mod mistakes;
mod outage;
mod pair;
mod reload;
mod replicas;
mod rights;
mod scale;
mod schema;
mod secrets;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use fairway_tests::dns::Dns;
use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::get;
use fairway_tests::kube::Kube;
use fairway_tests::origin::Echo;

/// An API server, a DNS server that knows every Service, and a namespace `market` with the
/// Service `finance` and a server behind it.
struct World {
    kube: Kube,
    dns: Dns,
    finance: Echo,
}

impl World {
    async fn start() -> Self {
        let (kube, dns, finance) =
            tokio::join!(Kube::start(), Dns::start(), Echo::start("finance"));
        dns.set("*", &[Ipv4Addr::LOCALHOST]);
        kube.namespace("market").await;
        kube.service("market", "finance", finance.address.port()).await;
        Self { kube, dns, finance }
    }

    /// The arguments for a Fairway that serves this world.
    fn args(&self, kubeconfig: &Path) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--dns={}", self.dns.address),
            // The backends of the tests are on this machine.
            "--allow-addresses=127.0.0.0/8".to_owned(),
        ]
    }

    async fn fairway(&self) -> Fairway {
        Fairway::start(&self.args(&self.kube.kubeconfig)).await
    }
}

/// Waits until a path is answered with this status.
async fn answers(address: SocketAddr, path: &str, status: u16) {
    eventually(&format!("{path} answers {status}"), || async {
        (get(address, path).await.status == status).then_some(())
    })
    .await;
}

/// The path that the backend saw, when a request is answered well.
async fn seen(address: SocketAddr, path: &str) -> Option<String> {
    let answer = get(address, path).await;
    (answer.status == 200).then(|| answer.json()["path"].as_str().unwrap().to_owned())
}

/// Waits until the backend sees this path.
async fn backend_sees(address: SocketAddr, path: &str, expected: &str) {
    eventually(&format!("{path} goes to {expected}"), || async {
        seen(address, path).await.filter(|seen| seen == expected)
    })
    .await;
}

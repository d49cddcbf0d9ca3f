//! The protocol matrix, in this process and with bodies that a test has time for; `cargo xtask matrix` runs
//! the same cells against the binary, with bodies of a gibibyte.

use std::sync::Arc;
use std::time::Duration;

use fairway_tests::gateway::{Gateway, route};
use fairway_tests::matrix::{self, Backend, Downstream, Outcome, Place, Row, Upstream, tokens};

/// What is large here, in bytes: many times what buffers and windows hold.
const LARGE: u64 = 16 << 20;

/// Whether a cell is a limit; every other one must be good.
fn is_limit(row: Row, _: Downstream, upstream: Upstream) -> bool {
    match upstream {
        Upstream::Http1 => false,
        Upstream::H2c => row == Row::WebSocket,
    }
}

/// Runs all rows of a column; says what is not as it should be.
async fn column(downstream: Downstream, upstream: Upstream) -> Vec<String> {
    let backends = Place::backends().await;
    let gateway = Gateway::start(&route(&matrix::rules(&backends))).await;
    let place = Place { gateway: gateway.address(), backends, large: LARGE };
    let mut failed = Vec::new();
    for row in Row::ALL {
        let outcome = place.run(row, downstream, upstream).await;
        let limit = is_limit(row, downstream, upstream);
        let good = match &outcome {
            Ok(Outcome::Good(_)) => !limit,
            Ok(Outcome::Limit(_)) => limit,
            Err(_) => false,
        };
        if !good {
            let (from, to) = (downstream.name(), upstream.name());
            failed.push(format!("{}, {from} to {to}: {outcome:?}", row.name()));
        }
    }
    if failed.is_empty() {
        gateway.metric("fairway_requests_in_flight", 0.0).await;
    }
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_is_as_it_should_be() {
    let columns = Downstream::ALL
        .iter()
        .flat_map(|downstream| Upstream::ALL.iter().map(|upstream| column(*downstream, *upstream)));
    let failed = futures::future::join_all(columns).await.concat();
    assert!(failed.is_empty(), "{} cells:\n{}", failed.len(), failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_no_tokens_holds_up_none_of_the_others() {
    let backend = Arc::new(Backend::start(Upstream::H2c).await);
    let backends = vec![(Upstream::H2c, Arc::clone(&backend))];
    let gateway = Gateway::start(&route(&matrix::rules(&backends))).await;
    // It takes nothing until all others have everything, however long that is.
    let report = tokens::run(gateway.address(), &backend, Duration::from_secs(1), 1).await;
    assert!(report.stalled >= Duration::from_secs(1));
    assert_eq!(backend.connections(), 1, "all over one connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_that_take_no_tokens_cut_nobody_off() {
    let backend = Arc::new(Backend::start(Upstream::H2c).await);
    let backends = vec![(Upstream::H2c, Arc::clone(&backend))];
    let gateway = Gateway::start(&route(&matrix::rules(&backends))).await;
    // What they leave lying is many small frames, more than the codec bears over one connection.
    tokens::run(gateway.address(), &backend, Duration::from_secs(1), 8).await;
    assert_eq!(backend.connections(), 1, "all over one connection");
}

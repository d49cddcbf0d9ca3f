//! gRPC through the gateway: a service and a client that are not ours, and every kind of call.

use fairway_tests::gateway::{Gateway, route};
use fairway_tests::grpc::{Service, client};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_passes() {
    calls(Service::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_passes_over_tls() {
    calls(Service::start_secured().await).await;
}

async fn calls(service: Service) {
    let gateway = Gateway::start(&(route(&service.rules()) + &service.authority())).await;
    println!("{}", client(gateway.address()).await.unwrap());
    // Requests share connections.
    let opened = gateway.metrics().await["fairway_upstream_connections_opened_total"];
    assert!(opened < 50.0, "{opened}");
    // Errors count as those of others do.
    let code = |rule: u8, code: u16| {
        format!(
            "fairway_requests_total{{namespace=\"default\",route=\"test\",rule=\"rule-{rule}\",code=\"{code}\"}}"
        )
    };
    for (rule, status) in [(1, 502), (2, 504), (3, 413)] {
        gateway.metric(&code(rule, status), 1.0).await;
    }
    gateway.metric("fairway_requests_in_flight", 0.0).await;
}

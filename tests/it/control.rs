//! The status and admin ports, metrics, and the access log.

use fairway_tests::gateway::{Gateway, config, everything_to, options};
use fairway_tests::http::{Client, ask, get};
use fairway_tests::origin::Echo;

#[tokio::test]
async fn metrics_equal_the_requests_that_were_sent() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    for _ in 0..57 {
        client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    }
    for _ in 0..3 {
        client.ask("GET /status/503 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    }
    let rule = "namespace=\"default\",route=\"test\",rule=\"rule-0\"";
    gateway.metric(&format!("fairway_requests_total{{{rule},code=\"200\"}}"), 57.0).await;
    gateway.metric(&format!("fairway_requests_total{{{rule},code=\"503\"}}"), 3.0).await;
    gateway.metric(&format!("fairway_request_duration_seconds_count{{{rule}}}"), 60.0).await;
    gateway.metric("fairway_requests_in_flight", 0.0).await;
    gateway.metric("fairway_downstream_connections", 1.0).await;
    drop(client);
    gateway.metric("fairway_downstream_connections", 0.0).await;
}

#[tokio::test]
async fn the_admin_port_shows_routes_to_those_who_may_see_them() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    assert_eq!(get(gateway.address(), "/").await.status, 200);
    // A request is counted at its end, which its client may see before.
    let rule = "namespace=\"default\",route=\"test\",rule=\"rule-0\"";
    gateway.metric(&format!("fairway_requests_total{{{rule},code=\"200\"}}"), 1.0).await;
    let admin = gateway.plane.admin_address();
    let view = ask(admin, "GET /routes HTTP/1.1\r\nHost: localhost:1\r\n\r\n").await.json();
    let route = &view["listeners"][0]["routes"][0];
    assert_eq!(route["backends"][0]["endpoints"]["addresses"][0], echo.address.to_string());
    assert_eq!(route["counts"]["requests"], 1);
    let page = ask(admin, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    assert!(String::from_utf8_lossy(&page.body).contains("<title>Fairway</title>"));
    // A web page that calls us by a name of its own does not get to see anything.
    assert_eq!(ask(admin, "GET /routes HTTP/1.1\r\nHost: evil.example\r\n\r\n").await.status, 401);
    assert_eq!(
        get(gateway.address(), "/routes").await.json()["path"],
        "/routes",
        "no route leads there"
    );

    let config = fairway_dataplane::Config {
        admin_token: Some("a-token-of-16-chars".to_owned()),
        ..config()
    };
    let gateway = Gateway::start_with(&everything_to(echo.address), config, options()).await;
    let admin = gateway.plane.admin_address();
    for (shown, status) in [
        ("", 401),
        ("Authorization: Bearer wrong\r\n", 401),
        ("Authorization: Bearer a-token-of-16-chars\r\n", 200),
    ] {
        let request = format!("GET /routes HTTP/1.1\r\nHost: any.example\r\n{shown}\r\n");
        assert_eq!(ask(admin, &request).await.status, status, "{shown}");
    }
}

#[tokio::test]
async fn readiness_waits_for_the_first_snapshot() {
    let (publisher, published) = tokio::sync::watch::channel(None);
    let plane = fairway_dataplane::DataPlane::start(
        config(),
        published,
        prometheus_client::registry::Registry::default(),
    )
    .await
    .unwrap();
    let status = plane.status_address();
    assert_eq!(get(status, "/healthz").await.status, 200);
    let waiting = get(status, "/readyz").await;
    assert_eq!(waiting.status, 503);
    assert_eq!(waiting.json()["reason"], "waiting for the first complete snapshot");
    let snapshot = fairway_snapshot::Snapshot::default();
    let first = fairway_snapshot::Published { revision: 1, snapshot };
    publisher.send_replace(Some(std::sync::Arc::new(first)));
    plane.applied().wait_for(|applied| applied.revision == 1).await.unwrap();
    assert_eq!(get(status, "/readyz").await.status, 200);
}

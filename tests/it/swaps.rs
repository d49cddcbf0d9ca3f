//! Snapshots and listeners change under traffic, and nothing is lost.

use std::net::SocketAddr;
use std::time::Duration;

use fairway_controller::compile::ListenerSettings;
use fairway_snapshot::{ListenerName, Normalization, Protocol};
use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, config, everything_to, options, route};
use fairway_tests::http::{Client, get};
use fairway_tests::load::Load;
use fairway_tests::origin::{Echo, Raw, read_head, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_snapshots_under_load_lose_no_request() {
    let echo = Echo::start("a").await;
    let mut gateway = Gateway::start(&everything_to(echo.address)).await;
    let load = Load::start(gateway.address(), 300, 8, |number| format!("/{number}"));
    for number in 0..100 {
        let manifests = route(&format!(
            "- rewrite: {{path: /gen-{number}/*}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
            echo.address.port()
        ));
        gateway.apply(&manifests).await;
        let answer = get(gateway.address(), "/x").await;
        assert_eq!(answer.json()["path"], format!("/gen-{number}/x"), "applied means live");
    }
    let outcome = load.stop().await;
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    assert!(outcome.good > 0 && outcome.good == outcome.sent);
    assert_eq!(gateway.metrics().await["fairway_snapshot_revision"], 101.0);
}

#[tokio::test]
async fn a_request_in_flight_survives_the_end_of_its_route() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let origin = Raw::start(move |_, mut stream| {
        let mut wait = wait.clone();
        async move {
            read_head(&mut stream).await;
            wait.wait_for(|go| *go).await.unwrap();
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let mut gateway = Gateway::start(&everything_to(origin.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    eventually("the backend has it", || async { (origin.connections() == 1).then_some(()) }).await;
    gateway
        .apply(&route("- match: [{path: /other}]\n  backends: [{host: 127.0.0.1, port: 1}]"))
        .await;
    assert_eq!(get(gateway.address(), "/").await.status, 404);
    go.send_replace(true);
    assert_eq!(client.answer().await.body, b"ok");
}

#[tokio::test]
async fn listeners_come_and_go_with_the_snapshot() {
    let echo = Echo::start("a").await;
    let manifests = everything_to(echo.address);
    let mut gateway = Gateway::start(&manifests).await;
    let second = ListenerName::from("second");
    let settings = ListenerSettings {
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        protocol: Protocol::Http,
        proxy_protocol: false,
        normalization: Normalization::default(),
        policy: fairway_crds::Policy::default(),
    };
    gateway.options.listeners.insert(second.clone(), settings);
    gateway.apply(&manifests).await;
    let address = gateway.plane.listener_address(&second).unwrap();
    assert_eq!(get(address, "/").await.status, 200);
    gateway.options.listeners.remove(&second);
    gateway.apply(&manifests).await;
    assert_eq!(gateway.plane.listener_address(&second), None);
    eventually("nothing listens there any more", || async {
        tokio::net::TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    assert_eq!(get(gateway.address(), "/").await.status, 200);
}

#[tokio::test]
async fn a_taken_port_is_told_and_taken_when_it_is_free() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options();
    for listener in options.listeners.values_mut() {
        listener.bind = taken.local_addr().unwrap();
    }
    let echo = Echo::start("a").await;
    let gateway = Gateway::start_with(&everything_to(echo.address), config(), options).await;
    let failures = gateway.plane.applied().borrow().failures.clone();
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0].message.contains("another process listens there"),
        "{}",
        failures[0].message
    );
    let address = taken.local_addr().unwrap();
    drop(taken);
    let mut applied = gateway.plane.applied();
    applied.wait_for(|applied| applied.failures.is_empty()).await.unwrap();
    assert_eq!(get(address, "/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_finishes_what_is_in_flight() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let origin = Raw::start(move |_, mut stream| {
        let mut wait = wait.clone();
        async move {
            read_head(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha").await;
            wait.wait_for(|go| *go).await.unwrap();
            write(&mut stream, "lf").await;
        }
    })
    .await;
    // Long enough to be seen on a loaded machine: what follows is asked before it ends.
    let config = fairway_dataplane::Config { drain_delay: Duration::from_secs(2), ..config() };
    let port = origin.address.port();
    let manifests = route(&format!(
        "- match: [{{path: /half}}]\n  backends: [{{host: 127.0.0.1, port: {port}}}]"
    ));
    let gateway = Gateway::start_with(&manifests, config, options()).await;
    let (address, status) = (gateway.address(), gateway.plane.status_address());
    let mut idle = Client::connect(address).await;
    let mut client = Client::connect(address).await;
    client.send("GET /half HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200);
    let ended = tokio::spawn(gateway.plane.shutdown());
    eventually("readiness is off", || async {
        (get(status, "/readyz").await.status == 503).then_some(())
    })
    .await;
    // Still accepting: a request that comes now is answered, and told to close.
    let late = get(address, "/nowhere").await;
    assert_eq!(late.header("connection"), Some("close"));
    assert_eq!(idle.rest().await, b"", "an idle connection is closed");
    go.send_replace(true);
    assert_eq!(client.exactly(4).await, b"half");
    ended.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

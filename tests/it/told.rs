//! Endpoints that are told beside the snapshots, and backends that come and go.

use std::net::SocketAddr;
use std::sync::Arc;

use fairway_controller::compile::UnknownService;
use fairway_snapshot::{AddressPolicy, AddressSets, UpstreamId};
use fairway_tests::eventually::{PATIENCE, eventually};
use fairway_tests::gateway::{Gateway, config, everything_to, options};
use fairway_tests::http::{Client, get};
use fairway_tests::load::Load;
use fairway_tests::origin::{Raw, read_head, write};
use tokio::io::AsyncReadExt;
use tokio::sync::{oneshot, watch};

const MANIFEST: &str = "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: test}\nspec: {rules: [{backends: [{service: finance, port: http, discovery: endpoints}]}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: finance}\nspec: {ports: [{name: http, port: 80}]}\n";

/// A gateway whose only upstream is told of.
struct Told {
    gateway: Gateway,
    sender: watch::Sender<Arc<AddressSets>>,
}

impl Told {
    async fn start(config: fairway_dataplane::Config) -> Self {
        let mut options = options();
        options.unknown_service = UnknownService::Refuse;
        let mut gateway = Gateway::start_with(MANIFEST, config, options).await;
        let (sender, told) = watch::channel(Arc::default());
        gateway.plane.follow_addresses(told);
        Self { gateway, sender }
    }

    fn tell(&self, addresses: &[SocketAddr]) {
        let id = UpstreamId::from("told:finance.default:80");
        self.sender.send_replace(Arc::new(AddressSets::from([(id, addresses.into())])));
    }

    async fn body(&self) -> Vec<u8> {
        get(self.gateway.address(), "/").await.body
    }
}

/// A server that ends as a process does that was asked to: it accepts no more, closes what is
/// idle, and answers what it has.
struct Pod {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Pod {
    async fn start(name: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let router = axum::Router::new().fallback(move || async move { name });
        let task = tokio::spawn(async move {
            let ended = async move { drop(ended.await) };
            axum::serve(listener, router).with_graceful_shutdown(ended).await.unwrap();
        });
        Self { address, end: Some(end), task }
    }

    async fn end(mut self) {
        self.end.take().unwrap().send(()).unwrap();
        self.task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_follow_what_is_told_at_once() {
    let (a, b) = (Pod::start("a").await, Pod::start("b").await);
    let told = Told::start(config()).await;
    // Nothing is told yet: a request waits for it.
    let address = told.gateway.address();
    let early = tokio::spawn(async move { get(address, "/").await });
    told.gateway.metric("fairway_requests_in_flight", 1.0).await;
    told.tell(&[a.address]);
    assert_eq!(early.await.unwrap().body, b"a");
    told.tell(&[b.address]);
    eventually("the new endpoint answers", || async { (told.body().await == b"b").then_some(()) })
        .await;
    for _ in 0..10 {
        assert_eq!(told.body().await, b"b", "an endpoint that is gone answered");
    }
    told.tell(&[]);
    eventually("there is no endpoint", || async {
        let answer = get(address, "/").await;
        (answer.status == 503 && answer.problem() == "no_endpoints").then_some(())
    })
    .await;
    // The upstream that nobody speaks of any more keeps what it had.
    told.tell(&[a.address, b.address]);
    eventually("both answer", || async { (told.body().await.len() == 1).then_some(()) }).await;
    told.sender.send_replace(Arc::default());
    let both = [told.body().await, told.body().await];
    assert!(both.iter().all(|body| body.len() == 1), "{both:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_no_backend_may_have_is_not_taken_because_somebody_tells_it() {
    let pod = Pod::start("a").await;
    let addresses = AddressPolicy::NotReserved { except: Vec::new() };
    let told = Told::start(fairway_dataplane::Config { addresses, ..config() }).await;
    told.tell(&[pod.address]);
    let answer = get(told.gateway.address(), "/").await;
    assert_eq!((answer.status, answer.problem().as_str()), (500, "address_not_allowed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_to_an_endpoint_that_is_gone_is_closed() {
    let (ended, mut ends) = tokio::sync::mpsc::channel::<()>(1);
    let origin = Raw::start(move |_, mut stream| {
        let ended = ended.clone();
        async move {
            read_head(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            let _ = stream.read(&mut [0]).await;
            let _ = ended.send(()).await;
        }
    })
    .await;
    let patient = std::time::Duration::from_secs(3600);
    let config = fairway_dataplane::Config { upstream_idle: patient, ..config() };
    let told = Told::start(config).await;
    told.tell(&[origin.address]);
    assert_eq!(told.body().await, b"ok");
    told.tell(&[SocketAddr::from(([127, 0, 0, 1], 1))]);
    let closed = tokio::time::timeout(PATIENCE, ends.recv()).await;
    assert!(closed.is_ok(), "the connection stays open");
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_replaced_one_by_one_and_no_request_fails() {
    let mut pods = vec![Pod::start("0").await, Pod::start("0").await, Pod::start("0").await];
    let told = Told::start(config()).await;
    let all = |pods: &[Pod]| pods.iter().map(|pod| pod.address).collect::<Vec<_>>();
    told.tell(&all(&pods));
    let load = Load::start(told.gateway.address(), 500, 16, |_| "/".to_owned());
    let more = async |count: usize| {
        let before = load.good();
        eventually("the load goes on", || async { (load.good() > before + count).then_some(()) })
            .await;
    };
    more(200).await;
    for _ in 0..3 {
        pods.push(Pod::start("1").await);
        told.tell(&all(&pods));
        more(50).await;
        // It ends first, and a while later that is known, as in a cluster.
        pods.remove(0).end().await;
        more(100).await;
        told.tell(&all(&pods));
        more(50).await;
    }
    let retries = told.gateway.metrics().await["fairway_upstream_retries_total"];
    let outcome = load.stop().await;
    assert!(retries > 0.0, "no request met a pod that had ended");
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    assert_eq!(outcome.good, outcome.sent);
    assert_eq!(told.body().await, b"1");
    println!("{} requests, {retries} retries, none failed", outcome.sent);
}

/// A backend of which the connections in `broken` end without an answer.
async fn breaks(broken: &'static [usize]) -> (Raw, Gateway) {
    let origin = Raw::start(move |number, mut stream| async move {
        while !read_head(&mut stream).await.is_empty() && !broken.contains(&number) {
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    (origin, gateway)
}

#[tokio::test]
async fn a_new_connection_that_breaks_is_tried_once_more_by_what_only_reads() {
    for (method, broken, status, connections) in [
        ("GET", &[0][..], 200, 2),
        ("HEAD", &[0], 200, 2),
        ("OPTIONS", &[0], 200, 2),
        ("GET", &[0, 1], 502, 2),
        // They may have been done.
        ("DELETE", &[0], 502, 1),
        ("POST", &[0], 502, 1),
    ] {
        let (origin, gateway) = breaks(broken).await;
        let mut client = Client::connect(gateway.address()).await;
        client.send(&format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(client.head().await.status, status, "{method} {broken:?}");
        assert_eq!(origin.connections(), connections, "{method} {broken:?}");
    }
}

#[tokio::test]
async fn an_address_that_leads_to_several_ending_backends_is_tried_on() {
    // The kept connection ends with the request, the next one breaks, the third one answers.
    let origin = Raw::start(|number, mut stream| async move {
        let answers = [1, 0, 9][number.min(2)];
        for _ in 0..answers {
            read_head(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        }
        read_head(&mut stream).await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    for _ in 0..2 {
        assert_eq!(get(gateway.address(), "/").await.status, 200);
    }
    assert_eq!(origin.connections(), 3);
    assert_eq!(gateway.metrics().await["fairway_upstream_retries_total"], 2.0);
}

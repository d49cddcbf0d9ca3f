//! Copies of requests: mirrors get what backends get, and whatever becomes of a copy changes
//! nothing for the request.

mod recorder;

use std::time::Duration;

use fairway_tests::dns::Dns;
use fairway_tests::eventually::PATIENCE;
use fairway_tests::gateway::{Gateway, config, options, route};
use fairway_tests::http::{Client, ask, get};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use fairway_tests::process::free_port;
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, watch};

use recorder::{Recorder, backend, silent};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// More than the kernel holds between two sockets, and a queue of ours.
const LARGE: usize = 32 * 1024 * 1024;

/// Requests of each kind, where they are counted.
const REQUESTS: usize = 2000;

/// The name of a metric of the rule with this name.
fn metric(name: &str, rule: &str, reason: Option<&str>) -> String {
    let reason = reason.map(|reason| format!(",reason=\"{reason}\"")).unwrap_or_default();
    format!(
        "fairway_mirror_{name}_total{{namespace=\"default\",route=\"test\",rule=\"{rule}\"{reason}}}"
    )
}

async fn sent(gateway: &Gateway, count: f64) {
    gateway.metric(&metric("requests", "rule-0", None), count).await;
}

async fn dropped(gateway: &Gateway, reason: &str, count: f64) {
    gateway.metric(&metric("dropped", "rule-0", Some(reason)), count).await;
}

fn post(length: usize) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

#[tokio::test]
async fn a_mirror_gets_byte_for_byte_what_the_backend_gets() {
    let mut main = Recorder::start(OK).await;
    // What it answers reaches nobody.
    let mut mirror = Recorder::start(
        "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    )
    .await;
    let gateway = Gateway::start(&route(&format!(
        "- match: [{{path: /e/*}}]\n  rewrite: {{path: /in/*, host: inner.example}}\n  backends: [{{{}}}]\n  \
         policy: {{mirror: [{{{}}}], headers: {{request: {{set: {{x-id: \"%{{request.id}}\"}}, remove: [x-secret]}}}}}}\n",
        main.backend(),
        mirror.backend(),
    )))
    .await;
    let requests = [
        "GET /e/a/%ec%a3%bc?q=%20&q HTTP/1.1\r\nHost: a\r\nX-Secret: s\r\nAccept: a\r\nAccept: b\r\n\r\n".to_owned(),
        "DELETE /e/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        "PUT /e/none HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "POST /e/b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "POST /e/c HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nx-sum: 4\r\n\r\n".to_owned(),
        "POST /e/d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
    ];
    let mut client = Client::connect(gateway.address()).await;
    for (count, request) in (1..).zip(&requests) {
        let answer = client.ask(request).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]));
        let (of_main, of_mirror) = (main.next().await, mirror.next().await);
        assert!(of_main == of_mirror, "{}\n{}", of_main.head, of_mirror.head);
        let path = request.split(' ').nth(1).unwrap().replace("/e/", "/in/");
        let path = path.replace("%ec%a3%bc", "%EC%A3%BC");
        assert_eq!(of_mirror.head.split(' ').nth(1), Some(&*path));
        assert!(of_mirror.head.contains("\r\nhost: inner.example\r\n"), "{}", of_mirror.head);
        assert!(of_mirror.head.contains("\r\nx-id: ") && !of_mirror.head.contains("x-secret"));
        let told = request.find("\r\n\r\n").unwrap() + 4;
        if path.ends_with('b') {
            assert!(of_mirror.body == request.as_bytes()[told..], "{path}");
        } else if path.ends_with('c') {
            assert_eq!((&*of_mirror.body, &*of_mirror.trailers), (&b"abcd"[..], "x-sum: 4"));
        }
        sent(&gateway, f64::from(count)).await;
    }
    assert_eq!(mirror.raw.connections(), 1, "the connection is kept");
    assert!(!gateway.metrics().await.keys().any(|name| name.contains("mirror_dropped_total{")));
}

/// A mirror that keeps up loses nothing, however large the body; how fast it is depends on the
/// machine, so that no part is sent before both have the one before.
#[tokio::test]
async fn a_mirror_that_keeps_up_gets_ten_megabytes() {
    let (mut main, mut mirror) = tokio::join!(Recorder::start(OK), Recorder::start(OK));
    let gateway = Gateway::start(&route(&format!(
        "- backends: [{{{}}}]\n  policy: {{mirror: [{{{}}}]}}\n",
        main.backend(),
        mirror.backend()
    )))
    .await;
    let part = "0123456789abcdef".repeat(8 * 1024);
    let parts = 10 * 1024 * 1024 / part.len();
    let chunked = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let chunk = format!("{:x}\r\n{part}\r\n", part.len());
    let mut client = Client::connect(gateway.address()).await;
    let mut come = 0;
    for (head, written, end) in
        [(post(parts * part.len()), &part, ""), (chunked, &chunk, "0\r\n\r\n")]
    {
        client.send(&head).await;
        for _ in 0..parts {
            client.send(written).await;
            come += part.len();
            main.has(come).await;
            mirror.has(come).await;
        }
        client.send(end).await;
        assert_eq!(client.answer().await.status, 200);
        let (of_main, of_mirror) = (main.next().await, mirror.next().await);
        assert!(of_main == of_mirror, "{}\n{}", of_main.head, of_mirror.head);
        assert!(of_mirror.body == part.repeat(parts).as_bytes());
    }
    sent(&gateway, 2.0).await;
}

#[tokio::test]
async fn as_many_requests_are_copied_as_the_percent_says() {
    let (main, shadow) = tokio::join!(Echo::start("main"), Echo::start("shadow"));
    let backend = |echo: &Echo| format!("host: 127.0.0.1, port: {}", echo.address.port());
    let rule = |percent: &str| {
        format!(
            "- name: p{percent}\n  match: [{{path: /{percent}}}]\n  backends: [{{{}}}]\n  policy: {{mirror: [{{{}, percent: {percent}}}]}}\n",
            backend(&main),
            backend(&shadow)
        )
    };
    // None is left out for being late.
    let config = fairway_dataplane::Config { mirrors_in_flight: 3 * REQUESTS, ..config() };
    let manifest = route(&(rule("0") + &rule("100") + &rule("30")));
    let gateway = Gateway::start_with(&manifest, config, options()).await;
    let mut client = Client::connect(gateway.address()).await;
    for percent in ["0", "100", "30"] {
        let request = format!("GET /{percent} HTTP/1.1\r\nHost: a\r\n\r\n");
        for _ in 0..REQUESTS {
            assert_eq!(client.ask(&request).await.status, 200);
        }
    }
    assert_eq!(main.requests(), 3 * REQUESTS);
    gateway.metric(&metric("requests", "p100", None), REQUESTS as f64).await;
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.get(&metric("requests", "p0", None)), None);
    // 600 are expected, with a deviation of 20.5; beyond six of them lies one run of a thousand million.
    let copied = metrics[&metric("requests", "p30", None)];
    assert!((477.0..723.0).contains(&copied), "{copied}");
    assert!(shadow.requests() >= REQUESTS + 477);
}

#[tokio::test]
async fn whatever_a_mirror_does_the_request_is_answered() {
    let dns = Dns::start().await;
    let main = Echo::start("main").await;
    let silent = silent().await;
    let closes = Raw::closes().await;
    let babbles = Raw::babbles().await;
    let mirrors = [
        ("connect_refused", format!("host: 127.0.0.1, port: {}", free_port())),
        ("no_endpoints", "host: nobody.example, port: 80".to_owned()),
        ("backend_invalid", "service: finance, port: http".to_owned()),
        ("response_timeout", backend(&silent)),
        ("upstream_reset", backend(&closes)),
        ("upstream_protocol_error", backend(&babbles)),
    ];
    let rules = mirrors.iter().map(|(reason, mirror)| {
        let name = reason.replace('_', "-");
        format!(
            "- name: {name}\n  match: [{{path: /{reason}}}]\n  backends: [{{host: 127.0.0.1, port: {}}}]\n  policy: {{timeouts: {{response: 1s, connect: 1s}}, mirror: [{{{mirror}}}]}}\n",
            main.address.port()
        )
    });
    let gateway = Gateway::start_with_dns(&route(&rules.collect::<String>()), dns.address).await;
    let mut client = Client::connect(gateway.address()).await;
    for _ in 0..5 {
        for (reason, _) in &mirrors {
            let answer = client.ask(&format!("GET /{reason} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            assert_eq!((answer.status, &answer.json()["name"]), (200, &"main".into()));
        }
    }
    for (reason, _) in &mirrors {
        let name = reason.replace('_', "-");
        gateway.metric(&metric("failures", &name, Some(reason)), 5.0).await;
    }
    let metrics = gateway.metrics().await;
    assert_eq!(metrics["fairway_upstream_retries_total"], 0.0);
    assert!(
        !metrics.keys().any(|name| name.starts_with("fairway_upstream_connect_failures_total"))
    );
    assert_eq!(closes.connections(), 5, "no copy is sent twice");
}

#[tokio::test]
async fn a_mirror_that_reads_slowly_is_given_up_and_not_the_request() {
    let mut main = Recorder::start(OK).await;
    let (told, tells) = watch::channel(false);
    let slow = Raw::start(move |_, mut stream| {
        let mut told = tells.clone();
        async move {
            read_head(&mut stream).await;
            told.wait_for(|told| *told).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(rest.len() < LARGE, "a part must not be taken for the whole");
        }
    })
    .await;
    let gateway = Gateway::start(&route(&format!(
        "- backends: [{{{}}}]\n  policy: {{mirror: [{{{}}}]}}\n",
        main.backend(),
        backend(&slow)
    )))
    .await;
    let mut client = Client::connect(gateway.address()).await;
    client.send(&post(LARGE)).await;
    client.send(&"x".repeat(LARGE)).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(main.next().await.body.len(), LARGE);
    dropped(&gateway, "queue_full", 1.0).await;
    told.send_replace(true);
}

#[tokio::test]
async fn so_many_copies_are_in_flight_at_once_and_no_more() {
    let main = Echo::start("main").await;
    let (told, tells) = watch::channel(false);
    let shadow = Raw::start(move |_, mut stream| {
        let mut told = tells.clone();
        async move {
            while !read_head(&mut stream).await.is_empty() {
                told.wait_for(|told| *told).await.unwrap();
                write(&mut stream, OK).await;
            }
        }
    })
    .await;
    let manifest = route(&format!(
        "- backends: [{{host: 127.0.0.1, port: {}}}]\n  policy: {{mirror: [{{{}}}]}}\n",
        main.address.port(),
        backend(&shadow)
    ));
    let config = fairway_dataplane::Config { mirrors_in_flight: 3, ..config() };
    let gateway = Gateway::start_with(&manifest, config, options()).await;
    let mut client = Client::connect(gateway.address()).await;
    for _ in 0..10 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    }
    dropped(&gateway, "in_flight", 7.0).await;
    told.send_replace(true);
    sent(&gateway, 3.0).await;
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    sent(&gateway, 4.0).await;
    dropped(&gateway, "in_flight", 7.0).await;
}

#[tokio::test]
async fn nobody_waits_for_copies_at_the_end() {
    let main = Echo::start("main").await;
    let silent = silent().await;
    let manifest = route(&format!(
        "- backends: [{{host: 127.0.0.1, port: {}}}]\n  policy: {{timeouts: {{response: 1h}}, mirror: [{{{}}}]}}\n",
        main.address.port(),
        backend(&silent)
    ));
    let hour = Duration::from_secs(3600);
    let config = fairway_dataplane::Config { drain_deadline: hour, ..config() };
    let gateway = Gateway::start_with(&manifest, config, options()).await;
    assert_eq!(get(gateway.address(), "/").await.status, 200);
    fairway_tests::eventually::eventually("the mirror has its copy", || async {
        (silent.connections() == 1).then_some(())
    })
    .await;
    let ended = tokio::time::timeout(PATIENCE, gateway.plane.shutdown()).await;
    ended.expect("the end does not wait for the mirror");
}

#[tokio::test]
async fn a_request_that_is_no_whole_request_has_no_whole_copy() {
    let main = Echo::start("main").await;
    let mut shadow = Recorder::start(OK).await;
    let gateway = Gateway::start(&route(&format!(
        "- backends: [{{host: 127.0.0.1, port: {}}}]\n  policy: {{limits: {{bodyBytes: 10}}, mirror: [{{{}}}]}}\n",
        main.address.port(),
        shadow.backend()
    )))
    .await;
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(ask(gateway.address(), upgrade).await.status, 200);
    dropped(&gateway, "upgrade", 1.0).await;

    let chunked =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n";
    let mut client = Client::connect(gateway.address()).await;
    client.send(chunked).await;
    drop(client);
    dropped(&gateway, "request_incomplete", 1.0).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send(chunked).await;
    client.send("8\r\n12345678\r\n0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 413);
    dropped(&gateway, "request_incomplete", 2.0).await;

    assert_eq!(ask(gateway.address(), &(post(3) + "abc")).await.status, 200);
    let got = shadow.next().await;
    assert_eq!(got.body, b"abc", "the first that it got whole: {}", got.head);
    sent(&gateway, 1.0).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_its_copy_while_the_answer_goes_on() {
    let main = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let silent = silent().await;
    let gateway = Gateway::start(&route(&format!(
        "- backends: [{{{}}}]\n  policy: {{limits: {{bodyBytes: 10}}, mirror: [{{{}}}]}}\n",
        backend(&main),
        backend(&silent)
    )))
    .await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200);
    client.send("b\r\n12345678901\r\n").await;
    dropped(&gateway, "request_incomplete", 1.0).await;
    gateway.metric("fairway_requests_in_flight", 1.0).await;
}

#[tokio::test]
async fn an_answer_that_is_too_long_ends_with_its_connection() {
    let main = Echo::start("main").await;
    let (told, mut tells) = mpsc::unbounded_channel();
    let talks = Raw::start(move |_, mut stream| {
        let told = told.clone();
        async move {
            read_head(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\n\r\n").await;
            // Ends when nobody listens any more.
            while tokio::io::AsyncWriteExt::write_all(&mut stream, &[b'x'; 1024]).await.is_ok() {}
            let _ = told.send(());
        }
    })
    .await;
    let gateway = Gateway::start(&route(&format!(
        "- backends: [{{host: 127.0.0.1, port: {}}}]\n  policy: {{timeouts: {{response: 1h}}, mirror: [{{{}}}]}}\n",
        main.address.port(),
        backend(&talks)
    )))
    .await;
    assert_eq!(get(gateway.address(), "/").await.status, 200);
    let ended = tokio::time::timeout(PATIENCE, tells.recv()).await;
    assert_eq!(ended.expect("the connection ends"), Some(()));
    sent(&gateway, 1.0).await;
}

#[tokio::test]
async fn the_admin_port_shows_where_mirrors_are() {
    let (main, shadow) = tokio::join!(Echo::start("main"), Echo::start("shadow"));
    let gateway = Gateway::start(&route(&format!(
        "- backends: [{{host: 127.0.0.1, port: {}}}]\n  policy: {{mirror: [{{host: 127.0.0.1, port: {}, percent: 0.5}}]}}\n",
        main.address.port(),
        shadow.address.port()
    )))
    .await;
    let admin = gateway.plane.admin_address();
    let view = ask(admin, "GET /routes HTTP/1.1\r\nHost: localhost\r\n\r\n").await.json();
    let mirror = &view["listeners"][0]["routes"][0]["mirrors"][0];
    assert_eq!((&mirror["percent"], &mirror["source"]), (&"0.5%".into(), &"rule".into()));
    assert_eq!(mirror["endpoints"]["addresses"][0], shadow.address.to_string());
    let question = r#"{"method": "GET", "url": "/x"}"#;
    let request = format!(
        "POST /why HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{question}",
        question.len()
    );
    let why = ask(admin, &request).await.json();
    assert_eq!(why["outcome"]["mirrors"][0], *mirror);
}

//! What happens to headers on the way, compared with RFC 9110 and RFC 9112.

use fairway_tests::gateway::{Gateway, config, everything_to, options, route};
use fairway_tests::http::{ask, get};
use fairway_tests::origin::{Echo, Raw, read_head, write};

use super::got;

#[tokio::test]
async fn headers_of_the_client_connection_stay_behind() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let request = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers, gzip\r\nUpgrade: h2c\r\nProxy-Connection: keep-alive\r\nProxy: http://evil\r\nX-Kept: yes\r\nX-Kept: twice\r\n\r\n";
    let answer = ask(gateway.address(), request).await;
    assert_eq!(answer.status, 200);
    for name in ["connection", "x-private", "keep-alive", "upgrade", "proxy-connection", "proxy"] {
        assert_eq!(got(&answer, name), Vec::<String>::new(), "{name}");
    }
    assert_eq!(got(&answer, "te"), ["trailers"]);
    assert_eq!(got(&answer, "x-kept"), ["yes", "twice"]);
    assert_eq!(got(&answer, "host"), ["a.example"]);
}

#[tokio::test]
async fn names_of_fields_come_as_they_were_written() {
    let backend = Raw::start(|_, mut stream| async move {
        let head = read_head(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", head.len());
        write(&mut stream, &answer).await;
        write(&mut stream, &head).await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    let request = "GET / HTTP/1.1\r\nhOsT: a\r\nX-ODD:\t1 \r\nAccept:  */*\r\n\r\n";
    let answer = ask(gateway.address(), request).await;
    let told = String::from_utf8(answer.body).unwrap();
    // Blanks around a value are nobody's (RFC 9110 section 5.5).
    let kept = "GET / HTTP/1.1\r\nhOsT: a\r\nX-ODD: 1\r\nAccept: */*\r\nforwarded: ";
    assert!(told.starts_with(kept), "{told}");
}

#[tokio::test]
async fn the_backend_is_told_about_the_client_and_claims_are_replaced() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let request = "GET / HTTP/1.1\r\nHost: a.example:81\r\nX-Forwarded-For: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Request-Id: mine\r\n\r\n";
    let answer = ask(gateway.address(), request).await;
    let port = gateway.address().port().to_string();
    assert_eq!(got(&answer, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(got(&answer, "x-forwarded-proto"), ["http"]);
    assert_eq!(got(&answer, "x-forwarded-host"), ["a.example:81"]);
    assert_eq!(got(&answer, "x-forwarded-port"), [port]);
    assert_eq!(got(&answer, "forwarded"), ["for=127.0.0.1;host=\"a.example:81\";proto=http"]);
    let id = got(&answer, "x-request-id");
    assert!(id.len() == 1 && id[0].len() == 36 && id[0] != "mine", "{id:?}");
}

#[tokio::test]
async fn an_answer_comes_as_the_backend_sent_it() {
    let origin = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 222 Quite Fine\r\nServer: mine\r\nX-Two: 1\r\nX-Two: 2\r\nConnection: X-Hidden\r\nX-Hidden: 1\r\nX-Process-Time: 7\r\nServer-Timing: db;dur=1\r\nContent-Length: 2\r\n\r\nok").await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    let answer = get(gateway.address(), "/").await;
    assert_eq!((answer.status, answer.reason.as_str()), (222, "Quite Fine"));
    assert_eq!(answer.body, b"ok");
    let values = |name: &str| -> Vec<&str> {
        answer.headers.iter().filter(|(known, _)| known == name).map(|(_, v)| v.as_str()).collect()
    };
    // Names come as they were written, and ours in small letters.
    assert_eq!(values("Server"), ["mine"]);
    assert_eq!(values("X-Two"), ["1", "2"]);
    assert_eq!((answer.header("x-hidden"), answer.header("connection")), (None, None));
    assert_eq!(values("X-Process-Time"), ["7"]);
    assert_eq!(answer.values("x-process-time").len(), 1);
    assert_eq!(values("date").len(), 1, "a date is added where there is none");
    let timing = answer.values("server-timing");
    assert_eq!(timing[0], "db;dur=1");
    assert!(timing[1].starts_with("gw;dur=") && timing[1].contains(", up;dur="), "{timing:?}");
}

#[tokio::test]
async fn times_are_told_unless_they_are_switched_off() {
    let echo = Echo::start("a").await;
    let manifests = everything_to(echo.address);
    let gateway = Gateway::start(&manifests).await;
    let answer = get(gateway.address(), "/").await;
    let seconds: f64 = answer.header("x-process-time").unwrap().parse().unwrap();
    assert!(seconds > 0.0 && seconds < 20.0);
    let config = fairway_dataplane::Config {
        process_time: false,
        server_timing: false,
        ..fairway_tests::gateway::config()
    };
    let options = fairway_tests::gateway::options();
    let quiet = Gateway::start_with(&manifests, config, options).await;
    let answer = get(quiet.address(), "/").await;
    assert_eq!((answer.header("x-process-time"), answer.header("server-timing")), (None, None));
}

#[tokio::test]
async fn the_length_of_a_body_is_what_the_body_has() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let sized =
        ask(gateway.address(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(got(&sized, "content-length"), ["3"]);
    assert_eq!(sized.json()["body"], "abc");
    let chunked = ask(gateway.address(), "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").await;
    assert_eq!(got(&chunked, "content-length"), Vec::<String>::new());
    assert_eq!(got(&chunked, "transfer-encoding"), ["chunked"]);
    assert_eq!(chunked.json()["body"], "abcde");
    let empty =
        ask(gateway.address(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(got(&empty, "content-length"), ["0"]);
}

#[tokio::test]
async fn heads_of_bodies_that_are_not_sent_keep_their_length() {
    let origin = Raw::start(|_, mut stream| async move {
        loop {
            let head = read_head(&mut stream).await;
            let answer = match head.split(' ').nth(1) {
                Some("/cached") => "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n",
                Some(_) => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
                None => return,
            };
            write(&mut stream, answer).await;
        }
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    let mut client = fairway_tests::http::Client::connect(gateway.address()).await;
    client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("1234")));
    client.send("GET /cached HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let cached = client.head().await;
    assert_eq!((cached.status, cached.header("etag")), (304, Some("\"1\"")));
    client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200, "the connection is still in step");
    assert_eq!(origin.connections(), 1, "the backend's connection was kept");
}

#[tokio::test]
async fn a_trusted_peer_names_the_client_for_backends_policies_and_answers() {
    let echo = Echo::start("a").await;
    let rules = route(&format!(
        "- policy: {{headers: {{request: {{set: {{x-client: \"%{{client.address}}\"}}}}}}}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        echo.address.port()
    ));
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Request-Id: given-1\r\n\r\n";
    for (hops, networks, client) in [
        (0, "", "127.0.0.1"),
        (1, "", "203.0.113.7"),
        (0, "10.0.0.0/8", "127.0.0.1"),
        (0, "127.0.0.0/8", "203.0.113.7"),
    ] {
        let networks = networks.split_terminator(' ').map(|text| text.parse().unwrap()).collect();
        let trust = fairway_dataplane::Trust { hops, networks };
        let config = fairway_dataplane::Config { trust, ..config() };
        let gateway = Gateway::start_with(&rules, config, options()).await;
        let answer = ask(gateway.address(), request).await;
        let trusted = client == "203.0.113.7";
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(got(&answer, "x-client"), [client]);
        let list = if trusted { "203.0.113.7, 127.0.0.1" } else { "127.0.0.1" };
        assert_eq!(got(&answer, "x-forwarded-for"), [list]);
        assert_eq!(got(&answer, "x-forwarded-proto"), [if trusted { "https" } else { "http" }]);
        assert_eq!(got(&answer, "x-request-id") == ["given-1"], trusted);
        let lost = ask(gateway.address(), &request.replace("Host: a", "Host: a b")).await;
        assert_eq!(lost.json()["requestId"] == "given-1", trusted);
    }
}

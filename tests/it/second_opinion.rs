//! hyper as a second opinion on what clients and backends send: whatever we pass on, it reads in the
//! same way. We may refuse more than it does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use fairway_tests::gateway::{Gateway, everything_to};
use fairway_tests::http::Client;
use fairway_tests::origin::{Echo, Raw, read_head};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// How many messages are compared.
const CASES: usize = 600;
/// How long the end of a request is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Status and body; `None` when the answer is refused, or has no end that counts as one.
type Read = Option<(u16, Vec<u8>)>;

/// Fields of either side, good and odd.
const FIELDS: [&str; 14] = [
    "Content-Length: 5\r\n",
    "content-length: 5\r\n",
    "Content-Length: 6\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 05\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding:chunked \r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "X: 1\r\n Y: 2\r\n",
    "X-\u{0}: 1\r\n",
    "X: 1\n",
];

/// An answer from parts that are each likely to be right, with some bytes changed at random.
fn answer(random: &mut fastrand::Rng) -> Vec<u8> {
    let pick =
        |random: &mut fastrand::Rng, from: &[&str]| (*random.choice(from).unwrap()).to_owned();
    let mut text = pick(random, &["", "", "", "\r\n", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"]);
    let version = pick(random, &["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2"]);
    let status = pick(random, &["200 OK", "200 OK", "201", "204 No Content", "304 X", "500  a"]);
    text.push_str(&format!("{version} {status}\r\n"));
    for _ in 0..random.usize(0..4) {
        let own = ["Content-Length: 0x5\r\n", "Connection: close\r\n", "X: a\rb\r\n"];
        text.push_str(&pick(random, &[&FIELDS[..], &own].concat()));
    }
    text.push_str(&pick(random, &["\r\n", "\r\n", "\r\n", "\n"]));
    text.push_str(&pick(
        random,
        &[
            "hello",
            "5\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
            "5;x=\"\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            "05\r\nhello\r\n00\r\n\r\n",
            "5\nhello\n0\n\n",
            "5\r\nhello0\r\n\r\n",
            "6\r\nhello\r\n0\r\n\r\n",
            "0\r\n\r\n",
            "",
        ],
    ));
    let mut bytes = text.into_bytes();
    if random.u8(..4) == 0 && !bytes.is_empty() {
        let at = random.usize(..bytes.len());
        bytes[at] = *random.choice(b"\r\n :;,\0\x7f5a").unwrap();
    }
    bytes
}

/// What hyper's client makes of it.
async fn hyper(address: SocketAddr) -> Read {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("/").header("host", "a").body(Empty::<&[u8]>::new()).unwrap();
    let answer = sender.send_request(request).await;
    let read = match answer {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.ok();
            body.map(|body| (status, body.to_bytes().to_vec()))
        }
        Err(_) => None,
    };
    connection.abort();
    read
}

/// What a client of the gateway gets.
async fn through(address: SocketAddr) -> Read {
    let mut client = Client::connect(address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let mut head = client.head().await;
    while head.status < 200 {
        head = client.head().await;
    }
    if head.status == 502 {
        return None;
    }
    let chunked = head.header("transfer-encoding").is_some();
    let length = head.header("content-length").map(|length| length.parse::<usize>().unwrap());
    let rest = client.rest().await;
    let bodiless = matches!(head.status, 204 | 304);
    let body = match length {
        _ if bodiless => Some(Vec::new()),
        _ if chunked => whole_chunks(&rest),
        Some(length) => (rest.len() == length).then_some(rest),
        None => Some(rest),
    };
    body.map(|body| (head.status, body))
}

/// The body in chunks that our own server wrote, when it has its end.
fn whole_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_passed_on_is_what_hyper_reads() {
    let current = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&current);
    let origin = Raw::start(move |_, mut stream| {
        let bytes = shown.lock().unwrap().clone();
        async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    let mut random = fastrand::Rng::with_seed(20_261_124);
    let (mut passed, mut stricter) = (0, 0);
    for _ in 0..CASES {
        let bytes = answer(&mut random);
        current.lock().unwrap().clone_from(&bytes);
        let (ours, theirs) = tokio::join!(through(gateway.address()), hyper(origin.address));
        let text = String::from_utf8_lossy(&bytes);
        match (&ours, &theirs) {
            (Some(_), _) => {
                assert_eq!(ours, theirs, "{text:?}");
                passed += 1;
            }
            (None, Some(_)) => stricter += 1,
            (None, None) => {}
        }
    }
    println!("{CASES} answers: {passed} passed on, {stricter} refused that hyper takes");
    assert!(passed > CASES / 5, "{passed} say little");
}

/// A request from parts that are each likely to be right, with some bytes changed at random.
fn request(random: &mut fastrand::Rng) -> Vec<u8> {
    let pick =
        |random: &mut fastrand::Rng, from: &[&str]| (*random.choice(from).unwrap()).to_owned();
    let mut text = pick(random, &["", "", "", "\r\n", "\n"]);
    text.push_str(&pick(random, &["GET", "POST", "POST", "PUT", "get", "G@T"]));
    text.push_str(&pick(
        random,
        &[" / ", " / ", " /a?b ", " /a%20b ", " http://a/x ", " /a?b%00 ", " /a#b "],
    ));
    text.push_str("HTTP/1.1");
    text.push_str(&pick(random, &["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n"]));
    text.push_str(&pick(random, &["Host: a\r\n", "Host: a\r\n", "host:a\r\n", "HOST: a\r\n", ""]));
    for _ in 0..random.usize(0..3) {
        text.push_str(&pick(random, &[&FIELDS[..], &["Expect: 100-continue\r\n"]].concat()));
    }
    text.push_str("\r\n");
    text.push_str(&pick(
        random,
        &[
            "hello",
            "hello!",
            "5\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
            "5;x=\"\r\nhello\r\n0\r\n\r\n",
            "05\r\nhello\r\n00\r\n\r\n",
            "5\nhello\n0\n\n",
            "5\r\nhello0\r\n\r\n",
            "0\r\n\r\n",
            "",
        ],
    ));
    let mut bytes = text.into_bytes();
    if random.u8(..4) == 0 {
        let at = random.usize(..bytes.len());
        bytes[at] = *random.choice(b"\r\n :;,\0\x7f5a").unwrap();
    }
    bytes
}

/// Method, path, query and body of a request, as the backend says it got it; `None` when it was
/// refused, or when its end never came.
async fn taken(address: SocketAddr, bytes: &[u8]) -> Option<[serde_json::Value; 4]> {
    let mut client = Client::connect(address).await;
    let answer = async {
        client.try_send(bytes).await;
        let answer = client.answer().await;
        // Who was told to go on is answered behind that.
        if answer.status == 100 { client.answer().await } else { answer }
    };
    // Who waits for more has nothing to say by then.
    let answer = tokio::time::timeout(PATIENCE, answer).await.ok()?;
    let said = Some(answer).filter(|answer| answer.status == 200)?.json();
    Some(["method", "path", "query", "body"].map(|name| said[name].clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_passed_on_of_clients_is_what_hyper_reads() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let mut random = fastrand::Rng::with_seed(20_261_126);
    let requests: Vec<Vec<u8>> = (0..CASES).map(|_| request(&mut random)).collect();
    let (mut passed, mut stricter) = (0, 0);
    for some in requests.chunks(100) {
        let (ours, theirs) = tokio::join!(
            futures::future::join_all(some.iter().map(|bytes| taken(gateway.address(), bytes))),
            futures::future::join_all(some.iter().map(|bytes| taken(echo.address, bytes))),
        );
        for (bytes, (ours, theirs)) in some.iter().zip(ours.into_iter().zip(theirs)) {
            match (&ours, &theirs) {
                (Some(_), _) => {
                    assert_eq!(ours, theirs, "{:?}", String::from_utf8_lossy(bytes));
                    passed += 1;
                }
                (None, Some(_)) => stricter += 1,
                (None, None) => {}
            }
        }
    }
    println!("{CASES} requests: {passed} passed on, {stricter} refused that hyper takes");
    assert!(passed > CASES / 10, "{passed} say little");
}

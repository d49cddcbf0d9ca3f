//! A real FastAPI application, asked directly and through the gateway: the answers must be the
//! same to the byte.

use std::net::SocketAddr;

use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, everything_to};
use fairway_tests::http::{Answer, Client, ask};
use fairway_tests::process::{Process, free_port, python};

struct Application {
    address: SocketAddr,
    _process: Process,
    _folder: tempfile::TempDir,
}

async fn application() -> Application {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let code = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/fastapi");
    let args = [
        "-m",
        "uvicorn",
        "app:app",
        "--app-dir",
        code,
        "--port",
        &port.to_string(),
        "--no-access-log",
    ];
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let process = Process::start_with(
        &python(),
        &args,
        &folder.path().join("app"),
        &[("PYTHONDONTWRITEBYTECODE", "1")],
    );
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    eventually("the application listens", || async {
        assert!(!process.ended(), "{}", process.errors());
        tokio::net::TcpStream::connect(address).await.ok()
    })
    .await;
    Application { address, _process: process, _folder: folder }
}

/// What must be equal: everything but what belongs to a moment or to the gateway. The framing is
/// each connection's own, and its field is written by each server as it likes.
fn comparable(answer: Answer) -> (u16, String, Vec<(String, String)>, Vec<u8>) {
    let own = ["date", "x-process-time", "server-timing"];
    let headers = answer.headers.into_iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| {
        let framing = name.eq_ignore_ascii_case("transfer-encoding");
        (if framing { name.to_ascii_lowercase() } else { name }, value)
    });
    (answer.status, answer.reason, headers.collect(), answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_to_the_byte() {
    let app = application().await;
    let gateway = Gateway::start(&everything_to(app.address)).await;
    let order = "{\"symbol\": \"삼성\", \"amount\": 3}";
    let with_body = |method: &str, path: &str, body: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let plain =
        |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
    for (request, status) in [
        (plain("GET", "/fin/quotes/NVDA"), 200),
        (plain("GET", "/fin/quotes/%EC%82%BC%EC%84%B1?currency=%EC%9B%90&x=a+b%20c;d"), 200),
        (plain("GET", "/fin/quotes/a%2Fb"), 404),
        (plain("GET", "/fin/quotes/"), 404),
        (with_body("POST", "/fin/orders", order), 201),
        (with_body("POST", "/fin/orders", "{\"amount\": \"x\"}"), 422),
        (with_body("POST", "/fin/orders", "{"), 422),
        (with_body("PUT", "/fin/orders/7", order), 200),
        (plain("DELETE", "/fin/orders/7"), 204),
        (plain("DELETE", "/fin/quotes/x"), 405),
        (plain("GET", "/fin/stream"), 200),
        (plain("GET", "/nothing"), 404),
        (plain("GET", "/openapi.json"), 200),
    ] {
        let direct = comparable(ask(app.address, &request).await);
        let through = comparable(ask(gateway.address(), &request).await);
        assert_eq!(direct.0, status, "{request}");
        assert_eq!(through, direct, "{request}");
    }
    // curl sends such a path raw; the server itself gets it encoded.
    let raw = ask(gateway.address(), &plain("GET", "/fin/quotes/삼성")).await;
    let encoded = ask(app.address, &plain("GET", "/fin/quotes/%EC%82%BC%EC%84%B1")).await;
    assert_eq!(raw.body, encoded.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_are_uploaded_whole() {
    let app = application().await;
    let gateway = Gateway::start(&everything_to(app.address)).await;
    let part = vec![b'y'; 1 << 20];
    let begin =
        "--frame\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.bin\"\r\n\r\n";
    let end = "\r\n--frame--\r\n";
    let length = begin.len() + part.len() * 100 + end.len();
    let head = format!(
        "POST /fin/upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=frame\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut answers = Vec::new();
    for address in [app.address, gateway.address()] {
        let mut client = Client::connect(address).await;
        client.send(&head).await;
        client.send(begin).await;
        for _ in 0..100 {
            assert!(client.try_send(&part).await);
        }
        client.send(end).await;
        answers.push(comparable(client.answer().await));
    }
    assert_eq!(answers[0].0, 200);
    assert_eq!(answers[1], answers[0]);
    let told: serde_json::Value = serde_json::from_slice(&answers[1].3).unwrap();
    assert_eq!(told["size"], 100 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_learns_that_its_client_left() {
    let app = application().await;
    let gateway = Gateway::start(&everything_to(app.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET /fin/slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let counts = |name: &'static str| async move {
        let request = "GET /fin/counts HTTP/1.1\r\nHost: a\r\n\r\n";
        (ask(app.address, request).await.json()[name] == 1).then_some(())
    };
    // A request that has not left the gateway yet is one that the application never hears of.
    eventually("the application has the request", || counts("begun")).await;
    drop(client);
    eventually("the application knows", || counts("gone")).await;
}

//! Credentials are told nowhere: not in the logs of any level, not in metrics, not in answers of our own,
//! not in explanations, whatever becomes of the request that holds them.

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::{Fairway, binary};
use fairway_tests::http::{Answer, Client, ask, get};
use fairway_tests::http2::Http2;
use fairway_tests::origin::{Echo, Raw};
use http::Request;
use serde_json::{Value, json};

/// What stands wherever a credential may stand.
const MARK: &str = "s3cr3t-m4rk";

/// Header fields that hold credentials.
const FIELDS: [(&str, &str); 7] = [
    ("authorization", "Bearer s3cr3t-m4rk"),
    ("proxy-authorization", "Basic s3cr3t-m4rk"),
    ("cookie", "a=s3cr3t-m4rk"),
    ("x-api-key", "s3cr3t-m4rk"),
    ("x-company-key", "s3cr3t-m4rk"),
    ("referer", "http://a/?token=s3cr3t-m4rk"),
    ("origin", "http://u:s3cr3t-m4rk@a"),
];

/// Targets with the status that each gets, and what the log has of path and query.
const TARGETS: [(&str, u16, &str, &str); 9] = [
    ("/echo?access_token=MARK&x=1", 200, "/echo", "access_token=REDACTED&x=1"),
    ("/echo?x=1;aCCess%5FTOKEN=MARK", 200, "/echo", "x=1;aCCess%5FTOKEN=REDACTED"),
    ("/echo;sid=MARK?user[password]=MARK", 200, "/echo;sid=REDACTED", "user[password]=REDACTED"),
    ("/closes?X-Amz-Signature=MARK", 502, "/closes", "X-Amz-Signature=REDACTED"),
    ("/unknown?to=http://b/?code=MARK", 404, "/unknown", "to=http://b/?code=REDACTED"),
    ("/a%zz?company-key=MARK&pin=MARK", 400, "/a%zz", "company-key=REDACTED&pin=REDACTED"),
    ("/only-post?api_key=MARK", 405, "/only-post", "api_key=REDACTED"),
    ("/moved?id_token=MARK", 302, "/moved", "id_token=REDACTED"),
    ("/with-key?key=MARK", 404, "/with-key", "key=REDACTED"),
];

fn manifest(echo: &Echo, closes: &Raw) -> String {
    let (echo, closes) = (echo.address.port(), closes.address.port());
    let rules = json!([
        { "match": [{ "pathRegex": "/echo.*" }], "backends": [{ "host": "127.0.0.1", "port": echo }],
          "policy": { "mirror": [{ "host": "127.0.0.1", "port": closes }] } },
        { "match": [{ "path": "/closes" }], "backends": [{ "host": "127.0.0.1", "port": closes }] },
        { "match": [{ "path": "/only-post", "methods": ["POST"] }], "respond": { "status": 204 } },
        { "match": [{ "path": "/moved" }], "redirect": { "path": "/echo", "status": 302 } },
        { "match": [{ "path": "/with-key", "query": [{ "name": "key", "value": "1" }] }],
          "respond": { "status": 204 } },
        { "match": [{ "path": "/with-key", "headers": [{ "name": "authorization", "value": "1" }] }],
          "respond": { "status": 204 } },
    ]);
    json!({
        "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
        "metadata": { "name": "all", "namespace": "market" }, "spec": { "rules": rules },
    })
    .to_string()
}

/// What must not be there.
fn clean(what: &str, text: &str) {
    let line = text.lines().find(|line| line.contains(MARK) || line.contains("MARK"));
    assert!(line.is_none(), "{what}: {line:?}");
}

fn body(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

async fn http1(fairway: &Fairway, target: &str) -> Answer {
    let fields: Vec<String> =
        FIELDS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let fields = fields.concat();
    ask(fairway.address, &format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await
}

async fn http2(fairway: &Fairway, target: &str) -> Answer {
    let mut request = Request::get(format!("http://a{target}"));
    for (name, value) in FIELDS {
        request = request.header(name, value);
    }
    let mut client = Http2::connect(fairway.address).await;
    let (answer, _) = client.begin(request.body(()).unwrap(), false).await;
    fairway_tests::http2::whole(answer.await.unwrap()).await
}

/// What is no request, or none that is served, with its status.
fn refused() -> Vec<(String, u16)> {
    let long = "x".repeat(70_000);
    vec![
        (format!("GET /?token={MARK} HTTP/1.1\r\nHost: u:{MARK}@a\r\n\r\n"), 400),
        (format!("GET http://u:{MARK}@a/?token={MARK} HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        (format!("GET /?token={MARK} HTTP/1.1\r\nHost: a\r\nAuthorization {MARK}\r\n\r\n"), 400),
        (format!("GET /?token={MARK}#x HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        (format!("GET /?token={MARK} HTTP/3.0\r\nHost: a\r\n\r\n"), 505),
        (format!("GET /?token={MARK} HTTP/1.1\r\nHost: a\r\nCookie: {MARK}{long}\r\n\r\n"), 431),
        (format!("CONNECT u:{MARK}@a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"), 501),
        (
            format!(
                "POST /echo?token={MARK} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{MARK}\r\n"
            ),
            400,
        ),
    ]
}

async fn why(fairway: &Fairway, question: &Value) -> Answer {
    let text = question.to_string();
    let head = "POST /why HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
    ask(fairway.admin, &format!("{head}Content-Length: {}\r\n\r\n{text}", text.len())).await
}

/// Everything is asked why, by the admin port and by the command line.
async fn explained(fairway: &Fairway, manifests: &str) {
    let headers: Vec<String> =
        FIELDS.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    for (target, ..) in TARGETS {
        let url = format!("http://a{}", target.replace("MARK", MARK));
        let answer =
            why(fairway, &json!({ "method": "GET", "url": url, "headers": headers })).await;
        assert_eq!(answer.status, 200, "{}", body(&answer));
        clean(target, &body(&answer));
        let mut command = std::process::Command::new(binary());
        command.args(["why", "GET", &url, manifests, "--redact=company-key", "--redact=pin"]);
        for header in &headers {
            command.args(["-H", header]);
        }
        let told = command.output().unwrap();
        assert!(told.status.success());
        clean(target, &String::from_utf8_lossy(&told.stdout));
    }
    let told = why(fairway, &json!({ "method": "GET", "url": "/with-key?key=2" })).await;
    assert!(body(&told).contains("to be 1; the request has REDACTED"), "{}", body(&told));
    for (url, header) in [
        (format!("http://u:{MARK}@a/?token={MARK}"), "a: b".to_owned()),
        (format!("a/ b?token={MARK}"), "a: b".to_owned()),
        ("/".to_owned(), format!("Authorization {MARK}")),
        ("/".to_owned(), format!("Author ization: {MARK}")),
    ] {
        let asked = json!({ "method": "GET", "url": url, "headers": [header] });
        let answer = why(fairway, &asked).await;
        assert_eq!(answer.status, 400, "{asked}");
        clean(&url, &body(&answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_told_nowhere() {
    let (echo, closes) = (Echo::start("a").await, Raw::closes().await);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.json"), manifest(&echo, &closes)).unwrap();
    let manifests = format!("--manifests={}", folder.path().display());
    let mut args = vec![manifests.clone(), "--log-level=trace".to_owned()];
    args.extend(["company-key", "pin"].map(|name| format!("--redact={name}")));
    let fairway = Fairway::start(&args).await;
    for (target, status, ..) in TARGETS {
        let target = target.replace("MARK", MARK);
        for answer in [http1(&fairway, &target).await, http2(&fairway, &target).await] {
            assert_eq!(answer.status, status, "{target}: {}", body(&answer));
            if status != 200 {
                clean(&target, &body(&answer));
            }
        }
    }
    for (request, status) in refused() {
        let mut client = Client::connect(fairway.address).await;
        client.send(&request).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{request}: {}", body(&answer));
        clean(&request, &body(&answer));
    }
    explained(&fairway, &manifests).await;
    let expected = 2 * TARGETS.len() + refused().len();
    let log = eventually("every request is logged", || async {
        Some(fairway.access_log()).filter(|log| log.len() >= expected)
    })
    .await;
    for (target, status, path, query) in TARGETS {
        let same = |line: &&Value| {
            line["path"] == path && line["query"] == query && line["status"] == status
        };
        assert_eq!(log.iter().filter(same).count(), 2, "{target}: {log:#?}");
    }
    clean("access log", &fairway.process.output());
    clean("metrics", &body(&get(fairway.status, "/metrics").await));
    let told = fairway.process.errors();
    // The level that tells the most is on.
    assert!(told.contains("\"TRACE\""), "{} bytes", told.len());
    clean("log", &told);
}

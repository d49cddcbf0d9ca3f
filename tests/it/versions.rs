//! Versions of an API: which rule serves one, what its backend sees and what its clients are told.

use fairway_tests::gateway::{Gateway, manifest};
use fairway_tests::http::{Answer, ask};
use fairway_tests::origin::{Echo, Raw, read_head, write};

use crate::got;

/// Two versions at two backends, and a rule for every version beside them.
async fn gateway(more: &str) -> (Gateway, [Echo; 3]) {
    let echoes = [Echo::start("one").await, Echo::start("two").await, Echo::start("any").await];
    let [one, two, any] = echoes.each_ref().map(|echo| echo.address.port());
    let spec = format!(
        r#"policy:
  versions:
    header: x-api-version
    mediaType: version
    known:
      - {{name: v1, deprecated: 2026-06-01, sunset: "2027-01-01T12:00:00Z", link: "https://docs.example.com/v1"}}
      - {{name: v2}}
      - {{name: v3}}
{more}
rules:
  - match: [{{path: /api/*, version: v1}}]
    backends: [{{host: 127.0.0.1, port: {one}}}]
  - match: [{{path: /api/*, version: v2}}]
    backends: [{{host: 127.0.0.1, port: {two}}}]
  - match: [{{path: /api/*}}]
    backends: [{{host: 127.0.0.1, port: {any}}}]
"#
    );
    (Gateway::start(&manifest(&spec)).await, echoes)
}

async fn asked(gateway: &Gateway, lines: &str) -> Answer {
    ask(gateway.address(), &format!("GET /api/x HTTP/1.1\r\nhost: a\r\n{lines}\r\n")).await
}

fn served_by(answer: &Answer) -> String {
    answer.json()["name"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_version_is_served_by_its_rule_wherever_it_is_named() {
    let (gateway, _echoes) = gateway("    default: v1").await;
    for (lines, service, version) in [
        ("", "one", "v1"),
        ("x-api-version: v1\r\n", "one", "v1"),
        ("x-api-version: v2\r\n", "two", "v2"),
        ("accept: application/json;version=v2\r\n", "two", "v2"),
        ("x-api-version: v1\r\naccept: */*;version=v2\r\n", "one", "v1"),
        // Nobody asks for it by name, and the rule for all serves it.
        ("x-api-version: v3\r\n", "any", "v3"),
    ] {
        let answer = asked(&gateway, lines).await;
        assert_eq!((answer.status, served_by(&answer).as_str()), (200, service), "{lines}");
        assert_eq!(got(&answer, "x-api-version"), [version], "{lines}");
        let vary: Vec<&str> = answer.values("vary");
        assert_eq!(vary, ["x-api-version", "accept"], "{lines}");
        let ends = version == "v1";
        let told = |name: &str| answer.header(name).map(str::to_owned);
        let expected = |text: &str| ends.then(|| text.to_owned());
        assert_eq!(told("deprecation"), expected("@1780272000"), "{lines}");
        assert_eq!(told("sunset"), expected("Fri, 01 Jan 2027 12:00:00 GMT"), "{lines}");
        let link = "<https://docs.example.com/v1>; rel=\"deprecation\"; type=\"text/html\"";
        assert_eq!(told("link"), expected(link), "{lines}");
    }
}

#[tokio::test]
async fn a_version_that_there_is_not_is_refused_with_the_list() {
    let (gateway, _echoes) = gateway("").await;
    for lines in ["", "x-api-version: v9\r\n", "x-api-version: v1\r\nx-api-version: v2\r\n"] {
        let answer = asked(&gateway, lines).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "version_unknown"), "{lines}");
        assert_eq!(
            answer.json()["detail"],
            "Write one of v1, v2, v3 in x-api-version or the parameter version of Accept."
        );
        assert_eq!(answer.header("deprecation"), None);
    }
    let text = asked(&gateway, "accept: text/plain\r\nx-api-version: v9\r\n").await;
    assert!(String::from_utf8_lossy(&text.body).contains("Write one of v1, v2, v3 in"));
    // A CORS preflight is not the request that it asks for.
    let preflight = "OPTIONS /api/x HTTP/1.1\r\nhost: a\r\norigin: https://b\r\naccess-control-request-method: GET\r\n\r\n";
    assert_eq!(ask(gateway.address(), preflight).await.status, 200);
}

#[tokio::test]
async fn a_policy_that_only_counts_serves_the_default() {
    let (gateway, _echoes) = gateway("    default: v2\n    mode: Observe").await;
    let answer = asked(&gateway, "x-api-version: v9\r\n").await;
    assert_eq!((answer.status, served_by(&answer).as_str()), (200, "two"));
    assert_eq!(got(&answer, "x-api-version"), ["v9"], "what the client wrote stays");
    assert_eq!(asked(&gateway, "").await.status, 200);
    let name = r#"fairway_policy_observed_total{reason="version_unknown"}"#;
    gateway.metric(name, 1.0).await;
}

#[tokio::test]
async fn what_the_backend_says_of_its_end_stays() {
    let origin = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\ndeprecation: @1\r\nlink: <a>\r\nvary: origin\r\ncontent-length: 0\r\n\r\n").await;
    })
    .await;
    let spec = format!(
        r#"policy:
  versions: {{default: v1, known: [{{name: v1, deprecated: 2026-06-01, link: /doc}}]}}
  headers: {{response: {{remove: [sunset]}}}}
rules:
  - backends: [{{host: 127.0.0.1, port: {}}}]
"#,
        origin.address.port()
    );
    let gateway = Gateway::start(&manifest(&spec)).await;
    let answer = asked(&gateway, "").await;
    assert_eq!(answer.values("deprecation"), ["@1"]);
    assert_eq!(answer.values("link"), ["<a>", "</doc>; rel=\"deprecation\"; type=\"text/html\""]);
    assert_eq!(answer.values("vary"), ["origin", "x-api-version"]);
}

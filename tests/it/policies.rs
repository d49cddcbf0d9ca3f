//! Policies that change or refuse messages: header fields and the size of bodies.

use fairway_tests::gateway::{Gateway, manifest, route};
use fairway_tests::http::{Client, ask};
use fairway_tests::origin::{Echo, Raw, read_head, write};

use crate::got;

#[tokio::test]
async fn header_fields_are_set_added_and_removed() {
    let echo = Echo::start("echo").await;
    let backend = format!("{{host: 127.0.0.1, port: {}}}", echo.address.port());
    let gateway = Gateway::start(&route(&format!(
        r#"- match: [{{path: "/users/{{id}}/*"}}]
  rewrite: {{path: /inner/*}}
  backends: [{backend}]
  policy:
    headers:
      request:
        set: {{x-user: "u-{{id}}", x-rest: "{{*}}", x-fixed: a, x-id: "%{{request.id}}", x-from: "%{{client.address}} %{{request.method}} %{{request.host}}%{{request.path}}"}}
        add: {{accept: text/x-team}}
        remove: [x-secret]
      response:
        set: {{x-user: "{{id}}", cache-control: no-store}}
        add: {{vary: x-team}}
        remove: [content-type]
- match: [{{path: /answer}}]
  respond: {{status: 201, body: made}}
  policy: {{headers: {{response: {{set: {{x-team: finance}}}}}}}}
- match: [{{path: /nowhere}}]
  backends: [{{host: 127.0.0.1, port: 1}}]
  policy: {{headers: {{response: {{set: {{x-team: finance}}}}}}}}
"#
    )))
    .await;
    let request = "GET /users/7/a/b?q=1 HTTP/1.1\r\nhost: API.example.com:80\r\nx-user: forged\r\nx-user: twice\r\nx-secret: s\r\naccept: */*\r\n\r\n";
    let answer = ask(gateway.address(), request).await;
    assert_eq!(answer.json()["path"], "/inner/a/b");
    assert_eq!(got(&answer, "x-user"), ["u-7"]);
    assert_eq!(got(&answer, "x-rest"), ["a/b"]);
    assert_eq!(got(&answer, "x-fixed"), ["a"]);
    assert_eq!(got(&answer, "x-id"), got(&answer, "x-request-id"));
    assert_eq!(got(&answer, "x-from"), ["127.0.0.1 GET api.example.com/users/7/a/b"]);
    assert_eq!(got(&answer, "accept"), ["*/*", "text/x-team"]);
    assert!(got(&answer, "x-secret").is_empty());
    assert_eq!(answer.header("x-user"), Some("7"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("vary"), Some("x-team"));
    assert_eq!(answer.header("content-type"), None);

    let own = ask(gateway.address(), "GET /answer HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((own.status, own.header("x-team")), (201, Some("finance")));
    let failed = ask(gateway.address(), "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((failed.status, failed.header("x-team")), (502, Some("finance")));
    let unknown = ask(gateway.address(), "GET /unknown HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((unknown.status, unknown.header("x-team")), (404, None));
}

#[tokio::test]
async fn the_nearest_place_that_has_a_list_decides() {
    let echo = Echo::start("echo").await;
    let port = echo.address.port();
    let spec = format!(
        r#"policy:
  headers: {{request: {{set: {{x-a: spec, x-b: spec}}, remove: [x-c]}}}}
rules:
  - match: [{{path: /spec}}]
    backends: [{{host: 127.0.0.1, port: {port}}}]
  - match: [{{path: /rule}}]
    backends: [{{host: 127.0.0.1, port: {port}}}]
    policy: {{headers: {{request: {{set: {{x-a: rule}}}}}}}}
"#
    );
    let gateway = Gateway::start(&manifest(&spec)).await;
    for (path, a, b) in [("/spec", "spec", Some("spec")), ("/rule", "rule", None)] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nx-c: 1\r\n\r\n");
        let answer = ask(gateway.address(), &request).await;
        assert_eq!(got(&answer, "x-a"), [a]);
        assert_eq!(got(&answer, "x-b").first().map(String::as_str), b, "{path}");
        assert!(got(&answer, "x-c").is_empty(), "the list of another kind is not replaced");
    }
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_refused_before_it_is_read() {
    let echo = Echo::start("echo").await;
    let backend = format!("{{host: 127.0.0.1, port: {}}}", echo.address.port());
    let gateway = Gateway::start(&route(&format!(
        "- match: [{{path: /limited}}]\n  backends: [{backend}]\n  policy: {{limits: {{bodyBytes: 5}}}}\n\
         - match: [{{path: /watched}}]\n  backends: [{backend}]\n  policy: {{limits: {{bodyBytes: 5, mode: Observe}}}}\n\
         - match: [{{path: /free}}]\n  backends: [{backend}]\n  policy: {{limits: {{bodyBytes: 0}}}}\n"
    )))
    .await;
    let post = |path: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let chunked = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
    };
    for (request, status) in [
        (post("/limited", "12345"), 200),
        (post("/limited", "123456"), 413),
        (chunked("/limited", "12345"), 200),
        (chunked("/limited", "123456"), 413),
        (post("/watched", "123456"), 200),
        (chunked("/watched", "123456"), 200),
        (post("/free", "123456"), 200),
    ] {
        let answer = ask(gateway.address(), &request).await;
        assert_eq!(answer.status, status, "{request}");
        if status == 413 {
            assert_eq!(answer.problem(), "body_too_large");
        }
    }
    gateway.metric("fairway_policy_observed_total{reason=\"body_too_large\"}", 2.0).await;

    // The answer does not wait for a body that is refused by its length alone.
    let mut client = Client::connect(gateway.address()).await;
    client.send("POST /limited HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
}

#[tokio::test]
async fn a_body_that_comes_to_be_too_much_ends_its_request_to_the_backend() {
    let backend = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        let mut rest = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
        assert!(!rest.ends_with(b"0\r\n\r\n"), "the backend must not take it for whole");
        write(&mut stream, "").await;
    })
    .await;
    let manifest = route(&format!(
        "- backends: [{{host: 127.0.0.1, port: {}}}]\n  policy: {{limits: {{bodyBytes: 10}}}}\n",
        backend.address.port()
    ));
    let gateway = Gateway::start(&manifest).await;
    let mut client = Client::connect(gateway.address()).await;
    client
        .send("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n8\r\n12345678\r\n")
        .await;
    client.send("8\r\n12345678\r\n").await;
    assert_eq!(client.answer().await.status, 413);
}

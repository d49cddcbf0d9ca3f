//! Paths, methods and shares, end to end.

use fairway_tests::gateway::{Gateway, route};
use fairway_tests::http::{ask, get};
use fairway_tests::origin::Echo;

use super::got;

async fn seen(gateway: &Gateway, target: &str) -> (u16, String) {
    let answer = get(gateway.address(), target).await;
    match answer.status {
        200 => {
            let json = answer.json();
            let path = json["path"].as_str().unwrap().to_owned();
            (200, json["query"].as_str().map_or(path.clone(), |query| format!("{path}?{query}")))
        }
        status => (status, answer.problem()),
    }
}

#[tokio::test]
async fn paths_are_rewritten_and_normalised_the_same_way() {
    let echo = Echo::start("a").await;
    let backend = format!("backends: [{{host: 127.0.0.1, port: {}}}]", echo.address.port());
    let gateway = Gateway::start(&route(&format!(
        "- match: [{{path: /e/fin/*}}]\n  rewrite: {{path: /fin/*}}\n  {backend}\n- match: [{{path: \"/users/{{id}}/orders\"}}]\n  rewrite: {{path: \"/orders/of/{{id}}\"}}\n  {backend}\n- match: [{{path: /주가/*}}]\n  {backend}\n- match: [{{path: /root/*}}]\n  rewrite: {{path: /*}}\n  {backend}"
    )))
    .await;
    for (target, expected) in [
        ("/e/fin", "/fin"),
        ("/e/fin/", "/fin/"),
        ("/e/fin/a/b?x=1&y=%20;z", "/fin/a/b?x=1&y=%20;z"),
        ("/e/fin/a%2Fb%2fc", "/fin/a%2Fb%2Fc"),
        ("/e/%66in/%7Ea", "/fin/~a"),
        ("/e//fin///a", "/fin/a"),
        ("/e/x/../fin/./a", "/fin/a"),
        ("/users/7%208/orders", "/orders/of/7%208"),
        ("/주가/삼성", "/%EC%A3%BC%EA%B0%80/%EC%82%BC%EC%84%B1"),
        ("/root", "/"),
        ("/root/a?b", "/a?b"),
    ] {
        assert_eq!(seen(&gateway, target).await, (200, expected.to_owned()), "{target}");
    }
    for (target, reason) in [
        ("/e/finance", "route_not_found"),
        ("/users//orders", "route_not_found"),
        ("/e/fin/%zz", "malformed_percent_triplet"),
        ("/e/fin/%00", "control_character_in_path"),
        ("/e/fin\\a", "backslash_in_path"),
    ] {
        let status = if reason == "route_not_found" { 404 } else { 400 };
        assert_eq!(seen(&gateway, target).await, (status, reason.to_owned()), "{target}");
    }
}

#[tokio::test]
async fn wrong_methods_are_told_which_are_right() {
    let echo = Echo::start("a").await;
    let backend = format!("backends: [{{host: 127.0.0.1, port: {}}}]", echo.address.port());
    let gateway = Gateway::start(&route(&format!(
        "- match: [{{path: /x, methods: [GET, POST]}}]\n  {backend}\n- match: [{{path: /any}}]\n  {backend}"
    )))
    .await;
    let method = |method: &str, path: &str, more: &str| {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{more}Content-Length: 0\r\n\r\n");
        let address = gateway.address();
        async move { ask(address, &request).await }
    };
    let wrong = method("DELETE", "/x", "").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD, OPTIONS, POST")));
    assert_eq!(wrong.problem(), "method_not_allowed");
    let options = method("OPTIONS", "/x", "").await;
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS, POST")));
    let preflight = method(
        "OPTIONS",
        "/x",
        "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n",
    )
    .await;
    assert_eq!((preflight.status, preflight.json()["method"].as_str()), (200, Some("OPTIONS")));
    assert_eq!(method("OPTIONS", "/any", "").await.json()["method"], "OPTIONS");
    assert_eq!(method("OPTIONS", "/unknown", "").await.status, 404);
    let mut client = fairway_tests::http::Client::connect(gateway.address()).await;
    client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200, "GET covers HEAD");
}

#[tokio::test]
async fn headers_and_query_choose_among_rules_of_one_path() {
    let echo = Echo::start("a").await;
    let backend = format!("backends: [{{host: 127.0.0.1, port: {}}}]", echo.address.port());
    let rule = |name: &str, conditions: &str| {
        format!(
            "- match: [{{path: /x, {conditions}}}]\n  rewrite: {{path: /{name}}}\n  {backend}\n"
        )
    };
    let gateway = Gateway::start(&route(
        &[
            rule("v2", "headers: [{name: X-Version, value: v2}]"),
            rule("vn", "headers: [{name: x-version, pattern: \"v[0-9]+\"}]"),
            rule("both", "headers: [{name: x-version, value: v2}, {name: x-debug, present: true}]"),
            rule("beta", "query: [{name: beta, present: true}]"),
            rule("write", "methods: [POST], query: [{name: q, value: \"a b\"}]"),
        ]
        .concat(),
    ))
    .await;
    for (method, query, headers, expected) in [
        ("GET", "", "x-version: v2", "/v2"),
        ("GET", "", "X-VERSION: v2", "/v2"),
        ("GET", "", "x-version: v17", "/vn"),
        ("GET", "", "x-version: v2\r\nx-debug: 0", "/both"),
        ("GET", "?beta", "x-version: v2", "/v2"),
        ("GET", "?z=1&beta=", "x-version: 2", "/beta"),
        ("POST", "?q=a+b", "x-version: v2", "/write"),
        ("POST", "?q=a%20b", "x-other: 1", "/write"),
        ("GET", "", "x-other: 1", "route_not_found"),
        ("GET", "?q=a+b", "x-other: 1", "method_not_allowed"),
    ] {
        let request = format!(
            "{method} /x{query} HTTP/1.1\r\nHost: a\r\n{headers}\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = ask(gateway.address(), &request).await;
        let got = match answer.status {
            200 => answer.json()["path"].as_str().unwrap().to_owned(),
            _ => answer.problem(),
        };
        assert_eq!(got, expected, "{method} {query} {headers}");
    }
    // A preflight has not the headers of the request that it asks for.
    let preflight = "OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: x-version\r\n\r\n";
    let answer = ask(gateway.address(), preflight).await;
    assert_eq!((answer.status, answer.json()["path"].as_str()), (200, Some("/both")));
}

#[tokio::test]
async fn rules_redirect_and_answer_themselves() {
    let echo = Echo::start("a").await;
    let backend = format!("backends: [{{host: 127.0.0.1, port: {}}}]", echo.address.port());
    let gateway = Gateway::start(&route(&format!(
        "- match: [{{path: /old/*}}]\n  redirect: {{path: /new/*, status: 308}}\n\
         - match: [{{path: \"/users/{{id}}\"}}]\n  redirect: {{scheme: https, host: people.example, path: \"/{{id}}\"}}\n\
         - match: [{{path: /secure/*}}]\n  redirect: {{scheme: https}}\n\
         - match: [{{path: /robots.txt}}]\n  respond: {{headers: {{X-Team: fin}}, body: \"User-agent: *\"}}\n\
         - match: [{{path: /gone}}]\n  respond: {{status: 410, headers: {{content-type: text/html}}, body: \"<p>\"}}\n\
         - match: [{{path: /quiet}}]\n  respond: {{status: 204}}\n\
         - match: [{{path: /inside/*}}]\n  rewrite: {{host: inside.example, path: /*}}\n  {backend}"
    )))
    .await;
    for (path, status, location) in [
        ("/old", 308, "/new"),
        ("/old/a%2Fb/c?x=%20&y", 308, "/new/a%2Fb/c?x=%20&y"),
        ("/old//a", 308, "/new/a"),
        ("/users/7%208?a", 302, "https://people.example/7%208?a"),
        ("/secure/x?y=1", 302, "https://test.example/secure/x?y=1"),
    ] {
        let answer = get(gateway.address(), path).await;
        assert_eq!((answer.status, answer.header("location")), (status, Some(location)), "{path}");
        assert_eq!(answer.header("content-length"), Some("0"), "{path}");
    }
    let robots = get(gateway.address(), "/robots.txt").await;
    assert_eq!((robots.status, &robots.body[..]), (200, &b"User-agent: *"[..]));
    assert_eq!(robots.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(
        (robots.header("x-team"), robots.header("content-length")),
        (Some("fin"), Some("13"))
    );
    let gone = get(gateway.address(), "/gone").await;
    assert_eq!((gone.status, gone.header("content-type")), (410, Some("text/html")));
    let quiet = get(gateway.address(), "/quiet").await;
    assert_eq!((quiet.status, quiet.header("content-length")), (204, None));
    // The connection goes on after a body that nobody reads, and after HEAD.
    let mut client = fairway_tests::http::Client::connect(gateway.address()).await;
    let post = "POST /robots.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(client.ask(post).await.status, 200);
    client.send("HEAD /robots.txt HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.header("content-length"), Some("13"));
    let inside = client.ask("GET /inside/x HTTP/1.1\r\nHost: out.example\r\n\r\n").await;
    assert_eq!(inside.json()["path"], "/x");
    assert_eq!(got(&inside, "host"), ["inside.example"]);
    assert_eq!(got(&inside, "x-forwarded-host"), ["out.example"]);
}

#[tokio::test]
async fn backends_get_their_shares() {
    let (one, two) = (Echo::start("one").await, Echo::start("two").await);
    let gateway = Gateway::start(&route(&format!(
        "- backends:\n  - {{host: 127.0.0.1, port: {}, weight: 3}}\n  - {{host: 127.0.0.1, port: {}, weight: 1}}",
        one.address.port(),
        two.address.port()
    )))
    .await;
    let mut client = fairway_tests::http::Client::connect(gateway.address()).await;
    for _ in 0..800 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    }
    // 800 draws with a quarter: 200 expected, and beyond 120 to 280 about once in ten billion.
    assert!((120..280).contains(&two.requests()), "{} of 800", two.requests());
    assert_eq!(one.requests() + two.requests(), 800);
}

#[tokio::test]
async fn hosts_must_be_there_and_well_formed() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&fairway_tests::gateway::everything_to(echo.address)).await;
    for (head, status, reason) in [
        ("", 400, "host_missing"),
        ("Host: a\r\nHost: b\r\n", 400, "host_malformed"),
        ("Host: a b\r\n", 400, "host_malformed"),
    ] {
        let answer = ask(gateway.address(), &format!("GET / HTTP/1.1\r\n{head}\r\n")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, reason), "{head:?}");
    }
    let absolute =
        ask(gateway.address(), "GET http://b.example/x HTTP/1.1\r\nHost: B.example\r\n\r\n").await;
    assert_eq!(absolute.json()["headers"]["host"][0], "b.example");
    assert_eq!(absolute.json()["path"], "/x");
}

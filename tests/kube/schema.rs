//! Every rule of the CRD refuses its bad object, with the sentence that says what to write.

use fairway_crds::ServiceRoute;
use kube::api::PostParams;
use serde_json::{Value, json};

use fairway_tests::kube::Kube;

use super::World;

fn good() -> Value {
    json!({
        "apiVersion": "fairway.dev/v1alpha1",
        "kind": "ServiceRoute",
        "metadata": { "name": "x" },
        "spec": {
            "class": "fairway",
            "hosts": ["api.example.com", "*.example.com", "*"],
            "listeners": ["http"],
            "policy": {
                "timeouts": { "request": "1m30s" },
                "headers": {
                    "request": { "set": { "x-id": "{id}" }, "add": { "via": "fairway" }, "remove": ["x-debug"] },
                    "response": { "set": { "cache-control": "no-store" } },
                },
                "limits": { "bodyBytes": 1_048_576, "mode": "Observe" },
                "versions": {
                    "header": "x-api-version", "mediaType": "version", "default": "v1", "mode": "Enforce",
                    "known": [{ "name": "v1", "deprecated": "2026-06-01", "sunset": "2027-01-01", "link": "/v1" }],
                },
                "mirror": [
                    { "service": "finance-next", "port": "http", "percent": 0.5 },
                    { "host": "shadow.example.com", "port": 80, "percent": 100 },
                ],
            },
            "tests": [{
                "request": { "method": "GET", "host": "api.example.com", "path": "/e/1?x=2", "headers": { "x-id": "1" } },
                "expect": { "rule": "one", "backend": "finance", "path": "/x/1?x=2", "status": 404 },
            }],
            "rules": [{
                "name": "one",
                "match": [{
                    "path": "/e/{id}/*", "methods": ["GET"], "version": "v1",
                    "headers": [{ "name": "X-Api-Version", "value": "v2" }],
                    "query": [{ "name": "beta", "present": true }],
                }],
                "rewrite": { "path": "/x/{id}/*" },
                "backends": [
                    { "service": "finance", "port": "http", "weight": 0 },
                    { "host": "api.example.com", "port": 443 },
                ],
            }],
        },
    })
}

/// A pointer into the good object, what stands there instead, and a part of the message.
fn bad() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/spec/class", json!("Fair Way"), "a class is named with lower case letters"),
        ("/spec/hosts/0", json!("a b"), "a host is a name without scheme, port, path or blanks"),
        ("/spec/hosts/0", json!("http://a"), "a host is a name without scheme"),
        ("/spec/hosts/0", json!("a.*.b"), "a * stands only as the whole first label"),
        ("/spec/listeners/0", json!("HTTP"), "a listener is named with lower case letters"),
        ("/spec/rules", json!([]), "should have at least 1 items"),
        ("/spec/rules/0/name", json!("One"), "a rule is named with lower case letters"),
        ("/spec/rules/0/match/0/path", json!("e/fin"), "a path begins with /"),
        ("/spec/rules/0/match/0/path", json!("/e/*/x"), "a * stands only at the end of a path"),
        ("/spec/rules/0/match/0/path", json!("/e?x=1"), "a path holds no query"),
        (
            "/spec/rules/0/match/0/pathRegex",
            json!("/e/.*"),
            "a match has path or pathRegex, not both",
        ),
        (
            "/spec/policy/versions/known/0/sunset",
            json!("1 Jan 2027 12:00"),
            "write a day, 2026-06-01",
        ),
        (
            "/spec/rules/0/match/0/methods/0",
            json!("get it"),
            "a method is one word in capital letters",
        ),
        (
            "/spec/rules/0/match/0/headers/0/name",
            json!("x api"),
            "a header is named with one word of letters, digits and -",
        ),
        (
            "/spec/rules/0/match/0/headers/0/pattern",
            json!("v.*"),
            "one of value, pattern and present",
        ),
        ("/spec/rules/0/match/0/query/0/value", json!("1"), "one of value, pattern and present"),
        (
            "/spec/rules/0/match/0/query/0",
            json!({ "name": "a" }),
            "one of value, pattern and present",
        ),
        ("/spec/rules/0/rewrite/path", json!("x"), "a path begins with /: write /fin/*"),
        ("/spec/rules/0/rewrite/path", json!("/*/x"), "a * stands only at the end of a path"),
        ("/spec/rules/0/backends", json!([]), "should have at least 1 items"),
        ("/spec/rules/0/backends/0", json!({ "port": 80 }), "a backend has either service or host"),
        (
            "/spec/rules/0/backends/0/host",
            json!("a.example"),
            "a backend has either service or host",
        ),
        (
            "/spec/rules/0/backends/1",
            json!({ "host": "a.example" }),
            "a backend with host needs a port",
        ),
        ("/spec/rules/0/backends/1/namespace", json!("x"), "namespace goes with service"),
        (
            "/spec/rules/0/backends/1/host",
            json!("a/b"),
            "the host of a backend is a name or an address",
        ),
        ("/spec/rules/0/backends/0/service", json!("9x"), "the name of a Service"),
        ("/spec/rules/0/backends/0/namespace", json!("A"), "a namespace has lower case letters"),
        ("/spec/rules/0/backends/0/port", json!(70000), "a port is a number from 1 to 65535"),
        ("/spec/rules/0/backends/0/port", json!("Foo Bar"), "a port is a number from 1 to 65535"),
        (
            "/spec/rules/0/backends/0/weight",
            json!(1_000_001),
            "should be less than or equal to 1000000",
        ),
    ]
}

/// The same for policies and tests.
fn bad_policies() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/spec/policy/timeouts/request", json!("15x"), "write 15s, 500ms or 1m30s"),
        ("/spec/tests/0/request/method", json!("get"), "a method is one word in capital letters"),
        ("/spec/tests/0/request/host", json!("*.example.com"), "a host is one name without"),
        ("/spec/tests/0/request/path", json!("e"), "the path of a request begins with /"),
        ("/spec/tests/0/request/path", json!("/e f"), "the path of a request begins with /"),
        ("/spec/tests/0/expect", json!({}), "a test expects something"),
        ("/spec/tests/0/expect/status", json!(600), "less than or equal to 599"),
        ("/spec/policy/versions/mediaType", json!("a b"), "write one word of letters, digits"),
        ("/spec/policy/versions/known/0", json!({ "name": "v1", "link": "/v1" }), "link goes with"),
        ("/spec/policy/limits/mode", json!("Warn"), "Unsupported value"),
        ("/spec/policy/limits/bodyBytes", json!(-1), "greater than or equal to 0"),
        ("/spec/policy/headers/request/remove", json!(["a", "a"]), "Duplicate value"),
    ]
}

/// The same for mirrors.
fn bad_mirrors() -> Vec<(&'static str, Value, &'static str)> {
    let one = json!({ "service": "finance" });
    vec![
        ("/spec/policy/mirror", json!(vec![one; 5]), "must have at most 4 items"),
        ("/spec/policy/mirror/0", json!({ "port": 80 }), "a backend has either service or host"),
        ("/spec/policy/mirror/0/host", json!("a.example"), "a backend has either service or host"),
        (
            "/spec/policy/mirror/1",
            json!({ "host": "a.example" }),
            "a backend with host needs a port",
        ),
        ("/spec/policy/mirror/1/namespace", json!("x"), "namespace goes with service"),
        ("/spec/policy/mirror/1/discovery", json!("dns"), "discovery goes with service"),
        ("/spec/policy/mirror/1/protocol", json!("h2"), "spoken to in http, https, h2c or grpc"),
        (
            "/spec/rules/0/backends/0/protocol",
            json!("tls"),
            "spoken to in http, https, h2c or grpc",
        ),
        ("/spec/policy/mirror/0/percent", json!(100.5), "a percent is a number from 0 to 100"),
        ("/spec/policy/mirror/0/percent", json!(-1), "a percent is a number from 0 to 100"),
        ("/spec/policy/mirror/0/percent", json!(0.00009), "of at least 0.0001 when it is not 0"),
        (
            "/spec/rules/0",
            json!({ "respond": {}, "policy": { "mirror": [{ "service": "finance" }] } }),
            "mirror goes with backends",
        ),
    ]
}

/// The same for TLS with backends.
fn bad_tls() -> Vec<(&'static str, Value, &'static str)> {
    let plain = json!({ "service": "finance", "protocol": "h2c", "tls": {} });
    vec![
        ("/spec/rules/0/backends/0", plain.clone(), "h2c is HTTP/2 without TLS"),
        ("/spec/policy/mirror/0", plain, "h2c is HTTP/2 without TLS"),
        (
            "/spec/rules/0/backends/0/tls",
            json!({ "caConfigMap": "a", "caSecret": "b" }),
            "write caConfigMap or caSecret, not both",
        ),
        ("/spec/rules/0/backends/0/tls", json!({ "caConfigMap": "A" }), "a ConfigMap is named"),
        ("/spec/rules/0/backends/0/tls", json!({ "caSecret": "a/b" }), "a Secret is named"),
        ("/spec/rules/0/backends/0/tls", json!({ "clientSecret": ".a" }), "a Secret is named"),
        (
            "/spec/rules/0/backends/0/tls",
            json!({ "serverName": "*.example.com" }),
            "serverName is one DNS name or address",
        ),
    ]
}

/// The same for what a rule answers itself.
fn bad_answers() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        (
            "/spec/rules/0/redirect",
            json!({ "path": "/x" }),
            "one of backends, redirect and respond",
        ),
        ("/spec/rules/0/respond", json!({}), "one of backends, redirect and respond"),
        ("/spec/rules/0", json!({ "name": "x" }), "one of backends, redirect and respond"),
        (
            "/spec/rules/0",
            json!({ "rewrite": { "path": "/x" }, "redirect": { "path": "/x" } }),
            "rewrite goes with backends",
        ),
        ("/spec/rules/0", json!({ "redirect": { "status": 301 } }), "a redirect changes something"),
        ("/spec/rules/0", json!({ "redirect": { "scheme": "ftp" } }), "Unsupported value"),
        (
            "/spec/rules/0",
            json!({ "redirect": { "path": "/", "status": 300 } }),
            "Unsupported value",
        ),
        ("/spec/rules/0", json!({ "redirect": { "host": "a:80" } }), "a host is one name"),
        ("/spec/rules/0", json!({ "respond": { "status": 101 } }), "greater than or equal to 200"),
        ("/spec/rules/0/rewrite/host", json!("*.a"), "a host is one name"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_refuses_its_bad_object_with_its_message() {
    let world = World::start().await;
    let api = world.kube.routes("market");
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let create = |object: Value| {
        let request = http::Request::post(
            "/apis/fairway.dev/v1alpha1/namespaces/market/serviceroutes?dryRun=All",
        );
        let request = request.header("content-type", "application/json");
        let client = world.kube.client.clone();
        let body = serde_json::to_vec(&object).unwrap();
        async move { client.request::<Value>(request.body(body).unwrap()).await }
    };
    create(good()).await.unwrap();
    let typed: ServiceRoute = serde_json::from_value(good()).unwrap();
    api.create(&dry, &typed).await.unwrap();
    for (pointer, value, expected) in
        [bad(), bad_policies(), bad_mirrors(), bad_tls(), bad_answers()].concat()
    {
        let mut object = good();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let place = object.pointer_mut(parent).unwrap();
        match key.parse::<usize>() {
            Ok(index) => place[index] = value.clone(),
            Err(_) => place[key] = value.clone(),
        }
        let refused = create(object).await.expect_err(pointer).to_string();
        assert!(refused.contains(expected), "{pointer} = {value}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_valid_and_every_field_is_explained() {
    let kube = Kube::start().await;
    kube.namespace("market").await;
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/samples/quickstart");
    for namespace in ["apply", "create"] {
        let args = [namespace, "-f", samples, "--dry-run=server", "--validate=strict"];
        let (code, said) = kube.kubectl(&args, "");
        assert_eq!(code, 0, "{said}");
    }
    for field in [
        "",
        ".spec",
        ".spec.rules",
        ".spec.rules.match",
        ".spec.rules.match.headers",
        ".spec.rules.match.query",
        ".spec.rules.redirect",
        ".spec.rules.respond",
        ".spec.rules.backends",
        ".spec.policy.timeouts",
        ".spec.policy.headers.request",
        ".spec.policy.limits",
        ".spec.policy.mirror",
        ".status",
    ] {
        let (code, said) = kube.kubectl(&["explain", &format!("serviceroute{field}")], "");
        assert_eq!(code, 0, "{said}");
        assert!(!said.contains("<no description>"), "{said}");
    }
}

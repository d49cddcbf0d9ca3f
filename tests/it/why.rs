//! `why` says of random requests on random worlds what the running gateway then does: the same
//! rule, path, host and one of the backends that it lists.

use std::collections::HashMap;
use std::path::Path;

use fairway_snapshot::why::WhyView;
use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::{Answer, Client, ask};
use fairway_tests::origin::Echo;
use fastrand::Rng;
use serde_json::{Value, json};

const HOSTS: [&str; 4] = ["*", "a.example", "*.example", "*.b.example"];
const ASKED_HOSTS: [&str; 5] = ["a.example", "A.Example.:80", "x.b.example", "b.example", "other"];
const PATHS: [&str; 14] = [
    "/*",
    "/a",
    "/a/",
    "/a/*",
    "/a/b",
    "/a/b/*",
    "/{x}",
    "/{x}/b",
    "/a/{y}",
    "/{x}/*",
    "/a/{y}/*",
    "/주가/*",
    "~/a/.*",
    "~/(?:a|z)/b",
];
const ASKED_PATHS: [&str; 12] = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/b/c",
    "/z",
    "/z/b",
    "/a/z/c",
    "/%61/./b",
    "/a//b",
    "/주가/x",
    "/a%zz",
];
const METHODS: [&[&str]; 4] = [&[], &["GET"], &["POST", "PUT"], &["GET", "HEAD"]];
const ASKED_METHODS: [&str; 5] = ["GET", "HEAD", "POST", "OPTIONS", "DELETE"];
const HEADERS: [&str; 6] =
    ["x-v: 1", "x-v: 22", "x-other: y", "x-api-version: v2", "x-api-version: v9", ""];
const QUERIES: [&str; 4] = ["", "?b", "?a=1&b=2", "?b=1"];

/// How many worlds are tried, and requests in each: a longer run is asked for by variables.
fn size() -> (u64, usize) {
    let number = |name: &str, usual: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let requests = number("WHY_REQUESTS", 50);
    (number("WHY_WORLDS", 12), usize::try_from(requests).unwrap())
}

fn one<'a, T: ?Sized>(random: &mut Rng, of: &[&'a T]) -> &'a T {
    of[random.usize(..of.len())]
}

fn condition(random: &mut Rng, name: &str) -> Value {
    match random.u8(..4) {
        0 => json!({ "name": name, "value": "1" }),
        1 => json!({ "name": name, "pattern": "[0-9]+" }),
        2 => json!({ "name": name, "present": true }),
        _ => json!({ "name": name, "present": false }),
    }
}

fn matched(random: &mut Rng) -> Value {
    let mut matched = json!({});
    let path = one(random, &PATHS);
    match path.strip_prefix('~') {
        Some(regex) => matched["pathRegex"] = regex.into(),
        None => matched["path"] = path.into(),
    }
    let methods = one(random, &METHODS);
    if !methods.is_empty() {
        matched["methods"] = json!(methods);
    }
    if random.u8(..6) == 0 {
        matched["version"] = one(random, &["v1", "v2"]).into();
    }
    if random.u8(..4) == 0 {
        matched["headers"] = json!([condition(random, "x-v")]);
    }
    if random.u8(..4) == 0 {
        matched["query"] = json!([condition(random, "b")]);
    }
    matched
}

fn rule(random: &mut Rng, origins: &[Echo]) -> Value {
    let matches: Vec<Value> = (0..random.usize(1..3)).map(|_| matched(random)).collect();
    let mut rule = json!({ "match": matches });
    let backend = |origin: &Echo, weight: u32| json!({ "host": "127.0.0.1", "port": origin.address.port(), "weight": weight });
    match random.u8(..8) {
        0 => rule["redirect"] = json!({ "path": "/moved", "status": 307 }),
        1 => rule["respond"] = json!({ "status": 299, "body": "here" }),
        2 => rule["backends"] = json!([backend(&origins[0], 0)]),
        number => {
            rule["backends"] = json!([backend(&origins[0], 1), backend(&origins[1], 2)]);
            if number > 5 {
                rule["rewrite"] = json!({ "path": "/rewritten", "host": "inner.example" });
            }
        }
    }
    rule
}

fn world(random: &mut Rng, origins: &[Echo]) -> Vec<Value> {
    let object = |number: usize, random: &mut Rng| {
        let hosts: Vec<&str> = (0..random.usize(..3)).map(|_| one(random, &HOSTS)).collect();
        let rules: Vec<Value> = (0..random.usize(1..5)).map(|_| rule(random, origins)).collect();
        let versions = json!({ "versions": { "default": "v1", "known": [{ "name": "v1" }, { "name": "v2" }] } });
        let policy = if random.bool() { versions } else { json!({}) };
        let created = format!("2026-01-0{}T00:00:00Z", random.u8(1..4));
        json!({
            "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
            "metadata": { "name": format!("object-{number}"), "namespace": "ns",
                "creationTimestamp": created },
            "spec": { "hosts": hosts, "rules": rules, "policy": policy },
        })
    };
    (0..random.usize(1..5)).map(|number| object(number, random)).collect()
}

async fn write(folder: &Path, world: &[Value], fairway: &Fairway) {
    let revision = || async {
        let ready = fairway_tests::http::get(fairway.status, "/readyz").await;
        ready.json()["revision"].as_u64()
    };
    let before = revision().await;
    // A list is one document, and the file is there as a whole or not at all.
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": world });
    std::fs::write(folder.join("new"), list.to_string()).unwrap();
    std::fs::rename(folder.join("new"), folder.join("world.json")).unwrap();
    eventually("the world is live", || async { (revision().await != before).then_some(()) }).await;
}

struct Asked {
    text: String,
    why: WhyView,
    answer: Answer,
}

async fn asked(random: &mut Rng, fairway: &Fairway, client: &mut Client, name: &str) -> Asked {
    let (method, host) = (one(random, &ASKED_METHODS), one(random, &ASKED_HOSTS));
    let (path, query) = (one(random, &ASKED_PATHS), one(random, &QUERIES));
    let headers: Vec<&str> = (0..random.usize(..3)).map(|_| one(random, &HEADERS)).collect();
    let headers: Vec<&str> = headers.into_iter().filter(|line| !line.is_empty()).collect();
    let question = json!({ "method": method, "url": format!("http://{host}{path}{query}"),
        "headers": headers, "listener": "http" });
    let body = question.to_string();
    let post = format!(
        "POST /why HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        fairway.admin,
        body.len()
    );
    let why = client.ask(&post).await;
    assert_eq!(why.status, 200, "{question}: {}", String::from_utf8_lossy(&why.body));
    let why: WhyView = serde_json::from_slice(&why.body).unwrap();
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!(
        "{method} {path}{query} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {name}\r\n{lines}\r\n"
    );
    let answer = ask(fairway.address, &request).await;
    Asked { text: request, why, answer }
}

/// Holds an answer of the gateway against what was foretold.
fn compare(asked: &Asked, log: &Value) {
    let Asked { text, why, answer } = asked;
    let outcome = &why.outcome;
    let told = format!("{text}{why:#?}\n{answer:?}\n{log}");
    let rule = log["rule"]
        .as_str()
        .map(|rule| format!("{}/{rule}", log["route"].as_str().unwrap_or_default()));
    assert_eq!(rule, outcome.rule, "{told}");
    match outcome.status {
        Some(status) => {
            assert_eq!(answer.status, status, "{told}");
            assert_eq!(answer.header("location"), outcome.location.as_deref(), "{told}");
            assert_eq!(answer.header("allow"), outcome.allow.as_deref(), "{told}");
        }
        None => {
            let backend = log["backend"].as_str().unwrap_or_default();
            let listed = outcome.backends.iter().any(|listed| listed.reference == backend);
            assert!(listed && answer.status == 200, "{told}");
            if !text.starts_with("HEAD") {
                let got = answer.json();
                let query = got["query"].as_str().map(|query| format!("?{query}"));
                let path = got["path"].as_str().unwrap().to_owned() + &query.unwrap_or_default();
                assert_eq!(Some(path), outcome.path, "{told}");
                assert_eq!(got["headers"]["host"][0].as_str(), outcome.host.as_deref(), "{told}");
            }
        }
    }
    let wins =
        why.candidates.iter().filter(|one| one.verdict == fairway_snapshot::why::Verdict::Wins);
    assert_eq!(wins.count(), usize::from(outcome.rule.is_some()), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_why_says_is_what_happens() {
    let (worlds, requests) = size();
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("routes");
    std::fs::create_dir(&manifests).unwrap();
    let origins = [Echo::start("one").await, Echo::start("two").await];
    let mut random = Rng::with_seed(worlds);
    std::fs::write(
        manifests.join("world.json"),
        json!(world(&mut random, &origins)[0]).to_string(),
    )
    .unwrap();
    let fairway = Fairway::start(&[format!("--manifests={}", manifests.display())]).await;
    let mut client = Client::connect(fairway.admin).await;
    let mut all = Vec::new();
    for _ in 0..worlds {
        let world = world(&mut random, &origins);
        write(&manifests, &world, &fairway).await;
        for _ in 0..requests {
            let name = format!("why-{}", all.len());
            all.push(asked(&mut random, &fairway, &mut client, &name).await);
        }
    }
    let log: HashMap<String, Value> = eventually("every request is logged", || async {
        let lines = fairway.access_log().into_iter();
        let by_name: HashMap<String, Value> = lines
            .filter_map(|line| Some((line["user_agent"].as_str()?.to_owned(), line)))
            .collect();
        (by_name.len() == all.len()).then_some(by_name)
    })
    .await;
    for (number, one) in all.iter().enumerate() {
        compare(one, &log[&format!("why-{number}")]);
    }
    let won = all.iter().filter(|one| one.why.outcome.rule.is_some()).count();
    assert!(won > all.len() / 4, "{won} of {} requests met a rule", all.len());
}

//! Which endpoints a Service has, as a table of slices.

use serde_json::{Value, json};

use super::*;

fn slice(endpoints: &Value, ports: &Value) -> Slice {
    let written: WrittenSlice = serde_json::from_value(json!({
        "metadata": { "labels": { "kubernetes.io/service-name": "finance", "a": "b" } },
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    }))
    .unwrap();
    Slice::from(written)
}

/// An endpoint whose conditions are written as `ready serving terminating`, `-` for missing.
fn endpoint(address: &str, conditions: &str) -> Value {
    let words: Vec<&str> = conditions.split(' ').collect();
    let names = ["ready", "serving", "terminating"];
    let given = names.iter().zip(words).filter(|(_, word)| *word != "-");
    let map: serde_json::Map<String, Value> =
        given.map(|(name, word)| ((*name).to_owned(), json!(word == "yes"))).collect();
    json!({ "addresses": [address], "conditions": map, "nodeName": "n", "targetRef": {} })
}

fn found(endpoints: &[(&str, &str)]) -> Vec<String> {
    let endpoints: Vec<Value> = endpoints.iter().map(|(a, c)| endpoint(a, c)).collect();
    let made = slice(&json!(endpoints), &json!([{ "name": "http", "port": 8080 }]));
    let slices = BTreeMap::from([(Arc::from("one"), made)]);
    addresses(Some(&slices), Some("http")).iter().map(ToString::to_string).collect()
}

#[test]
fn conditions_decide_who_gets_requests() {
    for (endpoints, expected) in [
        // What nobody says is good.
        (&[("10.0.0.1", "- - -")][..], &["10.0.0.1:8080"][..]),
        (
            &[("10.0.0.2", "yes yes no"), ("10.0.0.1", "yes - -")],
            &["10.0.0.1:8080", "10.0.0.2:8080"],
        ),
        (&[("10.0.0.1", "no no no")], &[]),
        (&[("10.0.0.1", "no yes no")], &[]),
        // Who ends is used only where nobody is ready.
        (&[("10.0.0.1", "no yes yes"), ("10.0.0.2", "yes yes no")], &["10.0.0.2:8080"]),
        (&[("10.0.0.1", "no yes yes"), ("10.0.0.2", "no no yes")], &["10.0.0.1:8080"]),
        (&[("10.0.0.1", "no - yes")], &[]),
        // A Service that publishes those that are not ready says ready of them while they end.
        (&[("10.0.0.1", "yes yes yes"), ("10.0.0.2", "yes yes no")], &["10.0.0.2:8080"]),
        // One family, the first that has any.
        (&[("fd00::1", "yes - -"), ("10.0.0.1", "yes - -")], &["10.0.0.1:8080"]),
        (&[("fd00::1", "yes - -"), ("10.0.0.1", "no no no")], &["[fd00::1]:8080"]),
        (&[("fd00::1", "yes - -"), ("10.0.0.1", "no yes yes")], &["[fd00::1]:8080"]),
        (&[("example.com", "yes - -")], &[]),
        (&[], &[]),
    ] {
        assert_eq!(found(endpoints), expected, "{endpoints:?}");
    }
}

#[test]
fn the_port_is_the_one_of_the_name_in_each_slice() {
    let ready = json!([endpoint("10.0.0.1", "- - -")]);
    let other = json!([endpoint("10.0.0.2", "- - -")]);
    let slices = BTreeMap::from([
        (
            Arc::from("a"),
            slice(&ready, &json!([{ "name": "http", "port": 1 }, { "name": "admin", "port": 2 }])),
        ),
        // Pods of one Service may name a port of another number.
        (
            Arc::from("b"),
            slice(&other, &json!([{ "name": "http", "port": 3 }, { "name": "", "port": 4 }])),
        ),
        (
            Arc::from("c"),
            slice(
                &ready,
                &json!([{ "name": "udp", "port": 5, "protocol": "UDP" }, { "name": "any" }]),
            ),
        ),
    ]);
    let found = |port: Option<&str>| -> Vec<String> {
        addresses(Some(&slices), port).iter().map(ToString::to_string).collect()
    };
    assert_eq!(found(Some("http")), ["10.0.0.1:1", "10.0.0.2:3"]);
    assert_eq!(found(Some("admin")), ["10.0.0.1:2"]);
    assert_eq!(found(None), ["10.0.0.2:4"]);
    for missing in ["udp", "any", "nobody"] {
        assert_eq!(found(Some(missing)), [""; 0], "{missing}");
    }
    assert!(addresses(None, Some("http")).is_empty());
}

#[test]
fn a_list_that_did_not_change_is_the_same_value() {
    let service = ObjectId::new("market", "finance");
    let of = |address: &str| {
        let made = slice(&json!([endpoint(address, "- - -")]), &json!([{ "port": 1 }]));
        BTreeMap::from([(service.clone(), BTreeMap::from([(Arc::from("one"), made)]))])
    };
    let id = UpstreamId::from("told:finance.market:80");
    let wanted = BTreeMap::from([(id.clone(), Wanted { service: service.clone(), port: None })]);
    let first = address_sets(&wanted, &of("10.0.0.1"), &AddressSets::new());
    let again = address_sets(&wanted, &of("10.0.0.1"), &first);
    assert!(Arc::ptr_eq(&first[&id], &again[&id]));
    let other = address_sets(&wanted, &of("10.0.0.2"), &first);
    assert_ne!(first[&id], other[&id]);
    assert!(address_sets(&BTreeMap::new(), &of("10.0.0.1"), &first).is_empty());
}

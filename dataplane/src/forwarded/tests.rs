//! What backends are told, compared with RFC 7239.

use http::{HeaderMap, HeaderValue};

use super::{Forwarded, request_id};

fn apply(peer: &str, given: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        headers.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    Forwarded::new(peer.parse().unwrap(), "10.0.0.1:8080".parse().unwrap()).apply(&mut headers);
    headers
}

#[test]
fn the_client_is_named_and_what_it_claimed_is_replaced() {
    let headers = apply(
        "192.0.2.7:4711",
        &[
            ("host", "api.example.com:8080"),
            ("x-forwarded-for", "1.1.1.1"),
            ("forwarded", "for=evil"),
            ("x-forwarded-host", "evil"),
        ],
    );
    assert_eq!(headers["forwarded"], "for=192.0.2.7;host=\"api.example.com:8080\";proto=http");
    assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
    assert_eq!(headers["x-forwarded-host"], "api.example.com:8080");
    assert_eq!(headers["x-forwarded-port"], "8080");
    assert_eq!(headers["x-forwarded-proto"], "http");
}

#[test]
fn an_address_of_version_6_stands_in_brackets_and_quotes() {
    let headers = apply("[2001:db8::7]:4711", &[]);
    assert_eq!(headers["forwarded"], "for=\"[2001:db8::7]\";proto=http");
    assert_eq!(headers["x-forwarded-for"], "2001:db8::7");
    assert!(!headers.contains_key("x-forwarded-host"));
}

#[test]
fn a_mapped_address_is_told_as_version_4() {
    assert_eq!(apply("[::ffff:192.0.2.7]:1", &[])["x-forwarded-for"], "192.0.2.7");
}

#[test]
fn a_second_host_on_one_connection_is_told_too() {
    let forwarded = Forwarded::new("192.0.2.7:1".parse().unwrap(), "10.0.0.1:80".parse().unwrap());
    for host in ["a.example", "b.example", "a.example"] {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_str(host).unwrap());
        forwarded.apply(&mut headers);
        assert_eq!(
            headers["forwarded"].to_str().unwrap(),
            format!("for=192.0.2.7;host=\"{host}\";proto=http")
        );
    }
}

#[test]
fn request_ids_are_version_7_and_sort_by_time() {
    let earlier = request_id(1_700_000_000_000);
    let later = request_id(1_700_000_000_001);
    assert!(earlier.as_str() < later.as_str());
    assert_eq!(earlier.as_str().len(), 36);
    assert_eq!(&earlier.as_str()[14..15], "7");
    assert_ne!(request_id(1).as_str(), request_id(1).as_str());
    assert_eq!(earlier.header().to_str().unwrap(), earlier.as_str());
}

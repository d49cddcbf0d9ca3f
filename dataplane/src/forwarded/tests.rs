//! What backends are told, compared with RFC 7239.

use http::HeaderMap;

use super::{Forwarded, Trust, request_id};
use crate::fields::{Fields, Known};

fn apply(peer: &str, given: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers: Fields = given.iter().copied().collect();
    Forwarded::new(peer.parse().unwrap(), "10.0.0.1:8080".parse().unwrap(), false)
        .apply(&mut headers, None);
    headers.to_map(0)
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
    let forwarded =
        Forwarded::new("192.0.2.7:1".parse().unwrap(), "10.0.0.1:80".parse().unwrap(), false);
    for host in ["a.example", "a.example", "b.example", "", "a.example"] {
        let mut headers: Fields =
            [("host", host)].into_iter().filter(|(_, host)| !host.is_empty()).collect();
        forwarded.apply(&mut headers, None);
        headers.add("x-behind", b"1");
        let named = if host.is_empty() { String::new() } else { format!(";host=\"{host}\"") };
        let mut expected = vec![
            ("forwarded", format!("for=192.0.2.7{named};proto=http")),
            ("x-forwarded-for", "192.0.2.7".to_owned()),
            ("x-forwarded-proto", "http".to_owned()),
            ("x-forwarded-port", "80".to_owned()),
        ];
        if !host.is_empty() {
            expected.insert(0, ("host", host.to_owned()));
            expected.push(("x-forwarded-host", host.to_owned()));
        }
        expected.push(("x-behind", "1".to_owned()));
        let told = headers.iter().map(|field| (field.name, field.value));
        assert!(told.eq(expected.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))));
        // What was taken over is found by its number too.
        assert_eq!(headers.contains(Known::XForwardedHost), !host.is_empty());
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
    assert_eq!(earlier.bytes(), earlier.as_str().as_bytes());
}

/// What `X-Forwarded-For` becomes, for hops and networks, from a peer and a list.
#[test]
fn the_client_is_found_behind_whom_the_operator_trusts() {
    let near = "10.0.0.0/8";
    for (hops, networks, peer, list, client, passed_on) in [
        // Nobody is trusted, or not this peer.
        (0, "", "10.0.0.2", "1.1.1.1", "10.0.0.2", "10.0.0.2"),
        (0, near, "192.0.2.1", "1.1.1.1", "192.0.2.1", "192.0.2.1"),
        (1, near, "192.0.2.1", "1.1.1.1", "192.0.2.1", "192.0.2.1"),
        // As many hops as were said; what stands left of the client could be anybody's.
        (1, "", "10.0.0.2", "", "10.0.0.2", "10.0.0.2"),
        (1, "", "10.0.0.2", "6.6.6.6, 1.1.1.1", "1.1.1.1", "1.1.1.1, 10.0.0.2"),
        (2, "", "10.0.0.2", "6.6.6.6, 1.1.1.1,10.0.0.3", "1.1.1.1", "1.1.1.1, 10.0.0.3, 10.0.0.2"),
        (2, "", "10.0.0.2", "1.1.1.1", "1.1.1.1", "1.1.1.1, 10.0.0.2"),
        (2, near, "10.0.0.2", "6.6.6.6, 1.1.1.1, 2.2.2.2", "1.1.1.1", "1.1.1.1, 2.2.2.2, 10.0.0.2"),
        // Back to the first that is not trusted.
        (
            0,
            near,
            "10.0.0.2",
            "6.6.6.6, 1.1.1.1, 10.0.0.3",
            "1.1.1.1",
            "1.1.1.1, 10.0.0.3, 10.0.0.2",
        ),
        (0, near, "10.0.0.2", "10.0.0.4, 10.0.0.3", "10.0.0.4", "10.0.0.4, 10.0.0.3, 10.0.0.2"),
        // Addresses as proxies write them, and what is none.
        (1, "", "10.0.0.2", "1.1.1.1:4711", "1.1.1.1", "1.1.1.1, 10.0.0.2"),
        (1, "", "10.0.0.2", "[2001:db8::7]:4711", "2001:db8::7", "2001:db8::7, 10.0.0.2"),
        (1, "", "10.0.0.2", "2001:db8::7", "2001:db8::7", "2001:db8::7, 10.0.0.2"),
        (1, "", "10.0.0.2", "::ffff:1.1.1.1", "1.1.1.1", "1.1.1.1, 10.0.0.2"),
        (2, "", "10.0.0.2", "1.1.1.1, unknown", "10.0.0.2", "10.0.0.2"),
        (2, "", "10.0.0.2", "unknown, 1.1.1.1", "1.1.1.1", "1.1.1.1, 10.0.0.2"),
        (1, "", "10.0.0.2", "1.1.1.1, ", "10.0.0.2", "10.0.0.2"),
    ] {
        let networks = networks.split_terminator(' ').map(|text| text.parse().unwrap()).collect();
        let trust = Trust { hops, networks };
        let peer = std::net::SocketAddr::new(peer.parse().unwrap(), 4711);
        let mut headers = [("x-forwarded-for", list)].into_iter().collect();
        let told = trust.believes(peer).then(|| trust.read(&headers));
        let found = told.as_ref().and_then(super::Told::client).unwrap_or(peer.ip());
        assert_eq!(found.to_string(), client, "{list}");
        Forwarded::new(peer, "10.0.0.1:80".parse().unwrap(), false)
            .apply(&mut headers, told.as_ref());
        assert_eq!(headers.to_map(0)["x-forwarded-for"], passed_on, "{list}");
    }
    // Several fields are one list.
    let trust = Trust { hops: 2, networks: Vec::new() };
    let lists = ["6.6.6.6, 1.1.1.1", "2.2.2.2"];
    let headers = lists.map(|list| ("x-forwarded-for", list)).into_iter().collect();
    assert_eq!(trust.read(&headers).client(), Some("1.1.1.1".parse().unwrap()));
}

#[test]
fn who_is_believed_and_who_may_announce() {
    for (hops, networks, peer, believed, named) in [
        (0, "", "10.0.0.2", false, false),
        (1, "", "10.0.0.2", true, false),
        (0, "10.0.0.0/8", "10.0.0.2", true, true),
        (0, "10.0.0.0/8", "::ffff:10.0.0.2", true, true),
        (0, "10.0.0.0/8", "11.0.0.2", false, false),
        (3, "10.0.0.0/8", "11.0.0.2", false, false),
        (3, "10.0.0.0/8 2001:db8::/32", "2001:db8::1", true, true),
        (0, "0.0.0.0/0", "2001:db8::1", false, false),
    ] {
        let networks = networks.split_terminator(' ').map(|text| text.parse().unwrap()).collect();
        let trust = Trust { hops, networks };
        let peer = std::net::SocketAddr::new(peer.parse().unwrap(), 1);
        assert_eq!((trust.believes(peer), trust.names(peer)), (believed, named), "{peer}");
    }
}

#[test]
fn a_list_without_end_is_read_so_far() {
    let near: fairway_snapshot::Network = "10.0.0.0/8".parse().unwrap();
    let trust = Trust { hops: 0, networks: vec![near] };
    let all: Vec<String> = (0..40).map(|number| format!("10.0.0.{number}")).collect();
    let headers = [("x-forwarded-for", all.join(", "))].into_iter().collect();
    // The last 32 are looked at.
    assert_eq!(trust.read(&headers).client(), Some("10.0.0.8".parse().unwrap()));
}

#[test]
fn what_stands_twice_or_is_no_such_value_is_not_believed() {
    let trust = Trust { hops: 1, networks: Vec::new() };
    for (name, values, expected) in [
        ("x-forwarded-proto", &["https", "https"][..], ["http", "a.example", "8080"]),
        ("x-forwarded-proto", &["ftp"], ["http", "a.example", "8080"]),
        ("x-forwarded-proto", &[" https "], ["https", "a.example", "443"]),
        ("x-forwarded-host", &["b.example", "b.example"], ["http", "a.example", "8080"]),
        ("x-forwarded-host", &["b.example:1"], ["http", "b.example:1", "8080"]),
        ("x-forwarded-port", &["1", "1"], ["http", "a.example", "8080"]),
        ("x-forwarded-port", &["65536"], ["http", "a.example", "8080"]),
        ("x-forwarded-port", &["0"], ["http", "a.example", "8080"]),
        ("x-forwarded-port", &["81"], ["http", "a.example", "81"]),
    ] {
        let mut headers: Fields = [("host", "a.example")].into_iter().collect();
        for value in values {
            headers.add(name, value.as_bytes());
        }
        let told = trust.read(&headers);
        Forwarded::new("10.0.0.2:4711".parse().unwrap(), "10.0.0.1:8080".parse().unwrap(), false)
            .apply(&mut headers, Some(&told));
        let names = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"];
        let headers = headers.to_map(0);
        let got = names.map(|name| headers[name].to_str().unwrap());
        assert_eq!(got, expected, "{name} {values:?}");
    }
    let headers = [("x-request-id", "abc"); 2].into_iter().collect();
    assert!(trust.read(&headers).id().is_none());
}

/// Scheme, host and port, as a trusted peer names them, and what `Forwarded` says of it.
#[test]
fn a_trusted_peer_says_how_the_client_came() {
    let trust = Trust { hops: 1, networks: Vec::new() };
    for (given, expected) in [
        (
            &[("x-forwarded-for", "2001:db8::7"), ("x-forwarded-proto", "HTTPS")][..],
            [
                "https",
                "a.example",
                "443",
                "for=\"[2001:db8::7]\";host=\"a.example\";proto=https, for=10.0.0.2",
            ],
        ),
        (
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "api.example:8443"),
                ("x-forwarded-port", "8443"),
            ],
            [
                "https",
                "api.example:8443",
                "8443",
                "for=10.0.0.2;host=\"api.example:8443\";proto=https",
            ],
        ),
        (
            &[("x-forwarded-proto", "http")],
            ["http", "a.example", "80", "for=10.0.0.2;host=\"a.example\";proto=http"],
        ),
        // What says nothing, or too much, is not taken.
        (
            &[
                ("x-forwarded-proto", "https,http"),
                ("x-forwarded-host", "a b"),
                ("x-forwarded-port", "0"),
                ("forwarded", "for=6.6.6.6"),
            ],
            ["http", "a.example", "8080", "for=10.0.0.2;host=\"a.example\";proto=http"],
        ),
    ] {
        let host = [("host", "a.example")];
        let mut headers: Fields = host.iter().chain(given).copied().collect();
        let told = trust.read(&headers);
        Forwarded::new("10.0.0.2:4711".parse().unwrap(), "10.0.0.1:8080".parse().unwrap(), false)
            .apply(&mut headers, Some(&told));
        let headers = headers.to_map(0);
        let names = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded"];
        assert_eq!(names.map(|name| headers[name].to_str().unwrap()), expected, "{given:?}");
    }
}

#[test]
fn an_id_that_a_trusted_peer_gave_is_kept() {
    let trust = Trust { hops: 1, networks: Vec::new() };
    let long = "x".repeat(65);
    for (given, kept) in [
        ("01890a5d-ac96-774b-bcce-b302099a8057", true),
        ("Root=1-67891233-abcdef", true),
        (&long[..64], true),
        (&long, false),
        ("", false),
        ("a b", false),
        ("a\"b", false),
    ] {
        let headers = [("x-request-id", given)].into_iter().collect();
        let id = trust.read(&headers).id();
        assert_eq!(id.map(|id| id.as_str().to_owned()), kept.then(|| given.to_owned()));
    }
}

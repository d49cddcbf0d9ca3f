//! Hosts as clients send them.

use http::{Method, Version};

use super::host;
use crate::error::ProxyError;
use crate::message::RequestHead;

fn read(target: &str, hosts: &[&str], version: Version) -> Result<String, ProxyError> {
    let headers = hosts.iter().map(|value| ("host", value)).collect();
    let target = target.parse().unwrap();
    let mut head = RequestHead { method: Method::GET, target, version, headers };
    host(&mut head).map(|host| host.to_owned())
}

#[test]
fn hosts_are_read_without_port_and_case() {
    let cases = [
        ("api.example.com", "api.example.com"),
        ("API.Example.com:8080", "api.example.com"),
        ("api.example.com.", "api.example.com"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[2001:DB8::1]:80", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
        ("a:", "a"),
    ];
    for (given, expected) in cases {
        assert_eq!(read("/", &[given], Version::HTTP_11).unwrap(), expected, "{given}");
    }
}

#[test]
fn malformed_hosts_are_refused() {
    for given in
        ["a b", "a,b", "user@a", "a/b", "a:b", "a:123456", ":80", "[::1", "[::1]x", "[g]", "a\"b"]
    {
        let refused = read("/", &[given], Version::HTTP_11);
        assert!(matches!(refused, Err(ProxyError::BadHost)), "{given}");
    }
    assert!(matches!(read("/", &["a", "a"], Version::HTTP_11), Err(ProxyError::BadHost)));
    assert!(matches!(read("/", &[], Version::HTTP_11), Err(ProxyError::NoHost)));
    assert_eq!(read("/", &[], Version::HTTP_10).unwrap(), "");
}

#[test]
fn an_absolute_target_and_the_header_name_the_same() {
    let read = |hosts: &[&str]| read("http://B.example:1/x", hosts, Version::HTTP_11);
    assert_eq!(read(&["b.example:1"]).unwrap(), "b.example");
    assert!(matches!(read(&[]), Err(ProxyError::NoHost)));
    for other in ["a.example:1", "b.example", "b.example:2", ""] {
        assert!(matches!(read(&[other]), Err(ProxyError::BadHost)), "{other}");
    }
}

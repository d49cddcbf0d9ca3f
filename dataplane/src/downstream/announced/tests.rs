//! What the specification's text says is read so, and nothing else is.

use proptest::prelude::*;

use super::{Announced, HEAD, MAX_LINE, MAX_REST, SIGNATURE, parse};
use crate::error::MessageProblem::{self, NoProxyProtocol, ProxyProtocol};

fn client(from: &str, to: &str) -> Announced {
    Announced::Client { from: from.parse().unwrap(), to: to.parse().unwrap() }
}

/// Version 2 with this second half of the head.
fn binary(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[version, family], &length, rest].concat()
}

const FOUR: &[u8] = &[192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xBB];

fn six() -> Vec<u8> {
    let address = |last: u8| [&[0x20, 0x01, 0x0D, 0xB8][..], &[0; 11], &[last]].concat();
    [address(7), address(1), vec![0x12, 0x67, 0x01, 0xBB]].concat()
}

/// What comes behind an announcement is not touched; any part of one asks for more.
fn check(bytes: &[u8], expected: Result<Announced, MessageProblem>) {
    let told = String::from_utf8_lossy(bytes).into_owned();
    let all = [bytes, b"GET / HTTP/1.1\r\n\r\n"].concat();
    match expected {
        Ok(announced) => {
            assert_eq!(parse(&all), Ok(Some((announced, bytes.len()))), "{told}");
            for length in 0..bytes.len() {
                assert_eq!(parse(&bytes[..length]), Ok(None), "{length} of {told}");
            }
        }
        Err(problem) => assert_eq!(parse(&all), Err(problem), "{told}"),
    }
}

const MOST: usize = HEAD + MAX_REST;

#[test]
fn lines_are_read_strictly() {
    let long = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    let four = client("192.0.2.7:4711", "10.0.0.1:443");
    let greatest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n", Ok(four)),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 0 65535\r\n", Ok(client("192.0.2.7:0", "10.0.0.1:65535"))),
        ("PROXY TCP6 2001:db8::7 ::1 4711 443\r\n", Ok(client("[2001:db8::7]:4711", "[::1]:443"))),
        (
            &format!("PROXY TCP6 {greatest} {greatest} 65535 65535\r\n"),
            Ok(client(&format!("[{greatest}]:65535"), &format!("[{greatest}]:65535"))),
        ),
        ("PROXY UNKNOWN\r\n", Ok(Announced::Own)),
        ("PROXY UNKNOWN whatever it says\r\n", Ok(Announced::Own)),
        (&long(MAX_LINE), Ok(Announced::Own)),
        (&long(MAX_LINE + 1), Err(ProxyProtocol)),
        ("PROXY UNKNOWNS\r\n", Err(ProxyProtocol)),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\n", Err(ProxyProtocol)),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\r\n", Err(ProxyProtocol)),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 4711 443 \r\n", Err(ProxyProtocol)),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n", Err(ProxyProtocol)),
        ("PROXY TCP4  192.0.2.7 10.0.0.1 4711 443\r\n", Err(ProxyProtocol)),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 04711 443\r\n", Err(ProxyProtocol)),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 +4711 443\r\n", Err(ProxyProtocol)),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 4711 65536\r\n", Err(ProxyProtocol)),
        ("PROXY TCP4 192.0.2.07 10.0.0.1 4711 443\r\n", Err(ProxyProtocol)),
        ("PROXY TCP4 ::1 ::1 4711 443\r\n", Err(ProxyProtocol)),
        ("PROXY TCP6 192.0.2.7 10.0.0.1 4711 443\r\n", Err(ProxyProtocol)),
        ("PROXY UDP4 192.0.2.7 10.0.0.1 4711 443\r\n", Err(ProxyProtocol)),
        ("PROXY tcp4 192.0.2.7 10.0.0.1 4711 443\r\n", Err(ProxyProtocol)),
        ("PROXY \u{2028} x\r\n", Err(ProxyProtocol)),
        ("PROXY \r\n", Err(ProxyProtocol)),
        ("proxy TCP4 192.0.2.7 10.0.0.1 4711 443\r\n", Err(NoProxyProtocol)),
        ("PROXYTCP4\r\n", Err(NoProxyProtocol)),
        ("GET / HTTP/1.1\r\n\r\n", Err(NoProxyProtocol)),
        ("POST / HTTP/1.1\r\n\r\n", Err(NoProxyProtocol)),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Err(NoProxyProtocol)),
        ("\u{16}\u{3}\u{1}", Err(NoProxyProtocol)),
        ("\r\n\r\nGET / HTTP/1.1", Err(NoProxyProtocol)),
    ] {
        check(line.as_bytes(), expected);
    }
    // A line without an end is not waited for for ever.
    assert_eq!(parse("PROXY ".repeat(20).as_bytes()), Err(ProxyProtocol));
}

#[test]
fn bytes_are_read_strictly() {
    let four = client("192.0.2.7:4711", "10.0.0.1:443");
    let tlvs = [FOUR, &[0x04, 0, 3, 1, 2, 3]].concat();
    for (version, family, rest, expected) in [
        (0x21, 0x11, FOUR, Ok(four)),
        (0x21, 0x11, &tlvs, Ok(four)),
        (0x21, 0x21, &six(), Ok(client("[2001:db8::7]:4711", "[2001:db8::1]:443"))),
        (0x20, 0x00, &[], Ok(Announced::Own)),
        (0x20, 0x11, FOUR, Ok(Announced::Own)),
        (0x20, 0xFF, &[1, 2, 3], Ok(Announced::Own)),
        (0x21, 0x00, &[], Ok(Announced::Own)),
        (0x21, 0x31, &[0; 216], Ok(Announced::Own)),
        (0x21, 0x11, &FOUR[..11], Err(ProxyProtocol)),
        (0x21, 0x11, &[], Err(ProxyProtocol)),
        (0x21, 0x21, &six()[..35], Err(ProxyProtocol)),
        (0x21, 0x21, FOUR, Err(ProxyProtocol)),
        (0x21, 0x12, FOUR, Err(ProxyProtocol)),
        (0x21, 0x41, FOUR, Err(ProxyProtocol)),
        (0x22, 0x11, FOUR, Err(ProxyProtocol)),
        (0x11, 0x11, FOUR, Err(ProxyProtocol)),
        (0x31, 0x11, FOUR, Err(ProxyProtocol)),
        (0x20, 0x00, &[0; MAX_REST], Ok(Announced::Own)),
        (0x20, 0x00, &[0; MAX_REST + 1], Err(ProxyProtocol)),
    ] {
        check(&binary(version, family, rest), expected);
    }
    let mut other = binary(0x21, 0x11, FOUR);
    other[11] = b'\r';
    check(&other, Err(NoProxyProtocol));
}

proptest! {
    /// Nothing makes it panic, ask for more than the most, or take more than there is.
    #[test]
    fn whatever_comes_is_read_or_refused(
        begin in prop_oneof![Just(&b"PROXY TCP4 "[..]), Just(&SIGNATURE[..]), Just(&b""[..])],
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [begin, &rest].concat();
        if let Ok(Some((_, length))) = parse(&bytes) {
            prop_assert!(length <= bytes.len() && length <= MOST);
        }
        let padded = [bytes, vec![b'x'; MOST]].concat();
        prop_assert!(!matches!(parse(&padded), Ok(None)));
    }

    /// What is written by the book is read as it was meant.
    #[test]
    fn every_address_is_read(from: std::net::SocketAddrV4, to: std::net::SocketAddrV4, six: bool) {
        let map = |address: std::net::SocketAddrV4| {
            std::net::SocketAddr::new(address.ip().to_ipv6_mapped().into(), address.port())
        };
        let line = if six {
            let (from, to) = (map(from), map(to));
            format!("PROXY TCP6 {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port())
        } else {
            format!("PROXY TCP4 {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port())
        };
        let expected = if six {
            Announced::Client { from: map(from), to: map(to) }
        } else {
            Announced::Client { from: from.into(), to: to.into() }
        };
        prop_assert_eq!(parse(line.as_bytes()), Ok(Some((expected, line.len()))));
    }
}

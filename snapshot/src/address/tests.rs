//! Ranges, and the addresses that no backend may have.

use super::{AddressPolicy, Network};

fn policy(except: &[&str]) -> AddressPolicy {
    let except = except.iter().map(|text| text.parse().unwrap()).collect();
    AddressPolicy::NotReserved { except }
}

#[test]
fn reserved_addresses_are_refused_however_they_are_written() {
    for address in [
        "127.0.0.1",
        "127.8.9.1",
        "169.254.169.254",
        "0.0.0.0",
        "0.1.2.3",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
    ] {
        assert!(!policy(&[]).allows(address.parse().unwrap()), "{address}");
        assert!(AddressPolicy::Any.allows(address.parse().unwrap()), "{address}");
    }
    for address in ["10.96.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1"] {
        assert!(policy(&[]).allows(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn exceptions_are_exact() {
    let policy = policy(&["127.0.0.0/24", "::1", "169.254.169.254/32"]);
    for (address, allowed) in [
        ("127.0.0.1", true),
        ("::ffff:127.0.0.1", true),
        ("127.0.1.1", false),
        ("::1", true),
        ("169.254.169.254", true),
        ("169.254.169.253", false),
    ] {
        assert_eq!(policy.allows(address.parse().unwrap()), allowed, "{address}");
    }
}

#[test]
fn ranges_are_read_and_written() {
    for (text, shown) in
        [("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"), ("127.0.0.1", "127.0.0.1/32")]
    {
        assert_eq!(text.parse::<Network>().unwrap().to_string(), shown);
    }
    assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("9.9.9.9".parse().unwrap()));
    assert!(!"0.0.0.0/0".parse::<Network>().unwrap().contains("::1".parse().unwrap()));
    for text in ["", "localhost", "1.2.3.4/33", "::1/129", "1.2.3.4/", "1.2.3/8"] {
        let error = text.parse::<Network>().unwrap_err().to_string();
        assert!(error.contains("write 127.0.0.0/8"), "{error}");
    }
}

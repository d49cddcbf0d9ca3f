//! What is read of certificates, and what is said of those that cannot be used.

use rcgen::{CertificateParams, KeyPair};

use super::{Certificate, covers, parent_wildcard, signer};

fn made(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn a_certificate_says_its_names_and_its_end_and_signs() {
    let (certificate, key) = made(&["API.example.com", "*.example.com"]);
    let (other, _) = made(&["root.example"]);
    let read = Certificate::read((certificate + &other).as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(
        read.names.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["api.example.com", "*.example.com"]
    );
    // What rcgen takes where nobody says.
    assert_eq!((read.not_before, read.not_after), (157_766_400, 67_090_118_400));
    assert_eq!(read.chain.len(), 2);
    assert_eq!(read.signer().unwrap().cert.len(), 2);
    let again = signer(&read.chain, &read.key).unwrap();
    assert!(again.keys_match().is_ok());
}

#[test]
fn nothing_shows_the_key() {
    let (certificate, key) = made(&["a.example"]);
    let read = Certificate::read(certificate.as_bytes(), key.as_bytes()).unwrap();
    let shown = format!("{read:?}");
    assert!(shown.contains("concealed"), "{shown}");
    let bytes = format!("{:?}", read.key.bytes());
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}

#[test]
fn what_is_wrong_is_told_with_the_part_and_without_the_key() {
    let (certificate, key) = made(&["a.example"]);
    let (_, other) = made(&["a.example"]);
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let bad_key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    for (certificate, key, file, message) in [
        ("", &*key, "tls.crt", "there is no certificate: write it in PEM"),
        ("c2VjcmV0", &*key, "tls.crt", "there is no certificate"),
        (no_der, &*key, "tls.crt", "it is no certificate of X.509"),
        (&*certificate, "", "tls.key", "there is no private key: write it in PEM"),
        (&*certificate, &*certificate, "tls.key", "there is no private key"),
        (&*certificate, bad_key, "tls.key", ""),
        (&*certificate, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n", "tls.key", "has no end"),
        (&*certificate, "-----BEGIN PRIVATE KEY c2VjcmV0", "tls.key", "alone in its line"),
        (&*certificate, &bad_key.replace("c2VjcmV0", "c2VjcmV0!"), "tls.key", "not Base64"),
        (&*certificate, &*other, "tls.key", "it belongs to another certificate"),
    ] {
        let problem = Certificate::read(certificate.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(problem.file, file, "{problem}");
        assert!(problem.message.contains(message), "{problem}");
        assert!(!problem.to_string().contains("c2VjcmV0"), "{problem}");
    }
}

#[test]
fn a_star_stands_for_one_label() {
    for (name, host, expected) in [
        ("a.example", "a.example", true),
        ("a.example", "b.example", false),
        ("*.example.com", "api.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", "a.b.example.com", false),
        ("*.example.com", ".example.com", false),
        ("*.example.com", "*.example.com", true),
    ] {
        assert_eq!(covers(name, host), expected, "{name} {host}");
    }
    assert_eq!(parent_wildcard("a.b.c").as_deref(), Some("*.b.c"));
    assert_eq!(parent_wildcard("a"), None);
    assert_eq!(parent_wildcard(".a"), None);
}

//! Which certificate is chosen, and what is said of folders that hold none.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair};

use super::resolver::Known;
use super::{Certificate, read};

/// Writes a certificate for these names into a folder.
fn write(folder: &Path, names: &[&str]) {
    std::fs::create_dir_all(folder).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
}

#[test]
fn the_name_that_is_asked_for_chooses() {
    let folder = tempfile::tempdir().unwrap();
    let mut folders = Vec::new();
    for (index, names) in [
        &["default.example"][..],
        &["*.example.com", "example.com"],
        &["api.example.com"],
        &["API.example.com", "Other.Example"],
        &["*.wild.example"],
    ]
    .into_iter()
    .enumerate()
    {
        folders.push(folder.path().join(index.to_string()));
        write(&folders[index], names);
    }
    let all = read(&folders).unwrap();
    let known = Known::new(all.clone());
    for (name, expected) in [
        (None, 0),
        (Some("default.example"), 0),
        (Some("unknown.example"), 0),
        (Some("example.com"), 1),
        (Some("www.example.com"), 1),
        (Some("WWW.Example.COM"), 1),
        // A star stands for one label, and an exact name wins.
        (Some("a.b.example.com"), 0),
        (Some("api.example.com"), 2),
        (Some("other.example"), 3),
        (Some("x.other.example"), 0),
        (Some("x.wild.example"), 4),
        (Some("wild.example"), 0),
        (Some(""), 0),
    ] {
        let found = known.find(name).unwrap();
        assert_eq!(found.cert, all[expected].chain.cert, "{name:?}");
    }
    assert!(Known::new(Vec::new()).find(Some("a")).is_none());
    assert!(!known.differs(&all));
    assert!(known.differs(&all[1..]));
    assert!(known.differs(&all[..4]));
    write(&folders[0], &["default.example"]);
    assert!(known.differs(&read(&folders).unwrap()));
}

#[test]
fn what_is_wrong_with_a_folder_is_told_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    for name in ["good", "no-key", "no-pem", "bad-pem", "bad-der", "other-key", "empty"] {
        write(&place(name), &["a.example"]);
    }
    std::fs::remove_file(place("no-key").join("tls.key")).unwrap();
    std::fs::write(place("no-pem").join("tls.crt"), "").unwrap();
    std::fs::write(place("bad-pem").join("tls.key"), "-----BEGIN PRIVATE KEY-----\n!\n").unwrap();
    let der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(place("bad-der").join("tls.crt"), der).unwrap();
    let other = KeyPair::generate().unwrap().serialize_pem();
    std::fs::write(place("other-key").join("tls.key"), other).unwrap();
    std::fs::write(place("empty").join("tls.key"), "").unwrap();
    assert!(Certificate::read(&place("good")).is_ok());
    for (name, file, message) in [
        ("missing", "tls.crt", "write the folder of a certificate, with tls.crt and tls.key"),
        ("no-key", "tls.key", "write the folder of a certificate, with tls.crt and tls.key"),
        ("no-pem", "tls.crt", "there is no certificate: write it in PEM, its own first"),
        ("bad-pem", "tls.key", ""),
        ("bad-der", "tls.crt", ""),
        ("other-key", "tls.key", "it belongs to another certificate"),
        ("empty", "tls.key", ""),
    ] {
        let problem = Certificate::read(&place(name)).unwrap_err();
        let begin = place(name).join(file).display().to_string();
        assert!(problem.starts_with(&begin) && problem.contains(message), "{name}: {problem}");
    }
    // All of them at once.
    let folders = ["missing", "no-key", "good"].map(place);
    assert_eq!(read(&folders).unwrap_err().len(), 2);
}

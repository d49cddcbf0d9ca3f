//! Which certificate is chosen, and what is said of folders that hold none.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rcgen::{CertificateParams, KeyPair};

use super::resolver::{ByName, Choice, Known};
use super::shown::Shown;
use super::{Certificate, DAY, Warned, read};

/// Writes a certificate for these names into a folder.
fn write(folder: &Path, names: &[&str]) {
    std::fs::create_dir_all(folder).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
}

fn choice_of(routes: ByName, folders: Vec<Certificate>) -> Choice {
    Choice {
        routes: Arc::new(ArcSwap::from_pointee(routes)),
        folders: Arc::new(ArcSwap::from_pointee(Known::new(folders))),
    }
}

/// A certificate for these names.
fn made(folder: &Path, names: &[&str]) -> Certificate {
    write(folder, names);
    Certificate::read(folder).unwrap()
}

#[test]
fn routes_choose_before_folders() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let first = made(&place("first"), &["default.example", "api.example.com"]);
    let route = made(&place("route"), &["*.example.com"]);
    let exact = made(&place("exact"), &["www.example.com"]);
    let mut routes = ByName::default();
    routes.add("*.example.com", &route.chain);
    routes.add("www.example.com", &exact.chain);
    let choice = choice_of(routes, vec![first.clone()]);
    for (name, expected) in [
        ("www.example.com", &exact),
        ("WWW.example.com", &exact),
        ("api.example.com", &route),
        ("a.b.example.com", &first),
        (".example.com", &first),
        ("default.example", &first),
        ("other.example", &first),
    ] {
        assert_eq!(choice.find(Some(name)).unwrap().cert, expected.chain.cert, "{name}");
    }
    assert_eq!(choice.find(None).unwrap().cert, first.chain.cert);
}

#[test]
fn a_host_with_another_certificate_is_misdirected() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let first = made(&place("first"), &["default.example"]);
    let both = made(&place("both"), &["a.example", "b.example"]);
    let other = made(&place("other"), &["c.example"]);
    let names = |both: &Certificate| {
        let mut routes = ByName::default();
        for name in &both.names {
            routes.add(name, &both.chain);
        }
        routes.add("c.example", &other.chain);
        routes
    };
    let choice = choice_of(names(&both), vec![first]);
    for (name, host, expected) in [
        (Some("a.example"), "a.example", false),
        (Some("A.Example"), "a.example", false),
        (Some("a.example"), "b.example", false),
        (Some("a.example"), "c.example", true),
        (Some("a.example"), "default.example", true),
        (Some("a.example"), "unknown.example", true),
        // HTTP/1.0 needs no Host.
        (Some("a.example"), "", false),
        // Who names an unknown host, or none, has the first folder's.
        (Some("unknown.example"), "other.example", false),
        (Some("unknown.example"), "a.example", true),
        (None, "a.example", false),
        (None, "c.example", false),
    ] {
        let shown = Shown::new(name, choice.clone());
        // What was judged is remembered.
        for _ in 0..2 {
            assert_eq!(shown.is_other(host), expected, "{name:?} {host}");
        }
    }
    // One that was renewed is the same; names that come to have certificates of their own are not.
    let shown = Shown::new(Some("a.example"), choice.clone());
    assert!(!shown.is_other("b.example"));
    let renewed = made(&place("renewed"), &["a.example", "b.example"]);
    choice.routes.store(Arc::new(names(&renewed)));
    assert!(!shown.is_other("b.example"));
    let alone = made(&place("alone"), &["a.example"]);
    choice.routes.store(Arc::new(names(&alone)));
    assert!(shown.is_other("b.example"));
}

#[test]
fn the_end_of_a_certificate_is_told_once_for_each_warning() {
    let mut warned = Warned::default();
    let mut after = |days: i64, end: i64| {
        let all = [("a".to_owned(), end * DAY), ("far".to_owned(), 1000 * DAY)];
        warned.warn(&all, days * DAY).len()
    };
    let told: Vec<usize> =
        [0, 69, 70, 71, 80, 93, 94, 98, 99, 100, 101, 102].map(|days| after(days, 100)).to_vec();
    assert_eq!(told, [0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0]);
    // A renewed one begins anew.
    assert_eq!([(102, 200), (171, 200), (172, 200)].map(|(now, end)| after(now, end)), [0, 1, 0]);
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
    let choice = choice_of(ByName::default(), all.clone());
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
        let found = choice.find(name).unwrap();
        assert_eq!(found.cert, all[expected].chain.cert, "{name:?}");
    }
    let none = choice_of(ByName::default(), Vec::new());
    assert!(none.find(Some("a")).is_none());
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

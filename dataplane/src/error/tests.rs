//! The table has a row for everything, and every body can be read.

use std::collections::BTreeSet;

use rustls::{AlertDescription, Error};

use super::{Blame, ProxyError, TlsProblem, wants_json};

#[test]
fn every_error_has_a_status_a_reason_of_its_own_and_a_problem_that_parses() {
    let mut reasons = BTreeSet::new();
    for error in ProxyError::all() {
        assert!(reasons.insert(error.reason()), "{} stands twice", error.reason());
        assert_eq!(error.reason(), error.to_string());
        let problem: serde_json::Value =
            serde_json::from_slice(&error.problem_json(None, "id-1")).unwrap();
        assert_eq!(problem["status"], error.status().as_u16());
        assert_eq!(problem["reason"], error.reason());
        assert_eq!(problem["requestId"], "id-1");
        assert_eq!(problem["type"], format!("https://fairway.dev/problems/{}", error.reason()));
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        let text = error.plain_text(None, "id-1");
        assert!(text.starts_with(error.status().as_str().as_bytes()));
    }
}

#[test]
fn statuses_of_clients_and_backends_are_told_apart() {
    for error in ProxyError::all() {
        // 501 and 505 are what a server says to what no client should ask of it.
        let client =
            error.status().is_client_error() || matches!(error.status().as_u16(), 501 | 505);
        assert_eq!(client, error.blame() == Blame::Downstream, "{error}");
    }
}

#[test]
fn json_is_sent_to_those_who_accept_it() {
    for (accept, expected) in [
        ("*/*", true),
        ("application/json", true),
        ("text/html, application/*;q=0.8", true),
        ("Application/Problem+JSON", true),
        ("text/html", false),
        ("text/html, */*;q=0", false),
        ("text/*", false),
    ] {
        assert_eq!(wants_json(Some(accept.as_bytes())), expected, "{accept}");
    }
    assert!(wants_json(None));
}

#[test]
fn what_a_backend_says_of_our_certificate_is_told_apart() {
    use std::io::{Error as Io, ErrorKind};
    use {AlertDescription as Alert, TlsProblem as Problem};
    for (alert, expected) in [
        (Alert::CertificateRequired, Problem::ClientCertificateRefused),
        (Alert::UnknownCA, Problem::ClientCertificateRefused),
        (Alert::AccessDenied, Problem::ClientCertificateRefused),
        (Alert::NoApplicationProtocol, Problem::ProtocolRefused),
        (Alert::ProtocolVersion, Problem::NothingInCommon),
        (Alert::InternalError, Problem::Broken),
    ] {
        let error = Error::AlertReceived(alert);
        assert_eq!(Problem::from(&error), expected, "{alert:?}");
        // The codec of HTTP/2 keeps the text alone.
        let text = Io::new(ErrorKind::InvalidData, error.to_string());
        let expected = match expected {
            Problem::ClientCertificateRefused => expected,
            _ => Problem::Broken,
        };
        assert_eq!(Problem::of_text(&text), Some(expected), "{alert:?}");
        assert_eq!(Problem::of(&Io::new(ErrorKind::InvalidData, error)), Some(alert.into()));
    }
    let reset = Io::from(ErrorKind::ConnectionReset);
    assert_eq!((Problem::of(&reset), Problem::of_text(&reset)), (None, None));
}

//! What is hidden of queries, paths and URLs, and that nothing else is.

use proptest::prelude::*;

use super::{MAX_NAME, Redaction};

#[test]
fn values_of_secret_names_are_hidden_however_they_are_written() {
    let redaction = Redaction::default();
    for (query, told) in [
        ("", ""),
        ("a=1&b=2", "a=1&b=2"),
        ("token=S", "token=REDACTED"),
        ("a=1&token=S&b=2", "a=1&token=REDACTED&b=2"),
        ("token=S&token=S", "token=REDACTED&token=REDACTED"),
        // Case, encoding, and the two ways to join words.
        ("Access_Token=S", "Access_Token=REDACTED"),
        ("access%5Ftoken=S", "access%5Ftoken=REDACTED"),
        ("%61ccess%5ftok%65n=S", "%61ccess%5ftok%65n=REDACTED"),
        ("access-token=S&X-Api-Key=S", "access-token=REDACTED&X-Api-Key=REDACTED"),
        // Lists and fields of objects.
        ("token[]=S&user[password]=S", "token[]=REDACTED&user[password]=REDACTED"),
        ("user%5Bpassword%5D=S", "user%5Bpassword%5D=REDACTED"),
        ("user.password=S&password.old=S", "user.password=REDACTED&password.old=REDACTED"),
        // Everything up to the next parameter.
        ("token=S=S;S?S/S&a=1", "token=REDACTED&a=1"),
        ("token=S%26S&a=1", "token=REDACTED&a=1"),
        // Other separators, and URLs in values.
        ("a=1;token=S", "a=1;token=REDACTED"),
        ("a=1&amp;token=S", "a=1&amp;token=REDACTED"),
        ("to=https://x.example/y?sig=S&a=1", "to=https://x.example/y?sig=REDACTED&a=1"),
        ("to=%2Fy%3Fsig%3DS%26b&a=1", "to=%2Fy%3Fsig%3DREDACTED&a=1"),
        ("a=b=c&q=token=S", "a=b=c&q=token=REDACTED"),
        // No value, and names that only look alike.
        ("token", "token"),
        ("token=&a=1", "token=&a=1"),
        ("tokens=1&my_token=2&key2=3&decode=4", "tokens=1&my_token=2&key2=3&decode=4"),
        ("a=token&b=password", "a=token&b=password"),
        ("%=1&%t=2&token%=3&token%4=4", "%=1&%t=2&token%=3&token%4=4"),
        ("이름=값&token=비밀&a=값", "이름=값&token=REDACTED&a=값"),
    ] {
        assert_eq!(redaction.redact_query(query), told, "{query}");
    }
}

#[test]
fn paths_and_urls_are_told_without_their_secrets() {
    let redaction = Redaction::default();
    for (path, told) in [
        ("/a/b", "/a/b"),
        ("/a;jsessionid=S/b", "/a;jsessionid=REDACTED/b"),
        ("/a;v=1;JSESSIONID=S", "/a;v=1;JSESSIONID=REDACTED"),
        ("/a%3Ftoken=S/b", "/a%3Ftoken=REDACTED/b"),
        ("/token/key=", "/token/key="),
    ] {
        assert_eq!(redaction.redact_path(path), told, "{path}");
    }
    for (url, told) in [
        ("/a;sid=S/b?token=S", "/a;sid=REDACTED/b?token=REDACTED"),
        ("http://a.example?token=S", "http://a.example?token=REDACTED"),
        ("http://u:S@a.example:80/x?y=1", "http://REDACTED@a.example:80/x?y=1"),
        ("https://u@S@a.example", "https://REDACTED@a.example"),
        ("http://a.example/@x", "http://a.example/@x"),
        ("u:S@a.example/x", "REDACTED@a.example/x"),
        ("no url", "no url"),
    ] {
        assert_eq!(redaction.redact_url(url), told, "{url}");
    }
}

#[test]
fn the_operator_adds_names_and_may_do_without_the_built_in_ones() {
    let given = ["X-Company-Key".to_owned(), "n".repeat(MAX_NAME)];
    let more = Redaction::new(true, &given);
    let only = Redaction::new(false, &given);
    for (name, built_in, given) in [
        ("x-company-key", false, true),
        ("X_Company%2dKey", false, true),
        (&"N".repeat(MAX_NAME), false, true),
        (&"n".repeat(MAX_NAME + 1), false, false),
        (&format!("{}.n", "n".repeat(300)), false, false),
        ("signature", true, false),
        ("x-api-key", true, false),
        ("", false, false),
    ] {
        assert_eq!(Redaction::default().hides(name), built_in, "{name}");
        assert_eq!(more.hides(name), built_in || given, "{name}");
        assert_eq!(only.hides(name), given, "{name}");
    }
    for name in ["Authorization", "proxy-authorization", "cookie", "Set-Cookie"] {
        assert!(only.hides(name), "{name}");
    }
}

proptest! {
    /// Whatever surrounds it: of what a secret name has no byte is told, and without one all is.
    #[test]
    fn a_marker_never_gets_through(before in ".{0,40}", after in ".{0,40}", end in "[^&]{0,40}") {
        let redaction = Redaction::default();
        let query = format!("{before}&id_token=\u{1F511}{end}\u{1F511}&{after}");
        let parts: Vec<&str> = redaction.query(&query).collect();
        prop_assert!(parts.len() > 1);
        if !before.contains('\u{1F511}') && !after.contains('\u{1F511}') {
            prop_assert!(parts.iter().all(|part| !part.contains('\u{1F511}')), "{:?}", parts);
        }
        let plain = format!("a{}", before.replace(['=', '%'], ""));
        prop_assert_eq!(redaction.redact_query(&plain), plain.as_str());
    }
}

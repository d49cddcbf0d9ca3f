//! Where a redirect leads, row by row.

use super::{Redirect, RedirectedRequest, Scheme};

fn location(redirect: &str, authority: &str, path: &str, query: Option<&str>) -> String {
    let redirect: Redirect =
        serde_json::from_str(&format!(r#"{{"status": 302{redirect}}}"#)).unwrap();
    redirect.location(&RedirectedRequest { scheme: Scheme::Http, authority, path, query })
}

#[test]
fn what_is_not_said_stays_as_the_request_has_it() {
    let rows = [
        ("", "a.example", "/x", None, "/x"),
        ("", "a.example:8080", "/x", Some("a=%20b"), "/x?a=%20b"),
        ("", "a.example", "/x", Some(""), "/x?"),
        // No path leads to another host.
        ("", "a.example", "//evil.example/x", None, "/.//evil.example/x"),
        (r#", "scheme": "https""#, "a.example", "//x", None, "https://a.example//x"),
        (r#", "scheme": "https""#, "a.example", "/x", Some("y"), "https://a.example/x?y"),
        // The port of plain HTTP is none of TLS.
        (r#", "scheme": "https""#, "a.example:8080", "/", None, "https://a.example/"),
        (
            r#", "scheme": "https", "port": 8443"#,
            "a.example:8080",
            "/",
            None,
            "https://a.example:8443/",
        ),
        (r#", "scheme": "https", "port": 443"#, "a.example", "/", None, "https://a.example/"),
        (r#", "scheme": "http", "port": 443"#, "a.example", "/", None, "http://a.example:443/"),
        (r#", "host": "b.example""#, "a.example", "/x", None, "http://b.example/x"),
        (r#", "host": "b.example""#, "a.example:8080", "/x", None, "http://b.example:8080/x"),
        (
            r#", "host": "b.example", "port": 80"#,
            "a.example:8080",
            "/x",
            None,
            "http://b.example/x",
        ),
        (r#", "port": 9000"#, "[2001:db8::1]:8080", "/x", None, "http://[2001:db8::1]:9000/x"),
        (r#", "scheme": "https""#, "[2001:db8::1]", "/x", None, "https://[2001:db8::1]/x"),
        (r#", "port": 8080"#, "a.example:80", "/x", None, "http://a.example:8080/x"),
        // HTTP/1.0 without Host: nobody knows a host to name.
        (r#", "scheme": "https""#, "", "/x", None, "/x"),
        (r#", "host": "b.example""#, "", "/x", None, "http://b.example/x"),
    ];
    for (redirect, authority, path, query, expected) in rows {
        assert_eq!(location(redirect, authority, path, query), expected, "{redirect} {authority}");
    }
}

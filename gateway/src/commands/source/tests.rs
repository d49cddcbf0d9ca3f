//! How people write the address of an admin port.

use super::admin_url;

#[test]
fn an_address_is_enough() {
    let cases = [
        ("127.0.0.1:9902", "http://127.0.0.1:9902/routes"),
        ("localhost:9902", "http://localhost:9902/routes"),
        ("[::1]:9902", "http://[::1]:9902/routes"),
        ("http://127.0.0.1:9902", "http://127.0.0.1:9902/routes"),
        ("http://127.0.0.1:9902/", "http://127.0.0.1:9902/routes"),
        ("http://127.0.0.1:9902/routes", "http://127.0.0.1:9902/routes"),
        ("http://example.com/fairway/", "http://example.com/fairway/routes"),
    ];
    for (from, expected) in cases {
        assert_eq!(admin_url(from, "routes").unwrap().as_str(), expected, "{from}");
    }
    for from in ["", "https://127.0.0.1:9902", "127.0.0.1:port", "http://", "ftp://a:1", "a b:1"] {
        let told = admin_url(from, "routes").unwrap_err();
        let expected = format!(
            "--from {from:?} is not the address of an admin port: write http://127.0.0.1:9902"
        );
        assert_eq!(told, expected);
    }
}

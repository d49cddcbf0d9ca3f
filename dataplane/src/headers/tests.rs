//! Which headers pass, as tables.

use super::{strip_request, strip_response};
use crate::fields::Fields;

/// Names and values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn fields(pairs: Pairs<'_>) -> Fields {
    pairs.iter().copied().collect()
}

#[test]
fn request_headers_of_one_connection_are_removed() {
    let cases: &[(Pairs<'_>, Pairs<'_>)] = &[
        (&[("accept", "*/*")], &[("accept", "*/*")]),
        (&[("connection", "close"), ("accept", "*/*")], &[("accept", "*/*")]),
        (
            &[("connection", "X-One, x-two"), ("x-one", "1"), ("x-two", "2"), ("x-three", "3")],
            &[("x-three", "3")],
        ),
        (&[("connection", "x-one"), ("connection", "x-two"), ("x-one", "1"), ("x-two", "2")], &[]),
        (
            &[("connection", "host, content-length"), ("host", "a"), ("content-length", "3")],
            &[("host", "a"), ("content-length", "3")],
        ),
        (
            &[
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("upgrade", "h2c"),
                ("transfer-encoding", "chunked"),
            ],
            &[],
        ),
        (&[("te", "gzip, trailers;q=0.5")], &[("te", "trailers")]),
        (&[("te", "gzip")], &[]),
        (&[("connection", "te"), ("te", "trailers")], &[("te", "trailers")]),
        (
            &[
                ("expect", "100-continue"),
                ("proxy", "http://evil"),
                ("proxy-authorization", "Basic x"),
            ],
            &[],
        ),
    ];
    for (given, expected) in cases {
        let mut headers = fields(given);
        strip_request(&mut headers);
        assert_eq!(headers.to_map(0), fields(expected).to_map(0), "{given:?}");
    }
}

#[test]
fn response_headers_of_one_connection_are_removed() {
    let mut headers = fields(&[
        ("connection", "x-internal"),
        ("x-internal", "1"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("content-type", "text/plain"),
        ("proxy-authenticate", "Basic"),
    ]);
    strip_response(&mut headers);
    let left = fields(&[("content-type", "text/plain"), ("proxy-authenticate", "Basic")]);
    assert_eq!(headers.to_map(0), left.to_map(0));
}

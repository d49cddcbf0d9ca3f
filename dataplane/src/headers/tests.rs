//! Which headers pass, as tables.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{strip_request, strip_response};

/// Names and values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn map(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        })
        .fold(HeaderMap::new(), |mut all, (name, value)| {
            all.append(name, value);
            all
        })
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
        let mut headers = map(given);
        strip_request(&mut headers);
        assert_eq!(headers, map(expected), "{given:?}");
    }
}

#[test]
fn response_headers_of_one_connection_are_removed() {
    let mut headers = map(&[
        ("connection", "x-internal"),
        ("x-internal", "1"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("content-type", "text/plain"),
        ("proxy-authenticate", "Basic"),
    ]);
    strip_response(&mut headers);
    assert_eq!(headers, map(&[("content-type", "text/plain"), ("proxy-authenticate", "Basic")]));
}

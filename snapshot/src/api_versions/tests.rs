//! Where a version may stand in a request, and what is served then.

use http::HeaderMap;

use super::*;

fn versions(default: Option<usize>, mode: Mode) -> ApiVersions {
    let known = ["v1", "v2"].map(|name| ApiVersion {
        name: name.into(),
        deprecation: None,
        sunset: None,
        link: None,
    });
    ApiVersions {
        header: Some(HeaderName::from_static("x-api-version")),
        media_type: Some("version".into()),
        default,
        known: known.into(),
        mode,
        source: Source::Spec,
    }
}

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    lines.iter().map(line).collect()
}

#[test]
fn a_request_names_its_version_in_a_field_or_in_accept() {
    use AskedVersion::{Known, None, Unknown};
    let v = "x-api-version";
    let cases: &[(&[(&'static str, &'static str)], AskedVersion)] = &[
        (&[], None),
        (&[(v, "v1")], Known(0)),
        (&[(v, " v2 ")], Known(1)),
        (&[(v, "V2")], Unknown),
        (&[(v, "v3")], Unknown),
        (&[(v, "")], Unknown),
        (&[(v, "v1, v2")], Unknown),
        (&[(v, "v1"), (v, "v1")], Known(0)),
        (&[(v, "v1"), (v, "v2")], Unknown),
        (&[(v, "v3"), (v, "v1")], Unknown),
        (&[("accept", "*/*")], None),
        (&[("accept", "application/json;version=v2")], Known(1)),
        (&[("accept", "application/json; Version = \"v2\" ;q=0.5")], Known(1)),
        (&[("accept", "text/html, application/json;version=v2, */*;version=v1")], Known(1)),
        (&[("accept", "text/html;x=\"a;version=v1,b\";version=v2")], Known(1)),
        (&[("accept", "text/html;x=\"\\\";version=v1\";version=v2")], Known(1)),
        (&[("accept", "application/json;version=v9")], Unknown),
        (&[("accept", "application/json;version")], None),
        (&[("accept", "version=v2")], None),
        (&[("accept", "text/html"), ("accept", "*/*;version=v2")], Known(1)),
        (&[(v, "v1"), ("accept", "*/*;version=v2")], Known(0)),
        (&[(v, "v9"), ("accept", "*/*;version=v2")], Unknown),
    ];
    for (given, expected) in cases {
        assert_eq!(
            versions(Option::None, Mode::Enforce).asked(&headers(given)),
            *expected,
            "{given:?}"
        );
    }
}

#[test]
fn who_names_none_gets_the_default_and_who_names_a_wrong_one_nothing() {
    let unknown = headers(&[("x-api-version", "v9")]);
    let none = headers(&[]);
    assert_eq!(versions(Some(1), Mode::Enforce).served(&none), Some(1));
    assert_eq!(versions(None, Mode::Enforce).served(&none), None);
    assert_eq!(versions(Some(1), Mode::Enforce).served(&unknown), None);
    assert_eq!(versions(Some(1), Mode::Observe).served(&unknown), Some(1));
    assert_eq!(versions(None, Mode::Observe).served(&unknown), None);
}

#[test]
fn a_condition_holds_for_its_version_and_for_those_that_are_refused() {
    let condition = |default| VersionCondition {
        versions: Arc::new(versions(default, Mode::Enforce)),
        index: 1,
    };
    let version = |value| headers(&[("x-api-version", value)]);
    for (value, holds) in [("v1", false), ("v2", true), ("v9", true)] {
        assert_eq!(condition(None).holds(&version(value)), holds, "{value}");
    }
    assert!(condition(None).holds(&headers(&[])));
    assert!(condition(Some(1)).holds(&headers(&[])));
    assert!(!condition(Some(0)).holds(&headers(&[])));
    assert_eq!(condition(None).name(), "v2");
}

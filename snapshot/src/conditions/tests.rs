//! Conditions, row by row: what is asked, what a request has, and whether that holds.

use http::{HeaderMap, HeaderName};

use super::{Conditions, Pattern, PatternError};

/// Header fields as lines `name: value`.
fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

#[test]
fn header_fields_are_compared_by_any_of_their_lines() {
    let exact = r#"{"name": "x-v", "value": "v2"}"#;
    let pattern = r#"{"name": "x-v", "pattern": "v[0-9]+"}"#;
    let (there, absent) =
        (r#"{"name": "x-v", "present": true}"#, r#"{"name": "x-v", "present": false}"#);
    let rows: &[(&str, &[&str], bool)] = &[
        (exact, &["x-v: v2"], true),
        (exact, &["X-V: v2"], true),
        (exact, &["x-v: V2"], false),
        (exact, &["x-v: v1, v2"], false),
        (exact, &["x-v: v1", "x-v: v2"], true),
        (exact, &["x-w: v2"], false),
        (exact, &[], false),
        (pattern, &["x-v: v27"], true),
        (pattern, &["x-v: v"], false),
        (pattern, &["x-v: av2"], false),
        (pattern, &["x-v: v2b"], false),
        (pattern, &["x-v: a", "x-v: v3"], true),
        (pattern, &[], false),
        (there, &["x-v: "], true),
        (there, &[], false),
        (absent, &["x-v: "], false),
        (absent, &["x-w: 1"], true),
    ];
    for (asked, given, holds) in rows {
        let conditions: Conditions =
            serde_json::from_str(&format!(r#"{{"headers": [{asked}]}}"#)).unwrap();
        assert_eq!(conditions.hold(Some(&headers(given)), None), *holds, "{asked} {given:?}");
        assert!(conditions.hold(None, None), "a preflight is not asked for headers");
    }
}

#[test]
fn query_parameters_are_compared_decoded() {
    let exact = r#"{"name": "a b", "value": "x+y"}"#;
    let pattern = r#"{"name": "v", "pattern": "(1|2)|3"}"#;
    let (there, absent) =
        (r#"{"name": "v", "present": true}"#, r#"{"name": "v", "present": false}"#);
    let rows = [
        (exact, "a+b=x%2By", true),
        (exact, "a%20b=x%2by", true),
        (exact, "a b=x+y", false),
        (exact, "z&a+b=no&a+b=x%2By", true),
        (exact, "a%2Bb=x%2By", false),
        (exact, "", false),
        (pattern, "v=1", true),
        (pattern, "v=3", true),
        (pattern, "v=31", false),
        (pattern, "V=1", false),
        (there, "v", true),
        (there, "v=", true),
        (there, "w=v", false),
        (there, "", false),
        (absent, "", true),
        (absent, "w", true),
        (absent, "v", false),
        (r#"{"name": "v", "value": "100%"}"#, "v=100%", true),
        (r#"{"name": "v", "value": "%zz%4"}"#, "v=%zz%4", true),
        (r#"{"name": "v", "value": ""}"#, "v", true),
        (r#"{"name": "종목", "value": "삼성"}"#, "%EC%A2%85%EB%AA%A9=%EC%82%BC%EC%84%B1", true),
    ];
    for (asked, query, holds) in rows {
        let conditions: Conditions =
            serde_json::from_str(&format!(r#"{{"query": [{asked}]}}"#)).unwrap();
        assert_eq!(conditions.hold(None, Some(query)), holds, "{asked} {query:?}");
        if query.is_empty() {
            assert_eq!(conditions.hold(None, None), holds, "{asked} without a query");
        }
    }
}

#[test]
fn all_conditions_must_hold() {
    let conditions: Conditions = serde_json::from_str(
        r#"{"headers": [{"name": "a", "present": true}, {"name": "b", "present": true}],
            "query": [{"name": "c", "present": true}]}"#,
    )
    .unwrap();
    let all = headers(&["a: 1", "b: 1"]);
    assert!(conditions.hold(Some(&all), Some("c")));
    assert!(!conditions.hold(Some(&headers(&["a: 1"])), Some("c")));
    assert!(!conditions.hold(Some(&all), Some("d")));
}

#[test]
fn patterns_that_cannot_be_used_are_told() {
    for (text, told) in [
        ("(", "unclosed group"),
        ("a{2,1}", "invalid repetition count range"),
        ("(?=a)", "look-around"),
        (r"\1", "backreferences"),
        (")a(", "unopened group"),
    ] {
        match text.parse::<Pattern>() {
            Err(PatternError::Syntax { problem, .. }) => {
                assert!(problem.contains(told), "{text}: {problem}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let large = "(a{500}){500}";
    assert_eq!(large.parse::<Pattern>(), Err(PatternError::TooLarge(large.to_owned())));
}

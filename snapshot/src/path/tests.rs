//! Patterns and templates, as the tables of the user's documentation and of the Gateway API.

use super::{PathError, PathPattern, PathTemplate};

fn pattern(text: &str) -> PathPattern {
    text.parse().unwrap()
}

#[test]
fn patterns_match_what_the_documentation_says() {
    for (written, matching, others) in [
        ("/e/fin", &["/e/fin"][..], &["/e/fin/", "/e/fin/x", "/e/finance", "/E/fin"][..]),
        ("/e/fin/", &["/e/fin/"], &["/e/fin", "/e/fin/x"]),
        ("/e/fin/*", &["/e/fin", "/e/fin/", "/e/fin/a/b"], &["/e/finance", "/e", "/"]),
        (
            "/users/{id}/orders",
            &["/users/1/orders"],
            &["/users/1/2/orders", "/users//orders", "/users/1", "/users/1/orders/"],
        ),
        ("/users/{id}/*", &["/users/1", "/users/1/", "/users/1/a"], &["/users", "/users/"]),
        ("/*", &["/", "/a", "/a/b/"], &[]),
        ("/", &["/"], &["/a"]),
        ("/주가/*", &["/%EC%A3%BC%EA%B0%80/x"], &["/x"]),
        ("/a%7eb", &["/a~b"], &["/a%7eb"]),
    ] {
        for path in matching {
            assert!(pattern(written).matches(path), "{written} should match {path}");
        }
        for path in others {
            assert!(!pattern(written).matches(path), "{written} should not match {path}");
        }
    }
}

#[test]
fn captures_are_named_and_the_rest_keeps_its_slash() {
    let pattern = pattern("/users/{id}/of/{year}/*");
    assert_eq!(pattern.capture_names().collect::<Vec<_>>(), ["id", "year", "*"]);
    let path = "/users/7/of/2026/a/b";
    let captures = pattern.captures(path).unwrap();
    let texts: Vec<&str> = captures.iter().map(|range| &path[range.clone()]).collect();
    assert_eq!(texts, ["7", "2026", "/a/b"]);
}

/// The table of `replacePrefixMatch` of the Gateway API, HTTPPathModifier.
#[test]
fn prefixes_are_replaced_as_the_gateway_api_says() {
    for (path, prefix, replacement, expected) in [
        ("/foo/bar", "/foo/*", "/xyz/*", "/xyz/bar"),
        ("/foo", "/foo/*", "/xyz/*", "/xyz"),
        ("/foo/", "/foo/*", "/xyz/*", "/xyz/"),
        ("/foo/bar", "/foo/*", "/*", "/bar"),
        ("/foo/", "/foo/*", "/*", "/"),
        ("/foo", "/foo/*", "/*", "/"),
    ] {
        let pattern = pattern(prefix);
        let template = PathTemplate::parse(replacement, &pattern).unwrap();
        assert_eq!(template.expand(path, &pattern.captures(path).unwrap()), expected, "{path}");
    }
}

#[test]
fn templates_put_captures_where_they_are_written() {
    let pattern = pattern("/users/{id}/{kind}/*");
    for (template, expected) in [
        ("/fixed", "/fixed"),
        ("/{kind}/of/{id}", "/orders/of/7"),
        ("/v{id}-{kind}/*", "/v7-orders/a%20b"),
        ("/{id}/{id}", "/7/7"),
    ] {
        let path = "/users/7/orders/a%20b";
        let parsed = PathTemplate::parse(template, &pattern).unwrap();
        assert_eq!(parsed.expand(path, &pattern.captures(path).unwrap()), expected);
    }
}

#[test]
fn wrong_patterns_say_what_to_write() {
    for (written, part) in [
        ("e/fin", "a path begins with /: write /e/fin"),
        ("/e/*/x", "a * stands only at the end of a path, after /"),
        ("/e/fin*", "a * stands only at the end"),
        ("/{a}/{a}", "two captures are named \"a\""),
        ("/x{a}", "a capture is one whole segment"),
        ("/{}", "a capture is one whole segment"),
        ("/{1a}", "a capture is one whole segment"),
        ("/a//b", "an empty segment never matches"),
        ("/a/../b", ". and .. never match"),
        ("/a/%2e/b", ". and .. never match"),
        ("/a?b", "a path holds no query"),
        ("/a b", "a path holds no query, fragment or blank"),
        ("/a%zz", "two hexadecimal digits"),
        ("/a\\b", "a path holds no backslash"),
    ] {
        let error: PathError = written.parse::<PathPattern>().expect_err(written);
        assert!(error.to_string().contains(part), "{written}: {error}");
    }
}

#[test]
fn wrong_templates_say_what_to_write() {
    let pattern = pattern("/users/{id}");
    for (template, part) in [
        ("x", "a path begins with /"),
        ("/*/x", "a * stands only at the end"),
        ("/{id", "a capture is a name between braces"),
        ("/id}", "a capture is a name between braces"),
        (
            "/{gone}",
            "uses {gone}, which the path \"/users/{id}\" does not capture: it captures {id}",
        ),
        ("/x/*", "uses *, which the path \"/users/{id}\" does not capture"),
        ("/a?b", "a path holds no query"),
        ("/a/../b", "without . and .."),
    ] {
        let error = PathTemplate::parse(template, &pattern).expect_err(template);
        assert!(error.to_string().contains(part), "{template}: {error}");
    }
}

//! Patterns and templates, as the tables of the user's documentation and of the Gateway API.

use super::{PathError, PathMatch, PathPattern, PathRegex, PathTemplate};

/// A pattern, or an expression behind `~`.
fn pattern(text: &str) -> PathMatch {
    match text.strip_prefix('~') {
        Some(text) => PathMatch::Regex { regex: text.parse().unwrap() },
        None => PathMatch::Pattern(text.parse().unwrap()),
    }
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
        ("~/v[0-9]+/.*", &["/v1/", "/v22/x/y"], &["/v1", "/v/x", "/x/v1/", "/V1/"]),
        ("~/e/(?:fin|esg)", &["/e/fin", "/e/esg"], &["/e/fin/", "/e/fin/x", "/x/e/fin"]),
        ("~.*", &["/", "/a"], &[]),
        ("~/a|/b", &["/a", "/b"], &["/ab", "/a/b"]),
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
    assert_eq!(pattern.capture_names(), ["id", "year", "*"]);
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
        ("/{id}.{kind}", "/7.orders"),
        ("/%7e{id}.../x.", "/~7.../x."),
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
        ("/a/.", "without . and .."),
        ("/a/%2e%2E/b", "without . and .."),
        ("/%2e%2e/", "without . and .."),
        ("/{id}/.%2e", "without . and .."),
    ] {
        let error = PathTemplate::parse(template, &pattern).expect_err(template);
        assert!(error.to_string().contains(part), "{template}: {error}");
    }
}

#[test]
fn expressions_begin_with_the_text_that_all_their_paths_begin_with() {
    for (written, prefix, same) in [
        ("/v[0-9]+/.*", "/v", None),
        ("/e/fin/.*", "/e/fin/", Some("/e/fin/*")),
        ("/e/fin", "/e/fin", Some("/e/fin")),
        ("/e/(fin|esg)/.*", "/e/", None),
        ("/(?<team>e)/x", "/e/x", None),
        ("^/a/?$", "/a", None),
        ("(?:/a)+", "/a", None),
        ("(?i)/Fin", "/", None),
        (r"/a\.b", "/a.b", None),
        (".*", "", None),
        ("/a|/b", "/", None),
    ] {
        let regex: PathRegex = written.parse().unwrap();
        assert_eq!(regex.literal_prefix(), prefix, "{written}");
        let same = same.map(|text| text.parse::<PathPattern>().unwrap());
        assert_eq!(regex.as_pattern(), same, "{written}");
    }
}

#[test]
fn expressions_capture_by_named_groups() {
    let pattern = pattern("~/(?<kind>[a-z]+)/(?:x(?<number>[0-9]+)|([a-z]+))");
    assert_eq!(pattern.capture_names(), ["kind", "number"]);
    for (path, expected) in [("/users/x7", "/of/7/users"), ("/users/y", "/of//users")] {
        let template = PathTemplate::parse("/of/{number}/{kind}", &pattern).unwrap();
        assert_eq!(template.expand(path, &pattern.captures(path).unwrap()), expected);
    }
    let error = PathTemplate::parse("/x/*", &pattern).unwrap_err().to_string();
    assert!(error.ends_with("does not capture: it captures {kind}, {number}"), "{error}");
}

#[test]
fn what_an_expression_captures_never_steps_up() {
    use crate::normalize::Refusal;
    let (path, template) = ("~/files-(?<name>.*)", "/store/{name}");
    let path = pattern(path);
    let template = PathTemplate::parse(template, &path).unwrap();
    let mut route = crate::table::tests::route_to(path);
    std::sync::Arc::get_mut(&mut route.rule).unwrap().filters =
        vec![crate::Filter::RewritePath(template)];
    for (asked, expected) in [
        ("/files-a/b", Ok("/store/a/b")),
        ("/files-..", Err(Refusal::RewrittenDot)),
        ("/files-../admin", Err(Refusal::RewrittenDot)),
        ("/files-./x", Err(Refusal::RewrittenDot)),
        ("/files-..x", Ok("/store/..x")),
    ] {
        let forwarded = route.forwarded_path(asked.into());
        assert_eq!(forwarded.as_deref(), expected.as_ref().copied(), "{asked}");
    }
}

#[test]
fn wrong_expressions_say_what_to_write() {
    let large = "/a{1000}{1000}";
    for (written, part) in [
        ("v[0-9]+", "a path begins with /: write /v[0-9]+"),
        ("/(a", "is not a pattern: unclosed group"),
        ("/a)(b", "unopened group"),
        (large, "too large a pattern"),
        ("/주가/.*", "write %EC%A3%BC%EA%B0%80 instead of 주가"),
        (r"/(a)\1", "backreferences are not supported"),
        ("/(?=a)", "look-around"),
    ] {
        let error = written.parse::<PathRegex>().expect_err(written).to_string();
        assert!(error.contains(part), "{written}: {error}");
    }
}

//! What no normalised path holds is seen in an expression, and nothing else is.

use proptest::prelude::*;

use crate::Normalization;
use crate::normalize::normalize_path;
use crate::path::PathRegex;

fn never(regex: &str) -> Option<String> {
    regex.parse::<PathRegex>().unwrap().never_matches(&Normalization::default())
}

#[test]
fn each_reason_says_what_to_write() {
    for (regex, told) in [
        ("/a//b", "write /"),
        ("/a/(/b)+", "write /"),
        ("/a/(?:x|y)//", "write /"),
        ("/%ea%b0%80/.*", "write %EA"),
        ("/a%2fb", "write %2F"),
        ("/%41", "%41 is decoded: write A"),
        ("/a%zz", "write a literal % as %25"),
        ("/a%00", "%00 is refused"),
        ("/a b", "write %20"),
        (r"/a\sb", "no character that it asks for"),
        ("/[ \t?]", "no character that it asks for"),
        (r"/\x{ac00}", "write %EA%B0%80"),
        (r"/a\?b=1", "and query for parameters"),
        ("/a#b", "a fragment is never sent"),
        (r"/a\\b", "a backslash is refused"),
        (r"/a/\./b", "a segment . is resolved"),
        (r"/a/\.\./.*", "a segment .. is resolved"),
        (r"/a/\.", "a segment . is resolved"),
        (r"/a/(\.\.)", "a segment .. is resolved"),
        ("/(?:a b|c//d)", "write %20"),
        ("/x{2}(?: )", "write %20"),
    ] {
        let why = never(regex).unwrap_or_default();
        assert!(why.contains(told), "{regex}: {why:?}");
    }
    for regex in [
        "/.*",
        "/a/?/b",
        "/a(?:/)?/b",
        "/a(?:/|b)/c",
        "/a/[./]/b",
        "/%EA%B0%80/.*",
        "/a%2F",
        "/a%[0-9a-f]{2}",
        "/(?:a b|c)",
        "/a ?b",
        "/a[ x]b",
        r"/a\.b",
        r"/a/\.\.\.",
        r"/a/\.b",
        "/(?i)%2f",
        "/a%",
        r"/\.*",
        r"/\.{3}",
        "/a/(/b)*",
    ] {
        assert_eq!(never(regex), None, "{regex}");
    }
}

#[test]
fn a_listener_that_keeps_it_may_match_it() {
    let with = |regex: &str, normalization: &str| {
        let normalization = serde_json::from_str(normalization).unwrap();
        regex.parse::<PathRegex>().unwrap().never_matches(&normalization)
    };
    assert_eq!(with("/a//b", r#"{"emptySegments": "keep"}"#), None);
    assert_eq!(with(r"/a\\b", r#"{"backslash": "keep"}"#), None);
    assert_eq!(with("/a%2Fb", r#"{"encodedSlash": "keep"}"#), None);
    assert!(with("/a%2Fb", r#"{"encodedSlash": "reject"}"#).is_some());
    assert!(with("/a//b", r#"{"emptySegments": "reject"}"#).is_some());
}

const PARTS: [&str; 18] = [
    "/", "a", "%2F", "%2f", "%41", r"\.", " ", "[a/]", "[ .]", "(?:a|/)", "(?:/)?", ".", ".*", "%",
    "2", "f", r"\?", "(?: |//)",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_never_matches_matches_no_normalised_path(
        parts in prop::collection::vec(0..PARTS.len(), 0..6),
        paths in prop::collection::vec("[/a%2fF41. ?]{0,8}", 16),
    ) {
        let text: String = parts.iter().map(|part| PARTS[*part]).collect();
        let Ok(regex) = format!("/{text}").parse::<PathRegex>() else { return Ok(()) };
        if regex.never_matches(&Normalization::default()).is_none() {
            return Ok(());
        }
        // The texts that it does match, and others.
        let samples = crate::sample::texts_of(regex.as_str());
        let all = samples.into_iter().chain(paths.iter().map(|path| format!("/{path}")));
        for path in all {
            // A path ends where a query begins.
            let sent = path.split(['?', '#']).next().unwrap_or_default();
            if let Ok(normal) = normalize_path(sent, &Normalization::default()) {
                prop_assert!(!regex.matches(&normal), "{regex} matches {normal}");
            }
        }
    }
}

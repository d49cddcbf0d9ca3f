//! Paths as clients send them, and the one form that they get.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{EmptySegments, Encode, Keep, Normalization, Refusal, Reject, normalize_path};

fn normal(path: &str) -> String {
    normalize_path(path, &Normalization::default()).unwrap().into_owned()
}

#[test]
fn paths_get_one_form() {
    for (path, expected) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/%61%2D%7e", "/a-~"),
        ("/a%2fb%5c", "/a%2Fb%5C"),
        ("/%ec%a3%bc", "/%EC%A3%BC"),
        ("/주", "/%EC%A3%BC"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("//a///b//", "/a/b/"),
        ("/a/...", "/a/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/%252e%252e/a", "/%252e%252e/a"),
        ("/a;x=1,(b)!'*+@:$&=", "/a;x=1,(b)!'*+@:$&="),
    ] {
        assert_eq!(normal(path), expected, "{path}");
    }
}

#[test]
fn what_is_normal_is_not_copied() {
    for path in ["/", "/a/b.c/d", "/a/b/"] {
        assert!(matches!(normalize_path(path, &Normalization::default()), Ok(Cow::Borrowed(_))));
    }
}

#[test]
fn what_cannot_be_one_thing_is_refused() {
    for (path, refusal) in [
        ("a", Refusal::NoSlash),
        ("*", Refusal::NoSlash),
        ("/%", Refusal::Percent),
        ("/%4", Refusal::Percent),
        ("/%zz", Refusal::Percent),
        ("/%00", Refusal::Control),
        ("/a\u{1}", Refusal::Control),
        ("/a\u{7f}", Refusal::Control),
        ("/a\\b", Refusal::Backslash),
    ] {
        assert_eq!(normalize_path(path, &Normalization::default()), Err(refusal), "{path}");
    }
}

#[test]
fn settings_relax_and_tighten() {
    let with = |path: &str, change: fn(&mut Normalization)| {
        let mut options = Normalization::default();
        change(&mut options);
        normalize_path(path, &options).map(Cow::into_owned)
    };
    assert_eq!(with("/a//b", |o| o.empty_segments = EmptySegments::Keep).unwrap(), "/a//b");
    assert_eq!(
        with("/a//b", |o| o.empty_segments = EmptySegments::Reject),
        Err(Refusal::EmptySegment)
    );
    assert_eq!(with("/a%2Fb", |o| o.encoded_slash = Keep::Reject), Err(Refusal::EncodedSlash));
    assert_eq!(with("/주", |o| o.raw_utf8 = Encode::Reject), Err(Refusal::RawUtf8));
    assert_eq!(with("/a\\b", |o| o.backslash = Reject::Keep).unwrap(), "/a\\b");
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(path in "(/|/?[a-zA-Z.%2eEfF5cC;주 ]{0,6}){0,6}") {
        if let Ok(once) = normalize_path(&path, &Normalization::default()) {
            let twice = normalize_path(&once, &Normalization::default()).unwrap();
            prop_assert_eq!(&*twice, &*once);
            prop_assert!(!once.contains("//") && once.starts_with('/'));
            prop_assert!(once.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }
}

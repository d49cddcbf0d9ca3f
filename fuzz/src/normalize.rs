//! Normalisation of paths under every setting, and what is parsed of the same text.

mod reference;

use std::borrow::Cow;

use fairway_snapshot::normalize::{
    EmptySegments, Encode, Keep, Normalization, Reject, normalize_path,
};
use fairway_snapshot::{
    HostPattern, PathMatch, PathPattern, PathRegex, PathTemplate, ValueTemplate,
};

/// Longer expressions take long to compile and say nothing new.
const LONGEST_REGEX: usize = 48;

/// Checks a path, or three lines: a pattern, a template for it, and a path.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    let second = lines.next().unwrap_or(first);
    let third = lines.next().unwrap_or(first);
    for options in every_setting() {
        check_path(third, &options);
    }
    check_host(first);
    if let Some(pattern) = pattern(first) {
        check_template(&pattern, second, third);
    }
    check_template(&PathMatch::Pattern(fixed("/a/{b}/{c}/*")), second, third);
}

fn every_setting() -> impl Iterator<Item = Normalization> {
    let empty = [EmptySegments::Merge, EmptySegments::Keep, EmptySegments::Reject];
    (0..24).map(move |number: usize| {
        let bit = |index: usize| ((number / 3) >> index) % 2 == 1;
        Normalization {
            empty_segments: empty[number % 3],
            encoded_slash: if bit(0) { Keep::Reject } else { Keep::Keep },
            raw_utf8: if bit(1) { Encode::Reject } else { Encode::Encode },
            backslash: if bit(2) { Reject::Keep } else { Reject::Reject },
        }
    })
}

fn check_path(path: &str, options: &Normalization) {
    let normal = match normalize_path(path, options) {
        Ok(normal) => normal,
        Err(refusal) => {
            let deserved = reference::refusals(path, options);
            assert!(
                deserved.contains(&refusal),
                "{path:?} is {refusal:?}, not one of {deserved:?}"
            );
            return;
        }
    };
    let deserved = reference::refusals(path, options);
    assert!(deserved.is_empty(), "{path:?} deserves {deserved:?}, and is {normal:?}");
    assert_eq!(
        reference::segments_of_normal(&normal),
        reference::segments(path, options),
        "{path:?} is {normal:?}"
    );
    check_form(&normal, options);
    if reference::needs_nothing(path) {
        assert!(matches!(normal, Cow::Borrowed(_)), "{path:?} is copied");
        assert_eq!(normal, path);
    }
    let again = normalize_path(&normal, options);
    assert_eq!(again.as_deref(), Ok(&*normal), "{path:?} twice");
}

/// The alphabet and the shape of a normalised path.
fn check_form(normal: &str, options: &Normalization) {
    assert!(normal.starts_with('/'), "{normal:?}");
    for (at, byte) in normal.bytes().enumerate() {
        let good = match byte {
            b'%' => check_triplet(&normal[at..], options),
            b'\\' => options.backslash == Reject::Keep,
            _ => byte.is_ascii_graphic(),
        };
        assert!(good, "byte {at} of {normal:?}");
    }
    assert!(!dotted(normal), "{normal:?}");
    assert!(options.empty_segments == EmptySegments::Keep || !normal.contains("//"), "{normal:?}");
}

/// Whether a triplet is in upper case and stands for what is not written as it is.
fn check_triplet(triplet: &str, options: &Normalization) -> bool {
    let digits = triplet.get(1..3).unwrap_or_default();
    let upper = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
    let Ok(byte) = u8::from_str_radix(digits, 16) else { return false };
    let slash = matches!(byte, b'/' | b'\\') && options.encoded_slash == Keep::Reject;
    upper && byte != 0 && !slash && !reference::unreserved(byte)
}

fn dotted(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

fn check_host(text: &str) {
    let Ok(host) = text.parse::<HostPattern>() else { return };
    let written = host.to_string();
    assert_eq!(written.parse(), Ok(host.clone()), "{text:?}");
    if let HostPattern::Exact(name) = &host {
        assert!(host.matches(name), "{text:?}");
    }
}

fn fixed(text: &str) -> PathPattern {
    text.parse().expect("it is a pattern")
}

/// A pattern, or an expression behind `~`, if the text is one.
fn pattern(text: &str) -> Option<PathMatch> {
    if let Some(expression) = text.strip_prefix('~') {
        if expression.len() > LONGEST_REGEX {
            return None;
        }
        let regex: PathRegex = expression.parse().ok()?;
        assert_eq!(regex.to_string(), expression);
        return Some(PathMatch::Regex { regex });
    }
    let pattern: PathPattern = text.parse().ok()?;
    let written = pattern.as_str();
    assert_eq!(written.parse().as_ref(), Ok(&pattern), "{text:?} is {written:?}");
    if pattern.is_exact() {
        let normal = normalize_path(written, &Normalization::default());
        assert_eq!(normal.as_deref(), Ok(written), "no request has the path {text:?}");
        assert!(pattern.matches(written), "{text:?}");
    }
    let everything = pattern.has_rest() && pattern.segments().next().is_none();
    assert_eq!(everything, pattern == PathPattern::everything(), "{text:?}");
    Some(PathMatch::Pattern(pattern))
}

/// Checks a template for a pattern, and what both make of a path.
fn check_template(pattern: &PathMatch, template: &str, path: &str) {
    let parsed = PathTemplate::parse(template, pattern);
    if let Ok(parsed) = &parsed {
        assert_eq!(parsed.to_string(), template);
    }
    // Values of header fields know the same captures.
    let _ = ValueTemplate::parse(template, pattern);
    let Ok(path) = normalize_path(path, &Normalization::default()) else { return };
    let captures = pattern.captures(&path);
    // What is compared first, to spare the rest, must not say no where the whole says yes.
    assert_eq!(captures.is_some(), pattern.matches(&path), "{pattern} and {path:?}");
    let Some(captures) = captures else { return };
    assert!(path.starts_with(pattern.literal_prefix()), "{pattern} takes {path:?}");
    assert_eq!(captures.len(), pattern.capture_names().len());
    if let PathMatch::Regex { regex } = pattern
        && let Some(same) = regex.as_pattern()
    {
        assert!(same.matches(&path), "{pattern} takes {path:?}, and {same} does not");
    }
    let Ok(parsed) = parsed else { return };
    let made = parsed.expand(&path, &captures);
    assert!(made.starts_with('/'), "{template:?} makes {made:?} of {path:?}");
    assert!(made.bytes().all(|byte| byte.is_ascii_graphic()), "{template:?} makes {made:?}");
    // What an expression takes out of a segment may be dots; that is refused for each request.
    let whole = matches!(pattern, PathMatch::Pattern(_));
    assert!(!whole || !dotted(&made), "{template:?} makes {made:?} of {path:?}");
}

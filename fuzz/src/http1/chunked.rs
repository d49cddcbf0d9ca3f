//! Bodies in chunks: as anybody may write them, and as we do.

use fairway_dataplane::fuzzing::{self, Body, Received};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::{End, MOST_KEPT, Pieces, ReadBody, check_body, cut, read_body, second, show};

const HEAD: &str = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
const NEXT: &str = "GET /next HTTP/1.1\r\nhost: a\r\n\r\n";

/// Checks bytes as a body in chunks, and as what such a body holds.
pub fn check(bytes: &[u8]) {
    check_read(bytes);
    check_written(bytes);
    check_endless(bytes);
}

/// Reads a body; says how many bytes stand behind it.
fn read(mut pieces: Pieces<'_>) -> (ReadBody, usize) {
    let mut received = Received::default();
    let read = read_body(&mut Body::chunked(), &mut received, &mut pieces, true);
    let behind = if read.end == End::Whole { received.kept().len() + pieces.length() } else { 0 };
    (read, behind)
}

fn check_read(bytes: &[u8]) {
    let mut ways = Pieces::ways(bytes).into_iter().map(read);
    let Some((ours, behind)) = ways.next() else { return };
    for other in ways {
        assert_eq!(
            (&other.0, other.1),
            (&ours, behind),
            "it depends on the pieces: {}",
            show(bytes)
        );
    }
    assert!(ours.data.len() <= bytes.len(), "{}", show(bytes));
    // What stands behind the body begins where hyper says that it does.
    let body = &bytes[..bytes.len() - behind];
    let theirs = second::requests(&[HEAD.as_bytes(), body, NEXT.as_bytes()].concat());
    let shown = || show(bytes);
    let Some(first) = theirs.first() else { panic!("hyper takes no head") };
    check_body(&ours, &first.body, &shown);
    if ours.end == End::Whole {
        let next = theirs.get(1).map(|next| next.target.to_string());
        assert_eq!(next.as_deref(), Some("/next"), "{}", shown());
    }
}

/// What we write is read as what it was, by hyper too.
fn check_written(bytes: &[u8]) {
    let mut trailers = HeaderMap::new();
    if let Some((first, rest)) = bytes.split_first()
        && first % 2 == 1
        && let Ok(value) = HeaderValue::from_bytes(rest.trim_ascii())
    {
        trailers.insert(HeaderName::from_static("x-sum"), value);
    }
    let written = fuzzing::chunked(&cut(bytes, 40), Some(&trailers));
    let whole = ReadBody { data: bytes.to_vec(), trailers, end: End::Whole };
    for way in Pieces::ways(&written) {
        let (read, behind) = read(way);
        assert_eq!((&read, behind), (&whole, 0), "{}", show(&written));
    }
    let theirs = second::requests(&[HEAD.as_bytes(), &written].concat());
    assert_eq!(theirs.first().map(|message| &message.body), Some(&whole), "{}", show(&written));
}

/// What never ends is either passed on or refused, and not kept.
fn check_endless(bytes: &[u8]) {
    let last = &bytes[bytes.len().saturating_sub(5)..];
    if last.is_empty() {
        return;
    }
    let more = last.repeat(1 + MOST_KEPT / last.len() / 4);
    let mut left: Vec<&[u8]> = vec![&more; 6];
    left.push(bytes);
    // The check is in the reading.
    let _ = read(Pieces { left });
}

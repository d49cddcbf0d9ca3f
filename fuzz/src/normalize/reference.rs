//! The definition of normalising, on segments of bytes: split first, decode then.

use fairway_snapshot::normalize::{EmptySegments, Encode, Keep, Normalization, Refusal, Reject};

/// A byte of a path, and whether it is written as a triplet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    byte: u8,
    encoded: bool,
}

/// Every reason for which a path may be refused; none when it must be taken.
pub(super) fn refusals(path: &str, options: &Normalization) -> Vec<Refusal> {
    if !path.starts_with('/') {
        return vec![Refusal::NoSlash];
    }
    let (read, malformed) = read(path);
    let mut all: Vec<Refusal> = read.iter().filter_map(|read| of_byte(*read, options)).collect();
    if malformed {
        all.push(Refusal::Percent);
    }
    let mut segments = split(&read);
    segments.pop();
    let empty = segments.iter().any(|segment| segment.is_empty());
    if empty && options.empty_segments == EmptySegments::Reject {
        all.push(Refusal::EmptySegment);
    }
    all
}

fn of_byte(read: Read, options: &Normalization) -> Option<Refusal> {
    let (refusal, applies) = match (read.byte, read.encoded) {
        (0, true) | (0..=0x20 | 0x7F, false) => (Refusal::Control, true),
        (b'/' | b'\\', true) => (Refusal::EncodedSlash, options.encoded_slash == Keep::Reject),
        (b'\\', false) => (Refusal::Backslash, options.backslash == Reject::Reject),
        (0x80.., false) => (Refusal::RawUtf8, options.raw_utf8 == Encode::Reject),
        _ => return None,
    };
    applies.then_some(refusal)
}

/// The bytes of a path, and whether a triplet is malformed; of such a one the `%` is left out.
fn read(path: &str) -> (Vec<Read>, bool) {
    let mut all = Vec::new();
    let mut malformed = false;
    let mut rest = path.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            all.push(Read { byte, encoded: false });
            continue;
        }
        let digits = behind.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                all.push(Read { byte, encoded: true });
                rest = &behind[2..];
            }
            None => malformed = true,
        }
    }
    (all, malformed)
}

/// The segments behind the first slash.
fn split(read: &[Read]) -> Vec<&[Read]> {
    let slash = Read { byte: b'/', encoded: false };
    read.split(|read| *read == slash).skip(1).collect()
}

/// The segments that a path leads to. What ends with a slash ends with an empty one.
pub(super) fn segments(path: &str, options: &Normalization) -> Vec<Vec<Read>> {
    let (read, _) = read(path);
    let mut kept = Vec::new();
    let mut directory = false;
    for segment in split(&read) {
        let bytes: Vec<u8> = segment.iter().map(|read| read.byte).collect();
        directory = matches!(&*bytes, b"" | b"." | b"..");
        match &*bytes {
            b".." => drop(kept.pop()),
            b"." => {}
            b"" if options.empty_segments != EmptySegments::Keep => {}
            _ => kept.push(plain(segment)),
        }
    }
    // Where empty segments are kept, the last of them is there already.
    let there = options.empty_segments == EmptySegments::Keep && path.ends_with('/');
    if directory && !there {
        kept.push(Vec::new());
    }
    kept
}

/// The segments of a path that is normal.
pub(super) fn segments_of_normal(path: &str) -> Vec<Vec<Read>> {
    let (read, _) = read(path);
    split(&read).into_iter().map(plain).collect()
}

/// Bytes that mean the same however they are written. A reserved one that is written as a triplet
/// is another thing than itself (RFC 3986 section 2.2), and so is every other that may stand raw.
fn plain(segment: &[Read]) -> Vec<Read> {
    let same = |byte: u8| unreserved(byte) || !byte.is_ascii();
    segment.iter().map(|read| Read { encoded: read.encoded && !same(read.byte), ..*read }).collect()
}

/// The unreserved characters of RFC 3986 section 2.3.
pub(super) fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a path is normal as it stands, under every setting.
pub(super) fn needs_nothing(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'\\');
    path.bytes().all(plain) && !path.contains("//") && !path.contains("/.")
}

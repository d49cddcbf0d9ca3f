//! HTTP/1.1 as the data plane reads it, however its bytes were cut on their way, and beside it what hyper
//! reads: ours may refuse more, and never less.

pub mod chunked;
pub mod request;
pub mod response;
mod second;

use bytes::Bytes;
use fairway_dataplane::fuzzing::{Body, Part, Received};
use http::HeaderMap;
use http::header::{CONNECTION, HeaderName};

/// The most that may be kept of a body which is not whole: the trailers of one in chunks, in bytes.
const MOST_KEPT: usize = 16 * 1024;
/// The longest message that is also given byte for byte.
const SHORT: usize = 400;

/// A body as far as it came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadBody {
    pub(crate) data: Vec<u8>,
    pub(crate) trailers: HeaderMap,
    pub(crate) end: End,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// It has not: more was to come.
    #[default]
    Open,
    /// As it should.
    Whole,
    /// It is malformed.
    Broken,
}

/// Bytes that come in pieces.
struct Pieces<'a> {
    left: Vec<&'a [u8]>,
}

// === impl Pieces ===

impl<'a> Pieces<'a> {
    /// The next one, if there is one.
    fn next(&mut self, received: &mut Received) -> bool {
        let piece = self.left.pop();
        received.push(piece.unwrap_or_default());
        piece.is_some()
    }

    /// How many bytes have not come yet.
    fn length(&self) -> usize {
        self.left.iter().map(|piece| piece.len()).sum()
    }

    /// Ways to cut bytes: not at all, at places that depend on them, and behind each.
    fn ways(bytes: &'a [u8]) -> Vec<Self> {
        let mut ways = vec![vec![bytes], cut(bytes, 7), cut(bytes, 160)];
        if bytes.len() <= SHORT {
            ways.push(bytes.chunks(1).collect());
        }
        for way in &mut ways {
            way.reverse();
        }
        ways.into_iter().map(|left| Self { left }).collect()
    }
}

/// Cuts bytes into pieces of different lengths, about `length` each, the same ones each time.
fn cut(bytes: &[u8], length: u32) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    // A linear congruential generator, begun from what is cut.
    let mut state =
        bytes.iter().fold(17_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = usize::try_from(1 + (state >> 16) % (2 * length)).unwrap_or(1);
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Takes a body off; `ends` says whether the connection ends behind the last piece.
fn read_body(
    body: &mut Body,
    received: &mut Received,
    pieces: &mut Pieces<'_>,
    ends: bool,
) -> ReadBody {
    let mut read = ReadBody::default();
    loop {
        match body.next(received) {
            Ok(Part::Data(data)) => {
                assert!(!data.is_empty(), "a part without bytes");
                read.data.extend_from_slice(&data);
            }
            Ok(Part::Trailers(trailers)) => {
                assert!(read.trailers.is_empty(), "trailers twice");
                read.trailers = trailers;
            }
            Ok(Part::End) => {
                read.end = End::Whole;
                return read;
            }
            Ok(Part::More) => {
                let kept = received.kept().len();
                assert!(kept <= MOST_KEPT, "{kept} bytes are kept of a body");
                let more = pieces.next(received);
                if !(more || ends && body.end_of_connection()) {
                    return read;
                }
            }
            Err(_) => {
                read.end = End::Broken;
                return read;
            }
        }
    }
}

/// The options of the connection.
fn options(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(CONNECTION).iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// Whether an option of the connection is named.
fn names(headers: &HeaderMap, option: &[u8]) -> bool {
    options(headers).any(|named| named.eq_ignore_ascii_case(option))
}

/// Whether each option of the connection can be the name of a field, as it has to be.
fn names_well(headers: &HeaderMap) -> bool {
    options(headers).all(|named| named.is_empty() || HeaderName::from_bytes(named).is_ok())
}

/// Fields without some of them.
fn without(headers: &HeaderMap, left_out: &[HeaderName]) -> HeaderMap {
    let mut headers = headers.clone();
    for name in left_out {
        headers.remove(name);
    }
    headers
}

/// Whether what we read of a body is no more than hyper does: the same when it is whole.
fn check_body(ours: &ReadBody, theirs: &ReadBody, shown: &dyn Fn() -> String) {
    match ours.end {
        End::Whole => assert_eq!(ours, theirs, "{}", shown()),
        End::Open | End::Broken => {
            let (ours, theirs) = (&ours.data, &theirs.data);
            let same = ours.len().min(theirs.len());
            assert_eq!(ours[..same], theirs[..same], "{}", shown());
        }
    }
}

/// Bytes as text, for messages.
fn show(bytes: &[u8]) -> String {
    format!("{:?}", Bytes::copy_from_slice(bytes))
}

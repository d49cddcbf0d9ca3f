//! HTTP/1.1 as both sides speak it (RFC 9112): what was read and not yet taken, what is to be written,
//! and how a body stands between. Strict before lenient: what two readers could understand in two
//! ways is refused.

mod chunked;
mod decoder;
mod fields;
mod input;
mod output;

use bytes::Bytes;
use http::HeaderMap;

pub(crate) use chunked::Chunked;
pub(crate) use decoder::Decoder;
pub(crate) use fields::{content_length, lines_end_well, options, request_length, stays_open};
pub(crate) use input::Input;
pub(crate) use output::{Framing, Output};

/// A step of taking a body off the bytes of a connection.
#[derive(Debug)]
pub(crate) enum Step {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
    /// Nothing is there, and more will come.
    More,
    End,
}

/// Something that is no HTTP/1.1, with the reason for tests and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

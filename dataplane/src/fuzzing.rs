//! A door for fuzz targets: HTTP/1.1 as it is read and written here, over bytes instead of connections.
//! It is built with the feature `fuzzing` alone, and the binary is built without.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};

use crate::config::Config;
use crate::downstream::request;
use crate::error::ProxyError;
use crate::h1::{Chunked, Decoder, Input, Output, Step};
use crate::upstream::http1::response;

/// What came over a connection and was not taken yet.
#[derive(Debug, Default)]
pub struct Received(Input);

/// What takes a body off what was received.
#[derive(Debug)]
pub struct Body(Decoder);

/// A step of it.
#[derive(Debug)]
pub enum Part {
    /// Bytes of the body.
    Data(Bytes),
    /// The fields behind it; the end follows.
    Trailers(HeaderMap),
    /// Nothing is there, and more will come.
    More,
    /// The body is over.
    End,
}

/// The head of a request, with what takes its body off.
#[derive(Debug)]
pub struct Request {
    /// As it came.
    pub method: Method,
    /// As it came.
    pub target: Uri,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// Every field.
    pub headers: HeaderMap,
    /// Whether another request may come behind it.
    pub keep_alive: bool,
    /// Takes its body off.
    pub body: Body,
}

/// The head of a response, with what takes its body off.
#[derive(Debug)]
pub struct Response {
    /// A final status, or 101.
    pub status: StatusCode,
    /// Every field, but for those of the length that were mended.
    pub headers: HeaderMap,
    /// Whether another request may be sent behind it.
    pub keep_alive: bool,
    /// Whether what follows is of another protocol.
    pub switched: bool,
    /// Takes its body off.
    pub body: Body,
}

/// What is known of a response so far.
#[derive(Debug)]
pub enum Answer {
    /// Its head is not whole yet.
    Partial,
    /// One came before it.
    Interim(StatusCode),
    /// Its head.
    Final(Response),
}

/// A body in chunks, as it is written (RFC 9112 section 7.1); no part may be empty.
#[must_use]
pub fn chunked(parts: &[&[u8]], trailers: Option<&HeaderMap>) -> Vec<u8> {
    let mut output = Output::default();
    let mut written = Vec::new();
    for part in parts {
        output.begin();
        output.chunk(Bytes::copy_from_slice(part), false);
        written.extend(output.waiting());
    }
    output.begin();
    output.last_chunk(trailers);
    written.extend(output.waiting());
    written
}

// === impl Received ===

impl Received {
    /// More has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// What is kept of what has come.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The head of a request within these limits; none as long as it is not whole.
    ///
    /// # Errors
    ///
    /// What a client is told about it.
    pub fn request(&mut self, config: &Config) -> Result<Option<Request>, ProxyError> {
        let Some(parsed) = request::parse(&mut self.0, config)? else { return Ok(None) };
        let head = parsed.head;
        Ok(Some(Request {
            method: head.method,
            target: head.target,
            version: head.version,
            headers: head.headers.to_map(0),
            keep_alive: parsed.keep_alive,
            body: Body(parsed.decoder),
        }))
    }

    /// The head of the response to a request of this method, which asked for this protocol.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn response(
        &mut self,
        method: &Method,
        upgrade: Option<&HeaderValue>,
    ) -> Result<Answer, &'static str> {
        let parsed = response::parse(&mut self.0, method, upgrade);
        Ok(match parsed.map_err(|malformed| malformed.0)? {
            response::Parsed::Partial => Answer::Partial,
            response::Parsed::Interim(head) => Answer::Interim(head.status),
            response::Parsed::Final(parsed) => Answer::Final(Response {
                status: parsed.head.status,
                headers: parsed.head.headers.to_map(0),
                keep_alive: parsed.keep_alive,
                switched: parsed.switched,
                body: Body(parsed.decoder),
            }),
        })
    }
}

// === impl Body ===

impl Body {
    /// A body in chunks, without a head before it.
    #[must_use]
    pub fn chunked() -> Self {
        Self(Decoder::Chunked(Chunked::default()))
    }

    /// The next part that is there.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn next(&mut self, received: &mut Received) -> Result<Part, &'static str> {
        Ok(match self.0.next(&mut received.0).map_err(|malformed| malformed.0)? {
            Step::Data(data) => Part::Data(data),
            Step::Trailers(trailers) => Part::Trailers(*trailers),
            Step::More => Part::More,
            Step::End => Part::End,
        })
    }

    /// The connection has ended; says whether the body may end so.
    pub fn end_of_connection(&mut self) -> bool {
        self.0.end_of_connection()
    }
}

//! Messages of either protocol, as both ends of the matrix read and write them.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::http2;

/// What a connection goes over: a socket, or TLS over one.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection.
pub type BoxIo = Box<dyn Io>;

/// A part of a body.
#[derive(Debug)]
pub enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

/// A body that ended before its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

/// A head of HTTP/1.1: its first line, in words, and its fields.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) first: Vec<String>,
    pub(super) headers: HeaderMap,
}

/// How a body of HTTP/1.1 ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// Reads HTTP/1.1.
pub(super) struct Lines {
    io: ReadHalf<BoxIo>,
    buffer: BytesMut,
}

/// Reads a body.
pub struct Reader {
    from: From,
    /// What came behind what was asked for.
    ahead: VecDeque<Part>,
}

enum From {
    Http1(Lines, Framing),
    Http2(RecvStream),
}

/// Writes a body.
pub enum Writer {
    Http1(WriteHalf<BoxIo>, Ends),
    Http2(SendStream<Bytes>),
}

/// What ends a body of HTTP/1.1 that is written.
#[derive(Clone, Copy, Debug)]
pub enum Ends {
    /// Nothing: its length was said.
    Length,
    LastChunk,
    Connection,
}

// === impl Lines ===

impl Lines {
    pub(super) fn new(io: ReadHalf<BoxIo>) -> Self {
        Self { io, buffer: BytesMut::new() }
    }

    /// Reads what is there; false at the end of the connection.
    async fn more(&mut self) -> bool {
        self.buffer.reserve(64 * 1024);
        self.io.read_buf(&mut self.buffer).await.is_ok_and(|length| length > 0)
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Option<String> {
        let end = loop {
            if let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                break at;
            }
            if !self.more().await {
                return None;
            }
        };
        let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.advance(end + 2);
        Some(line)
    }

    async fn fields(&mut self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else {
                return line.is_empty().then_some(headers);
            };
            let value = HeaderValue::from_str(value.trim()).unwrap();
            headers.append(name.parse::<HeaderName>().unwrap(), value);
        }
    }

    /// The next head; none at the end of the connection.
    pub(super) async fn head(&mut self) -> Option<Head> {
        let first = self.line().await?;
        let first = first.splitn(3, ' ').map(str::to_owned).collect();
        Some(Head { first, headers: self.fields().await? })
    }

    /// Whatever is there, or the end.
    async fn some(&mut self, most: usize) -> Option<Bytes> {
        if self.buffer.is_empty() && !self.more().await {
            return None;
        }
        Some(self.buffer.split_to(most.min(self.buffer.len())).freeze())
    }

    async fn part(&mut self, framing: &mut Framing) -> Result<Part, Broken> {
        match framing {
            Framing::Length(0) => Ok(Part::End),
            Framing::Length(left) => {
                let data = self.some(*left).await.ok_or(Broken)?;
                *left -= data.len();
                Ok(Part::Data(data))
            }
            Framing::UntilClose => Ok(self.some(usize::MAX).await.map_or(Part::End, Part::Data)),
            Framing::Chunked => {
                let line = self.line().await.ok_or(Broken)?;
                let size = usize::from_str_radix(&line, 16).unwrap();
                if size == 0 {
                    *framing = Framing::Length(0);
                    let trailers = self.fields().await.ok_or(Broken)?;
                    return Ok(if trailers.is_empty() {
                        Part::End
                    } else {
                        Part::Trailers(trailers)
                    });
                }
                while self.buffer.len() < size + 2 {
                    if !self.more().await {
                        return Err(Broken);
                    }
                }
                let data = self.buffer.split_to(size).freeze();
                assert_eq!(&self.buffer[..2], b"\r\n", "a chunk of another length");
                self.buffer.advance(2);
                Ok(Part::Data(data))
            }
        }
    }
}

impl Ends {
    /// What the fields of a head say.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key("upgrade") {
            Self::Connection
        } else if headers.contains_key("transfer-encoding") {
            Self::LastChunk
        } else {
            Self::Length
        }
    }
}

impl Framing {
    /// What the fields of a head say; `otherwise` when they say nothing.
    pub(super) fn of(headers: &HeaderMap, otherwise: Self) -> Self {
        let length = headers.get("content-length");
        match length.and_then(|length| length.to_str().ok()?.parse().ok()) {
            Some(length) => Self::Length(length),
            None if headers.contains_key("transfer-encoding") => Self::Chunked,
            None => otherwise,
        }
    }
}

// === impl Reader ===

impl Reader {
    pub(super) fn http1(lines: Lines, framing: Framing) -> Self {
        Self { from: From::Http1(lines, framing), ahead: VecDeque::new() }
    }

    pub(super) fn http2(stream: RecvStream) -> Self {
        Self { from: From::Http2(stream), ahead: VecDeque::new() }
    }

    /// The next part.
    pub async fn next(&mut self) -> Result<Part, Broken> {
        if let Some(part) = self.ahead.pop_front() {
            return Ok(part);
        }
        match &mut self.from {
            From::Http1(lines, framing) => lines.part(framing).await,
            From::Http2(stream) => match http2::next(stream).await {
                Some(Ok(data)) => Ok(Part::Data(data)),
                Some(Err(_)) => Err(Broken),
                None => match stream.trailers().await {
                    Ok(Some(trailers)) => Ok(Part::Trailers(trailers)),
                    Ok(None) => Ok(Part::End),
                    Err(_) => Err(Broken),
                },
            },
        }
    }

    /// So many bytes.
    pub async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Broken> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let Part::Data(mut data) = self.next().await? else { return Err(Broken) };
            let taken = data.split_to(data.len().min(length - bytes.len()));
            bytes.extend_from_slice(&taken);
            if !data.is_empty() {
                self.ahead.push_front(Part::Data(data));
            }
        }
        Ok(bytes)
    }

    /// Everything, with the trailers.
    pub async fn all(&mut self) -> Result<(Vec<u8>, HeaderMap), Broken> {
        let mut bytes = Vec::new();
        loop {
            match self.next().await? {
                Part::Data(data) => bytes.extend_from_slice(&data),
                Part::Trailers(trailers) => return Ok((bytes, trailers)),
                Part::End => return Ok((bytes, HeaderMap::new())),
            }
        }
    }

    /// What follows is of another protocol, until the connection ends.
    pub(super) fn until_close(&mut self) {
        if let From::Http1(_, framing) = &mut self.from {
            *framing = Framing::UntilClose;
        }
    }

    /// Waits until the other side is gone, or says what it sent instead.
    pub async fn gone(&mut self) -> bool {
        match &mut self.from {
            From::Http1(lines, _) => !lines.more().await,
            From::Http2(_) => self.next().await.is_err(),
        }
    }
}

// === impl Writer ===

impl Writer {
    /// Sends a part; says whether it was taken.
    pub async fn send(&mut self, data: Bytes) -> bool {
        match self {
            Self::Http1(io, Ends::Length | Ends::Connection) => io.write_all(&data).await.is_ok(),
            Self::Http1(io, Ends::LastChunk) => {
                let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
                bytes.extend_from_slice(&data);
                bytes.extend_from_slice(b"\r\n");
                io.write_all(&bytes).await.is_ok() && io.flush().await.is_ok()
            }
            Self::Http2(stream) => http2::send(stream, data, false).await,
        }
    }

    /// Ends the body.
    pub async fn end(self) {
        self.finish(HeaderMap::new()).await;
    }

    /// Ends the body with trailers. The connection stays open until both directions are dropped.
    pub async fn finish(self, trailers: HeaderMap) {
        match self {
            Self::Http1(_, Ends::Length) => {}
            Self::Http1(mut io, Ends::LastChunk) => {
                let _ = io.write_all(&lines("0", &trailers)).await;
                let _ = io.flush().await;
            }
            Self::Http1(mut io, Ends::Connection) => {
                let _ = io.shutdown().await;
            }
            Self::Http2(mut stream) if trailers.is_empty() => {
                let _ = stream.send_data(Bytes::new(), true);
            }
            Self::Http2(mut stream) => {
                let _ = stream.send_trailers(trailers);
            }
        }
    }

    /// Breaks the body off.
    pub fn break_off(self, reason: Reason) {
        // HTTP/1.1 has no word for it but the end of the connection.
        if let Self::Http2(mut stream) = self {
            stream.send_reset(reason);
        }
    }
}

/// A head, or trailers, as HTTP/1.1 writes them.
pub(super) fn lines(first: &str, headers: &HeaderMap) -> Vec<u8> {
    let mut bytes = format!("{first}\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

//! The clients of the matrix: a request of either protocol, step by step.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use http::{HeaderMap, Method, Request, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Downstream;
use super::wire::{BoxIo, Ends, Framing, Lines, Reader, Writer, lines};
use crate::eventually::eventually;
use crate::http2::Http2;

/// What stands in every request.
const HOST: &str = "matrix.example";

/// A client with what it needs for requests.
pub struct Client {
    address: SocketAddr,
    speaks: Downstream,
    /// The connection of HTTP/2, which all its requests share.
    shared: Option<Http2>,
}

/// A request that was begun.
pub struct Call {
    /// Its body.
    pub writer: Writer,
    /// Its answer.
    pub answer: Answer,
}

/// The answer to a request.
pub enum Answer {
    Http1(Lines1),
    Http2(ResponseFuture),
}

/// A connection of HTTP/1.1 before its answer.
pub struct Lines1(Lines);

/// The head of an answer.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
}

/// A socket that passes small parts on at once.
pub async fn connect(address: SocketAddr) -> BoxIo {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    Box::new(stream)
}

// === impl Client ===

impl Client {
    pub async fn new(address: SocketAddr, speaks: Downstream) -> Self {
        let shared = match speaks {
            Downstream::Http1 => None,
            Downstream::Http2 => Some(Http2::over(connect(address).await).await),
        };
        Self { address, speaks, shared }
    }

    /// Begins a request; `more` says whether a body follows.
    pub async fn begin(
        &self,
        method: Method,
        path: &str,
        fields: &[(&'static str, &'static str)],
        more: bool,
    ) -> Call {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        match (&self.shared, self.speaks) {
            (Some(shared), _) => {
                let uri = format!("http://{HOST}{path}");
                let mut request = Request::builder().method(method).uri(uri).body(()).unwrap();
                *request.headers_mut() = headers;
                Self::stream(&shared.sender, request, more).await
            }
            (None, Downstream::Http1 | Downstream::Http2) => {
                headers.insert("host", HOST.parse().unwrap());
                if more && !headers.contains_key("content-length") {
                    headers.insert("transfer-encoding", "chunked".parse().unwrap());
                }
                self.line(&format!("{method} {path} HTTP/1.1"), &headers).await
            }
        }
    }

    async fn stream(sender: &SendRequest<Bytes>, request: Request<()>, more: bool) -> Call {
        let mut sender = sender.clone();
        std::future::poll_fn(|cx| sender.poll_ready(cx)).await.unwrap();
        let (answer, stream) = sender.send_request(request, !more).unwrap();
        Call { writer: Writer::Http2(stream), answer: Answer::Http2(answer) }
    }

    async fn line(&self, first: &str, headers: &HeaderMap) -> Call {
        let (reads, mut io) = tokio::io::split(connect(self.address).await);
        io.write_all(&lines(first, headers)).await.unwrap();
        let answer = Answer::Http1(Lines1(Lines::new(reads)));
        Call { writer: Writer::Http1(io, Ends::of(headers)), answer }
    }

    /// Asks for WebSocket, as each protocol does (RFC 6455 section 4.1, RFC 8441 section 5).
    pub async fn switch(&self, path: &str) -> Call {
        let Some(shared) = &self.shared else {
            let mut headers = HeaderMap::new();
            for (name, value) in [
                ("host", HOST),
                ("connection", "Upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ] {
                headers.insert(name, value.parse().unwrap());
            }
            return self.line(&format!("GET {path} HTTP/1.1"), &headers).await;
        };
        eventually("settings have come", || async {
            shared.sender.is_extended_connect_protocol_enabled().then_some(())
        })
        .await;
        let request = Request::connect(format!("http://{HOST}{path}"));
        let mut request = request.header("sec-websocket-version", "13").body(()).unwrap();
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        Self::stream(&shared.sender, request, true).await
    }
}

// === impl Answer ===

impl Answer {
    /// The next head that only comes before the final one.
    pub async fn interim(&mut self) -> Answered {
        match self {
            Self::Http1(lines) => lines.head().await.expect("an interim answer"),
            Self::Http2(answer) => {
                let next = std::future::poll_fn(|cx| answer.poll_informational(cx)).await;
                let (head, ()) = next.expect("an interim answer").unwrap().into_parts();
                Answered { status: head.status.as_u16(), headers: head.headers }
            }
        }
    }

    /// The final head, with its body; none when the connection or the stream ends before.
    pub async fn head(self) -> Option<(Answered, Reader)> {
        match self {
            Self::Http1(mut lines) => {
                let head = lines.head().await?;
                let framing = match head.status {
                    204 | 304 => Framing::Length(0),
                    _ => Framing::of(&head.headers, Framing::UntilClose),
                };
                Some((head, Reader::http1(lines.0, framing)))
            }
            Self::Http2(answer) => {
                let (head, stream) = answer.await.ok()?.into_parts();
                let head = Answered { status: head.status.as_u16(), headers: head.headers };
                Some((head, Reader::http2(stream)))
            }
        }
    }

    /// The final head when it is a good one, with its body.
    pub async fn ok(self) -> Reader {
        let (head, reader) = self.head().await.expect("an answer");
        assert_eq!(head.status, StatusCode::OK.as_u16(), "{:?}", head.headers);
        reader
    }
}

// === impl Lines1 ===

impl Lines1 {
    async fn head(&mut self) -> Option<Answered> {
        let head = self.0.head().await?;
        let status = head.first.get(1)?.parse().ok()?;
        Some(Answered { status, headers: head.headers })
    }
}

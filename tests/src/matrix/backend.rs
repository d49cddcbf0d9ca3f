//! The backends of the matrix: one behaviour for each path, whichever protocol they speak.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{HeaderMap, Response, StatusCode};
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::wire::{BoxIo, Ends, Framing, Lines, Part, Reader, Writer, lines};
use super::{Digest, Parts, Upstream, grpc, tokens};
use crate::http2::FRAMES_MAY_COST;

/// How long a backend goes on reading what it does not want, so that its answer arrives.
const LINGER: Duration = Duration::from_secs(5);

/// A backend of one protocol.
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    pub(super) signals: Arc<Signals>,
}

/// What a backend and the client of the same cell tell each other beside the gateway.
pub(super) struct Signals {
    /// The backend may take its next step.
    pub(super) steps: Semaphore,
    /// The backend has seen that the client is gone.
    pub(super) gone: Semaphore,
    /// Bursts of tokens that were sent whole.
    pub(super) bursts: AtomicUsize,
    /// Connections that were opened.
    pub(super) connections: AtomicUsize,
}

/// A request as a backend gets it.
pub(super) struct Exchange {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) reader: Reader,
    pub(super) to: To,
    pub(super) signals: Arc<Signals>,
}

/// Where the answer goes.
pub(super) enum To {
    Http1(WriteHalf<BoxIo>),
    Http2(SendResponse<Bytes>),
}

// === impl Backend ===

impl Backend {
    /// Starts one on a free port.
    pub async fn start(speaks: Upstream) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let signals = Arc::new(Signals {
            steps: Semaphore::new(0),
            gone: Semaphore::new(0),
            bursts: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        });
        let told = Arc::clone(&signals);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let told = Arc::clone(&told);
                told.connections.fetch_add(1, Relaxed);
                tokio::spawn(async move {
                    if speaks.is_http2() {
                        serve_http2(Box::new(stream), told).await;
                    } else {
                        serve_http1(Box::new(stream), told).await;
                    }
                });
            }
        });
        Self { address, signals }
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.signals.connections.load(Relaxed)
    }
}

/// One request; those that follow get connections of their own.
async fn serve_http1(io: BoxIo, signals: Arc<Signals>) {
    let (reads, writes) = tokio::io::split(io);
    let mut lines = Lines::new(reads);
    let Some(head) = lines.head().await else { return };
    let path = head.first.get(1).cloned().unwrap_or_default();
    let framing = Framing::of(&head.headers, Framing::Length(0));
    let reader = Reader::http1(lines, framing);
    let to = To::Http1(writes);
    answer(Exchange { path, headers: head.headers, reader, to, signals }).await;
}

async fn serve_http2(io: BoxIo, signals: Arc<Signals>) {
    let mut builder = h2::server::Builder::new();
    builder.data_frame_budget(FRAMES_MAY_COST);
    let Ok(mut codec) = builder.handshake(io).await else { return };
    while let Some(Ok((request, to))) = codec.accept().await {
        let (head, stream) = request.into_parts();
        tokio::spawn(answer(Exchange {
            path: head.uri.path().to_owned(),
            headers: head.headers,
            reader: Reader::http2(stream),
            to: To::Http2(to),
            signals: Arc::clone(&signals),
        }));
    }
}

/// What each path does.
async fn answer(exchange: Exchange) {
    let path = exchange.path.clone();
    let mut words = path.split('/').skip(2).skip_while(|word| *word == "small");
    let what = words.next().unwrap_or_default();
    let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
    match what {
        "hash" => hash(exchange).await,
        "late" => {
            exchange.signals.steps.acquire().await.unwrap().forget();
            hash(exchange).await;
        }
        "bytes" => bytes(exchange, number()).await,
        "echo" => echo(exchange).await,
        "events" => events(exchange, number()).await,
        "paced" => paced(exchange, number()).await,
        "continue" => proceed(exchange).await,
        "hints" => hints(exchange).await,
        "early" => early(exchange).await,
        "waits" => waits(exchange).await,
        "breaks" => breaks(exchange).await,
        "ends" => ends(exchange),
        "socket" => socket(exchange).await,
        "tokens" => tokens::serve(exchange, number(), number(), number()).await,
        _ => grpc::serve(exchange, what).await,
    }
}

/// Length and hash of the body, and how it was told.
async fn hash(mut exchange: Exchange) {
    let Ok(told) = Digest::read(&mut exchange.reader).await else { return };
    let mut writer = exchange.to.head(200, &[("x-path", &exchange.path)]).await;
    writer.send(told.into()).await;
    writer.end().await;
}

async fn bytes(exchange: Exchange, size: u64) {
    let length = size.to_string();
    let mut writer = exchange.to.head(200, &[("content-length", &length)]).await;
    if Parts::new(size).send(&mut writer).await {
        writer.end().await;
    }
}

/// Each part goes back as it comes, and the trailers behind them.
async fn echo(mut exchange: Exchange) {
    let mut writer = exchange.to.head(200, &[("trailer", "x-sum")]).await;
    loop {
        match exchange.reader.next().await {
            Ok(Part::Data(data)) => {
                if !writer.send(data).await {
                    return;
                }
            }
            Ok(Part::Trailers(trailers)) => return writer.finish(trailers).await,
            Ok(Part::End) => return writer.end().await,
            Err(_) => return writer.break_off(Reason::INTERNAL_ERROR),
        }
    }
}

/// Events, each when the client says that it has the one before.
async fn events(exchange: Exchange, count: u64) {
    let mut writer = exchange.to.head(200, &[("content-type", "text/event-stream")]).await;
    for number in 0..count {
        exchange.signals.steps.acquire().await.unwrap().forget();
        if !writer.send(tokens::event(number)).await {
            return;
        }
    }
    writer.end().await;
}

/// Events, one each 10 ms.
async fn paced(exchange: Exchange, count: u64) {
    let mut writer = exchange.to.head(200, &[("content-type", "text/event-stream")]).await;
    for number in 0..count {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if !writer.send(tokens::event(number)).await {
            return;
        }
    }
    writer.end().await;
}

/// Asks for the body, and says whether the client had told that it would wait.
async fn proceed(mut exchange: Exchange) {
    exchange.to.interim(100, &[]).await;
    let told = Digest::read(&mut exchange.reader).await.unwrap_or_default();
    let expected = exchange.headers.get("expect").map_or("", |value| value.to_str().unwrap());
    let mut writer = exchange.to.head(200, &[]).await;
    writer.send(format!("{expected} {told}").into()).await;
    writer.end().await;
}

async fn hints(mut exchange: Exchange) {
    exchange.to.interim(103, &[("link", "</a.css>; rel=preload")]).await;
    let mut writer = exchange.to.head(200, &[]).await;
    writer.send("hinted".into()).await;
    writer.end().await;
}

/// Refuses before the body has come, and reads no more of it than it must.
async fn early(mut exchange: Exchange) {
    let mut writer = exchange.to.head(413, &[]).await;
    writer.send("too much".into()).await;
    writer.end().await;
    let rest = async { while matches!(exchange.reader.next().await, Ok(Part::Data(_))) {} };
    let _ = tokio::time::timeout(LINGER, rest).await;
}

/// Begins an answer, and tells when nobody is there any more who wants it.
async fn waits(mut exchange: Exchange) {
    let mut writer = exchange.to.head(200, &[]).await;
    writer.send("begun".into()).await;
    let gone = match &mut writer {
        Writer::Http1(..) => exchange.reader.gone().await,
        Writer::Http2(stream) => std::future::poll_fn(|cx| stream.poll_reset(cx)).await.is_ok(),
    };
    if gone {
        exchange.signals.gone.add_permits(1);
    }
}

/// Begins an answer, and breaks it off when the client has that much.
async fn breaks(exchange: Exchange) {
    let mut writer = exchange.to.head(200, &[]).await;
    writer.send("begun".into()).await;
    exchange.signals.steps.acquire().await.unwrap().forget();
    writer.break_off(Reason::INTERNAL_ERROR);
}

fn ends(exchange: Exchange) {
    if let To::Http2(mut to) = exchange.to {
        to.send_reset(Reason::INTERNAL_ERROR);
    }
}

/// Switches when it is asked to, and sends back what it gets.
async fn socket(mut exchange: Exchange) {
    let asked = exchange.headers.contains_key("upgrade");
    let To::Http1(mut io) = exchange.to else {
        let mut writer = exchange.to.head(200, &[]).await;
        writer.send("no switch".into()).await;
        return writer.end().await;
    };
    assert!(asked, "a backend of HTTP/1.1 was not asked to switch");
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        // The answer to the key of RFC 6455 section 1.3.
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    io.write_all(&lines("HTTP/1.1 101 Switching Protocols", &headers)).await.unwrap();
    exchange.reader.until_close();
    let mut writer = Writer::Http1(io, Ends::Connection);
    while let Ok(Part::Data(data)) = exchange.reader.next().await {
        if !writer.send(data).await {
            return;
        }
    }
    writer.end().await;
}

// === impl To ===

impl To {
    /// An answer that only comes before the final one.
    async fn interim(&mut self, status: u16, fields: &[(&'static str, &str)]) {
        let status = StatusCode::from_u16(status).unwrap();
        match self {
            Self::Http1(io) => {
                let first = format!("HTTP/1.1 {status}");
                io.write_all(&lines(&first, &map(fields))).await.unwrap();
            }
            Self::Http2(to) => {
                let mut head = Response::builder().status(status).body(()).unwrap();
                *head.headers_mut() = map(fields);
                to.send_informational(head).unwrap();
            }
        }
    }

    /// The final head; a body follows.
    pub(super) async fn head(self, status: u16, fields: &[(&'static str, &str)]) -> Writer {
        let status = StatusCode::from_u16(status).unwrap();
        let mut headers = map(fields);
        match self {
            Self::Http1(mut io) => {
                if !headers.contains_key("content-length") {
                    headers.insert("transfer-encoding", "chunked".parse().unwrap());
                }
                headers.insert("connection", "close".parse().unwrap());
                let _ = io.write_all(&lines(&format!("HTTP/1.1 {status}"), &headers)).await;
                Writer::Http1(io, Ends::of(&headers))
            }
            Self::Http2(mut to) => {
                let mut head = Response::builder().status(status).body(()).unwrap();
                *head.headers_mut() = headers;
                Writer::Http2(to.send_response(head, false).expect("a stream that is there"))
            }
        }
    }
}

fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &str)| {
        (http::HeaderName::from_static(name), value.parse().unwrap())
    };
    fields.iter().map(field).collect()
}

//! Clients of HTTP/2: one that speaks it well, and one that sends the frames that a test wrote.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::Answer;
use crate::origin::Raw;

/// What the frames of bodies may cost an end of a test, in bytes: as much as they like. The codec closes a
/// connection over which many small ones come faster than they are taken, and neither a client nor a
/// backend of a test stands for those who would.
pub const FRAMES_MAY_COST: usize = 1 << 30;

/// A connection with prior knowledge (RFC 9113 section 3.3).
pub struct Http2 {
    pub sender: SendRequest<Bytes>,
    /// Ends with the connection, with its error as text.
    pub ended: tokio::task::JoinHandle<Option<String>>,
}

impl Http2 {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream).await
    }

    /// Over a connection that is there already.
    pub async fn over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // A stream that is not read must leave room for the others.
        let mut builder = Builder::new();
        builder.initial_window_size(64 * 1024).initial_connection_window_size(1024 * 1024);
        builder.data_frame_budget(FRAMES_MAY_COST);
        let (sender, connection) = builder.handshake(stream).await.unwrap();
        let ended =
            tokio::spawn(async move { connection.await.err().map(|error| error.to_string()) });
        Self { sender, ended }
    }

    /// Begins a request; `more` says whether a body follows.
    pub async fn begin(
        &mut self,
        request: Request<()>,
        more: bool,
    ) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
        std::future::poll_fn(|cx| self.sender.poll_ready(cx)).await.unwrap();
        self.sender.send_request(request, !more).unwrap()
    }

    /// A whole exchange without a body.
    pub async fn ask(&mut self, request: Request<()>) -> Answer {
        let (answer, _) = self.begin(request, false).await;
        whole(answer.await.unwrap()).await
    }

    /// A plain GET.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask(Request::get(format!("http://test.example{path}")).body(()).unwrap()).await
    }
}

/// Reads an answer to its end.
pub async fn whole(answer: Response<RecvStream>) -> Answer {
    let (parts, mut stream) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(part) = next(&mut stream).await {
        body.extend_from_slice(&part.expect("a whole body"));
    }
    let trailers = stream.trailers().await.unwrap().unwrap_or_default();
    let text = |headers: &HeaderMap| {
        let fields = headers.iter();
        fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    };
    Answer {
        status: parts.status.as_u16(),
        reason: String::new(),
        headers: text(&parts.headers),
        body,
        trailers: text(&trailers),
    }
}

/// The next part of a body, whose room is given back.
pub async fn next(stream: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    loop {
        let part = stream.data().await?;
        if let Ok(part) = &part {
            stream.flow_control().release_capacity(part.len()).unwrap();
        }
        // The end may come as a part of no bytes.
        if !part.as_ref().is_ok_and(Bytes::is_empty) {
            return Some(part);
        }
    }
}

/// Sends a part when there is room for it.
pub async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes, last: bool) -> bool {
    if data.is_empty() {
        return stream.send_data(data, last).is_ok();
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
            Some(Ok(0)) => {}
            Some(Ok(room)) => {
                let part = data.split_to(room.min(data.len()));
                if stream.send_data(part, last && data.is_empty()).is_err() {
                    return false;
                }
            }
            _ => return false,
        }
    }
    true
}

/// A frame as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct RawFrame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// A frame as bytes (RFC 9113 section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The fields of a head without compression (RFC 7541 section 6.2.2).
pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            let length = u8::try_from(text.len()).unwrap();
            assert!(length < 127);
            block.push(length);
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The head of a plain GET.
pub fn get_fields(path: &str) -> Vec<u8> {
    fields(&[(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a")])
}

/// A connection of frames.
pub struct Frames {
    stream: TcpStream,
}

impl Frames {
    /// Connects, and says preface and settings.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[]).await
    }

    /// The same, with more in the same piece.
    pub async fn connect_with(address: SocketAddr, more: &[u8]) -> Self {
        let mut frames = Self { stream: TcpStream::connect(address).await.unwrap() };
        let settings = frame(SETTINGS, 0, 0, &[]);
        let begin = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings, more].concat();
        assert!(frames.send(&begin).await);
        frames
    }

    /// Sends bytes; says whether they were taken.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = tokio::time::timeout(Duration::from_secs(5), self.stream.write_all(bytes));
        sent.await.is_ok_and(|sent| sent.is_ok())
    }

    /// The next frame; none at the end of the connection.
    pub async fn next(&mut self) -> Option<RawFrame> {
        let read = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.ok()?;
            let [high, middle, low, kind, flags, stream @ ..] = head;
            let length = u32::from_be_bytes([0, high, middle, low]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some(RawFrame { kind, flags, stream: u32::from_be_bytes(stream), payload })
        };
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("something in time")
    }

    /// Reads until a frame of this kind comes; none at the end of the connection.
    pub async fn until(&mut self, kind: u8) -> Option<RawFrame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// The error of the GOAWAY that ends the connection.
    pub async fn goaway(&mut self) -> Option<u32> {
        let frame = self.until(GOAWAY).await?;
        Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()))
    }
}

/// A stream as a script gets it.
pub type Stream = (Request<RecvStream>, SendResponse<Bytes>);

/// A backend of HTTP/2 that answers each stream by a script, which gets the number of the connection, from
/// 0, and the stream; one that says true ends the connection with GOAWAY.
pub async fn origin<F, S>(script: S) -> Raw
where
    F: Future<Output = bool> + Send + 'static,
    S: Fn(usize, Stream) -> F + Clone + Send + 'static,
{
    Raw::start(move |number, stream| {
        serve(h2::server::Builder::new(), number, stream, script.clone())
    })
    .await
}

/// Serves a connection of HTTP/2 by such a script.
pub async fn serve<T, F, S>(builder: h2::server::Builder, number: usize, stream: T, script: S)
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = bool> + Send + 'static,
    S: Fn(usize, Stream) -> F + Clone + Send + 'static,
{
    let Ok(mut codec) = builder.handshake(stream).await else { return };
    let (ends, mut ended) = tokio::sync::mpsc::unbounded_channel();
    loop {
        tokio::select! {
            stream = codec.accept() => {
                let Some(Ok(stream)) = stream else { break };
                let (ends, script) = (ends.clone(), script.clone());
                tokio::spawn(async move {
                    if script(number, stream).await {
                        let _ = ends.send(());
                    }
                });
            }
            _ = ended.recv() => codec.graceful_shutdown(),
        }
    }
}

/// Sends a whole answer.
pub async fn answer(mut to: SendResponse<Bytes>, head: Response<()>, body: &[u8]) {
    let Ok(mut stream) = to.send_response(head, body.is_empty()) else { return };
    if !body.is_empty() {
        send(&mut stream, Bytes::copy_from_slice(body), true).await;
    }
}

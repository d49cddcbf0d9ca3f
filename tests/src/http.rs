//! A client that sends exactly the bytes that a test wrote, and reads what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// An answer, split but not interpreted.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The fields behind a body in chunks.
    pub trailers: Vec<(String, String)>,
}

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Every value of a header.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The machine word of a problem.
    pub fn problem(&self) -> String {
        self.json()["reason"].as_str().unwrap_or_default().to_owned()
    }
}

/// What a connection goes over.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection of a client.
pub struct Client {
    stream: Stream,
    buffer: Vec<u8>,
    /// How long it waits for the next bytes of an answer.
    pub patience: Duration,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    /// Over a connection that is there already.
    pub fn over(stream: TcpStream) -> Self {
        // A connection that was refused has nothing to set.
        let _ = stream.set_nodelay(true);
        Self::new(Stream::Plain(stream))
    }

    /// Over TLS.
    pub fn secured(stream: TlsStream<TcpStream>) -> Self {
        Self::new(Stream::Tls(Box::new(stream)))
    }

    fn new(stream: Stream) -> Self {
        Self { stream, buffer: Vec::new(), patience: Duration::from_secs(20) }
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).await,
            Stream::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    /// Sends text as it is.
    pub async fn send(&mut self, text: &str) {
        self.write(text.as_bytes()).await.unwrap();
    }

    /// Sends bytes as they are; says whether they were taken.
    pub async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.write(bytes).await.is_ok()
    }

    /// Ends its side of the connection.
    pub async fn finish(&mut self) {
        match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown().await.unwrap(),
            Stream::Tls(stream) => stream.shutdown().await.unwrap(),
        }
    }

    /// Ends the connection without a word.
    pub fn reset(self) {
        let Stream::Plain(stream) = self.stream else { return };
        stream.set_zero_linger().unwrap();
    }

    /// Reads the head of an answer; none when the connection ends before.
    pub async fn try_head(&mut self) -> Option<Answer> {
        while find(&self.buffer, b"\r\n\r\n").is_none() {
            if !self.more().await {
                return None;
            }
        }
        Some(self.head().await)
    }

    /// Reads the head of an answer.
    pub async fn head(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            assert!(
                self.more().await,
                "closed in the head: {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default();
        let mut words = first.splitn(3, ' ').skip(1);
        Answer {
            status: words.next().and_then(|word| word.parse().ok()).unwrap_or_default(),
            reason: words.next().unwrap_or_default().to_owned(),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ..Answer::default()
        }
    }

    /// Reads a whole answer, past those that only come before it, framed by `Content-Length`, chunks, or the end of the connection.
    pub async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        while matches!(answer.status, 102 | 103) {
            answer = self.head().await;
        }
        let chunked = answer.header("transfer-encoding").is_some();
        let length = answer.header("content-length").and_then(|value| value.parse().ok());
        answer.body = match length {
            _ if matches!(answer.status, 100 | 204 | 304) => Vec::new(),
            Some(length) => self.exactly(length).await,
            None if chunked => self.chunks(&mut answer.trailers).await,
            None => self.rest().await,
        };
        answer
    }

    /// Reads so many bytes of a body.
    pub async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.more().await, "closed after {} of {length} bytes", self.buffer.len());
        }
        self.buffer.drain(..length).collect()
    }

    /// Reads a line, without its end.
    async fn line(&mut self) -> Option<String> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                break at;
            }
            if !self.more().await {
                return None;
            }
        };
        let line = String::from_utf8(self.buffer[..end].to_vec()).ok();
        self.buffer.drain(..end + 2);
        line
    }

    /// Reads one chunk; the last is empty, and is followed by trailers and an empty line.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line().await?, 16).ok()?;
        if size == 0 {
            return Some(Vec::new());
        }
        while self.buffer.len() < size + 2 {
            if !self.more().await {
                return None;
            }
        }
        let chunk = self.buffer.drain(..size).collect();
        self.buffer.drain(..2);
        Some(chunk)
    }

    async fn chunks(&mut self, trailers: &mut Vec<(String, String)>) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await {
            if chunk.is_empty() {
                break;
            }
            body.extend(chunk);
        }
        while let Some(line) = self.line().await.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
            trailers.push((name.to_owned(), value.to_owned()));
        }
        body
    }

    /// Reads until the connection ends.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Reads what is there; false at the end of the connection.
    async fn more(&mut self) -> bool {
        let mut part = [0; 16 * 1024];
        let read = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut part).await,
                Stream::Tls(stream) => stream.read(&mut part).await,
            }
        };
        let read = tokio::time::timeout(self.patience, read);
        match read.await.expect("something in time") {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.buffer.extend_from_slice(&part[..length]);
                true
            }
        }
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: &str) -> Answer {
        self.send(request).await;
        // An answer to HEAD has no body, whatever its length says.
        if request.starts_with("HEAD ") {
            return self.head().await;
        }
        self.answer().await
    }
}

/// One request over a connection of its own.
pub async fn ask(address: SocketAddr, request: &str) -> Answer {
    Client::connect(address).await.ask(request).await
}

/// A plain GET.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: test.example\r\n\r\n")).await
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

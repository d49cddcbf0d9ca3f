//! Backends of mirrors: one that tells what it got, byte for byte, and one that never answers.

use fairway_tests::eventually::PATIENCE;
use fairway_tests::origin::{Raw, read_head, write};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

/// A request, byte for byte; chunks are told from their framing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    pub(super) trailers: String,
}

/// A backend that tells what it got, and answers each request with the same bytes.
pub(super) struct Recorder {
    pub(super) raw: Raw,
    got: mpsc::UnboundedReceiver<Got>,
    /// Bytes of bodies so far.
    bytes: watch::Receiver<usize>,
}

impl Recorder {
    pub(super) async fn start(answer: &'static str) -> Self {
        let (told, got) = mpsc::unbounded_channel();
        let (progress, bytes) = watch::channel(0);
        let raw = Raw::start(move |_, mut stream| {
            let (told, progress) = (told.clone(), progress.clone());
            async move {
                while let Some(request) = read(&mut stream, &progress).await {
                    let _ = told.send(request);
                    write(&mut stream, answer).await;
                }
            }
        })
        .await;
        Self { raw, got, bytes }
    }

    /// Waits until so many bytes of bodies have come.
    pub(super) async fn has(&mut self, bytes: usize) {
        let come = self.bytes.wait_for(|come| *come >= bytes);
        tokio::time::timeout(PATIENCE, come).await.expect("the bytes in time").unwrap();
    }

    pub(super) async fn next(&mut self) -> Got {
        let next = tokio::time::timeout(PATIENCE, self.got.recv()).await;
        next.expect("a request in time").unwrap()
    }

    pub(super) fn backend(&self) -> String {
        backend(&self.raw)
    }
}

pub(super) fn backend(raw: &Raw) -> String {
    format!("host: 127.0.0.1, port: {}", raw.address.port())
}

/// Reads a whole request; `None` when the connection ends before.
async fn read(stream: &mut TcpStream, progress: &watch::Sender<usize>) -> Option<Got> {
    let head = read_head(stream).await;
    if !head.ends_with("\r\n\r\n") {
        return None;
    }
    let field = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::to_owned)
    };
    let (mut body, mut trailers) = (Vec::new(), String::new());
    if let Some(length) = field("content-length") {
        body.resize(length.parse().unwrap(), 0);
        fill(stream, &mut body, progress).await?;
    } else if field("transfer-encoding").is_some() {
        let mut stream = BufReader::new(stream);
        loop {
            let size = usize::from_str_radix(&line(&mut stream).await?, 16).unwrap();
            if size == 0 {
                break;
            }
            let begin = body.len();
            body.resize(begin + size, 0);
            fill(&mut stream, &mut body[begin..], progress).await?;
            line(&mut stream).await?;
        }
        loop {
            match line(&mut stream).await? {
                end if end.is_empty() => break,
                trailer => trailers.push_str(&trailer),
            }
        }
    }
    Some(Got { head, body, trailers })
}

async fn fill(
    stream: &mut (impl AsyncRead + Unpin),
    mut part: &mut [u8],
    progress: &watch::Sender<usize>,
) -> Option<()> {
    while !part.is_empty() {
        let read = stream.read(part).await.ok().filter(|read| *read > 0)?;
        progress.send_modify(|bytes| *bytes += read);
        part = &mut part[read..];
    }
    Some(())
}

async fn line(stream: &mut BufReader<&mut TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).ok()
}

/// A backend that reads a request and never answers.
pub(super) async fn silent() -> Raw {
    Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
}

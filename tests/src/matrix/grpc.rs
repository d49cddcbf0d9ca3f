//! The four kinds of calls of gRPC, message by message. Calls of grpcio are in a test of their own; here
//! both sides may be of either protocol, for what is forwarded is only messages and trailers.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Method};

use super::Outcome;
use super::backend::Exchange;
use super::call::Call;
use super::cells::Cell;
use super::wire::{Part, Reader, Writer};

/// How many messages a stream has.
const COUNT: usize = 200;

/// Reads messages (a byte of flags, four of length, and so many behind).
struct Messages {
    reader: Reader,
    buffer: BytesMut,
    trailers: HeaderMap,
}

fn message(text: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(text.len()).unwrap());
    bytes.put_slice(text);
    bytes.freeze()
}

fn numbered(number: usize) -> Vec<u8> {
    format!("message {number}").into_bytes()
}

// === impl Messages ===

impl Messages {
    fn new(reader: Reader) -> Self {
        Self { reader, buffer: BytesMut::new(), trailers: HeaderMap::new() }
    }

    /// The next one; none behind the last.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((head, rest)) = self.buffer.split_first_chunk::<5>() {
                let length = u32::from_be_bytes(head[1..].try_into().unwrap());
                let length = usize::try_from(length).unwrap();
                if rest.len() >= length {
                    let whole = self.buffer.split_to(5 + length);
                    return Some(whole[5..].to_vec());
                }
            }
            match self.reader.next().await.expect("a whole body") {
                Part::Data(data) => self.buffer.extend_from_slice(&data),
                Part::Trailers(trailers) => {
                    self.trailers = trailers;
                    break;
                }
                Part::End => break,
            }
        }
        assert!(self.buffer.is_empty(), "half a message");
        None
    }

    /// The status, behind the last message.
    async fn status(mut self) -> String {
        assert_eq!(self.next().await, None, "one message too many");
        let status = self.trailers.get("grpc-status").expect("a status");
        status.to_str().unwrap().to_owned()
    }
}

// === The service ===

/// Serves a call of this kind.
pub(super) async fn serve(exchange: Exchange, kind: &str) {
    let fields = [("content-type", "application/grpc"), ("trailer", "grpc-status")];
    let known = exchange.headers.get("content-type").is_some_and(|name| name == "application/grpc");
    if !known || exchange.headers.get("te").is_none_or(|value| value != "trailers") {
        return exchange.to.head(404, &[]).await.end().await;
    }
    let mut messages = Messages::new(exchange.reader);
    let mut writer = exchange.to.head(200, &fields).await;
    let mut all = Vec::new();
    while let Some(text) = messages.next().await {
        if kind == "both" {
            writer.send(message(&text)).await;
        }
        all.push(text);
    }
    match kind {
        "unary" => assert!(writer.send(message(&all.concat())).await),
        "server" => {
            let count = String::from_utf8(all.concat()).unwrap().parse().unwrap();
            for number in 0..count {
                assert!(writer.send(message(&numbered(number))).await);
            }
        }
        "client" => assert!(writer.send(message(&all.join(&b' '))).await),
        _ => {}
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    writer.finish(trailers).await;
}

// === The calls ===

async fn begin(cell: &Cell<'_>, kind: &str) -> Call {
    let fields = [("content-type", "application/grpc"), ("te", "trailers")];
    cell.client.begin(Method::POST, &cell.path(kind), &fields, true).await
}

async fn send(writer: &mut Writer, text: &[u8]) {
    assert!(writer.send(message(text)).await, "a message was not taken");
}

fn good(what: &str) -> Outcome {
    Outcome::Good(format!("{what}, and the status in trailers"))
}

pub(super) async fn unary(cell: &Cell<'_>) -> Outcome {
    let mut call = begin(cell, "unary").await;
    let text = vec![b'x'; 200_000];
    send(&mut call.writer, &text).await;
    call.writer.end().await;
    let mut messages = Messages::new(call.answer.ok().await);
    assert!(messages.next().await == Some(text), "another message");
    assert_eq!(messages.status().await, "0");
    good("a message of 200 kB each way")
}

pub(super) async fn server_stream(cell: &Cell<'_>) -> Outcome {
    let mut call = begin(cell, "server").await;
    send(&mut call.writer, COUNT.to_string().as_bytes()).await;
    call.writer.end().await;
    let mut messages = Messages::new(call.answer.ok().await);
    for number in 0..COUNT {
        assert_eq!(messages.next().await, Some(numbered(number)));
    }
    assert_eq!(messages.status().await, "0");
    good("200 messages")
}

pub(super) async fn client_stream(cell: &Cell<'_>) -> Outcome {
    let mut call = begin(cell, "client").await;
    let texts: Vec<Vec<u8>> = (0..COUNT).map(numbered).collect();
    for text in &texts {
        send(&mut call.writer, text).await;
    }
    call.writer.end().await;
    let mut messages = Messages::new(call.answer.ok().await);
    assert!(messages.next().await == Some(texts.join(&b' ')), "another message");
    assert_eq!(messages.status().await, "0");
    good("200 messages")
}

/// Each side waits for the other's message before it sends its next one.
pub(super) async fn both(cell: &Cell<'_>) -> Outcome {
    let mut call = begin(cell, "both").await;
    send(&mut call.writer, b"first").await;
    let mut messages = Messages::new(call.answer.ok().await);
    assert_eq!(messages.next().await, Some(b"first".to_vec()));
    for number in 0..COUNT {
        send(&mut call.writer, &numbered(number)).await;
        assert_eq!(messages.next().await, Some(numbered(number)));
    }
    call.writer.end().await;
    assert_eq!(messages.status().await, "0");
    good("200 messages, each answered before the next one")
}

//! What each cell of the matrix does, and what must come of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Method};

use super::call::Call;
use super::wire::{Broken, Part};
use super::{Client, Digest, Downstream, Outcome, Parts, Place, Row, Upstream, grpc, tokens};

/// How long the other side of the gateway may need to notice something.
const PATIENCE: Duration = Duration::from_secs(30);
/// The size of bodies that are not large.
const USUAL: u64 = 300_000;

/// A cell that runs.
pub(super) struct Cell<'a> {
    pub(super) place: &'a Place,
    pub(super) client: Client,
    pub(super) downstream: Downstream,
    pub(super) upstream: Upstream,
}

pub(super) async fn run(
    row: Row,
    place: &Place,
    downstream: Downstream,
    upstream: Upstream,
) -> Outcome {
    let client = Client::new(place.gateway, downstream).await;
    let cell = Cell { place, client, downstream, upstream };
    // What a cell that failed left behind is nothing for this one.
    let signals = &place.backend(upstream).signals;
    signals.steps.forget_permits(usize::MAX);
    signals.gone.forget_permits(usize::MAX);
    match row {
        Row::Get => cell.get(USUAL).await,
        Row::Post => cell.post().await,
        Row::Trailers => cell.trailers().await,
        Row::LargeUp => cell.large_up().await,
        Row::LargeDown => cell.get(place.large).await,
        Row::LargeBoth => cell.large_both().await,
        Row::SmallParts => cell.small_parts().await,
        Row::GrpcUnary => grpc::unary(&cell).await,
        Row::GrpcServerStream => grpc::server_stream(&cell).await,
        Row::GrpcClientStream => grpc::client_stream(&cell).await,
        Row::GrpcBoth => grpc::both(&cell).await,
        Row::WebSocket => cell.socket().await,
        Row::ServerSentEvents => cell.events().await,
        Row::Continue => cell.proceed().await,
        Row::EarlyHints => cell.hints().await,
        Row::EarlyRefusal => cell.early("early", "too much").await,
        Row::TooLarge => cell.early("small/hash", "body_too_large").await,
        Row::ClientLeaves => cell.client_leaves().await,
        Row::BackendBreaks => cell.backend_breaks().await,
        Row::BackendIsSilent => cell.backend_is_silent().await,
    }
}

fn good(text: impl Into<String>) -> Outcome {
    Outcome::Good(text.into())
}

impl Cell<'_> {
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/{}/{rest}", self.upstream.segment())
    }

    /// The next request is served, whatever became of the one before.
    async fn goes_on(&self) {
        let path = self.path("bytes/1000");
        let call = self.client.begin(Method::GET, &path, &[], false).await;
        let told = Digest::read(&mut call.answer.ok().await).await;
        assert_eq!(told, Ok(Digest::of(1000)), "the next request");
    }

    async fn get(&self, size: u64) -> Outcome {
        let path = self.path(&format!("bytes/{size}"));
        let call = self.client.begin(Method::GET, &path, &[], false).await;
        let told = Digest::read(&mut call.answer.ok().await).await;
        let expected = Digest::of(size);
        assert_eq!(told.as_ref(), Ok(&expected));
        good(format!("hash of {size} bytes"))
    }

    /// Each part comes back before the next one is sent: nothing waits for the end of a body.
    async fn post(&self) -> Outcome {
        let path = self.path("echo");
        let mut call = self.client.begin(Method::POST, &path, &[], true).await;
        let mut reader = None;
        let mut answer = Some(call.answer);
        for part in Parts::new(USUAL) {
            assert!(call.writer.send(part.clone()).await, "a part was not taken");
            if let Some(answer) = answer.take() {
                reader = Some(answer.ok().await);
            }
            let echoed = reader.as_mut().unwrap().exactly(part.len()).await;
            assert!(echoed.as_ref() == Ok(&part.to_vec()), "another part came back");
        }
        call.writer.end().await;
        assert_eq!(reader.unwrap().all().await, Ok((Vec::new(), HeaderMap::new())));
        good("each part came back before the next one was sent")
    }

    async fn trailers(&self) -> Outcome {
        let path = self.path("echo");
        let fields = [("te", "trailers"), ("trailer", "x-sum")];
        let mut call = self.client.begin(Method::POST, &path, &fields, true).await;
        assert!(call.writer.send("hello".into()).await);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "5d41402a".parse().unwrap());
        call.writer.finish(trailers.clone()).await;
        let mut reader = call.answer.ok().await;
        assert_eq!(reader.all().await, Ok((b"hello".to_vec(), trailers)));
        good("up, and down again")
    }

    async fn large_up(&self) -> Outcome {
        let size = self.place.large;
        let length = size.to_string().leak();
        let path = self.path("hash");
        let fields = [("content-length", &*length)];
        let mut call = self.client.begin(Method::PUT, &path, &fields, true).await;
        assert!(Parts::new(size).send(&mut call.writer).await, "the body was not taken");
        call.writer.end().await;
        let (told, _) = call.answer.ok().await.all().await.unwrap();
        assert_eq!(String::from_utf8(told).unwrap(), Digest::of(size));
        good(format!("hash of {size} bytes"))
    }

    async fn large_both(&self) -> Outcome {
        let size = self.place.large;
        let path = self.path("echo");
        let mut call = self.client.begin(Method::POST, &path, &[], true).await;
        let sends = tokio::spawn(async move {
            let sent = Parts::new(size).send(&mut call.writer).await;
            call.writer.end().await;
            sent
        });
        let told = Digest::read(&mut call.answer.ok().await).await;
        assert!(sends.await.unwrap(), "the body was not taken");
        assert_eq!(told, Ok(Digest::of(size)));
        good(format!("hash of {size} bytes, sent and read at once"))
    }

    /// More than all windows hold, in parts of few bytes; the backend reads nothing until nothing moves.
    async fn small_parts(&self) -> Outcome {
        const COUNT: usize = 20_000;
        let path = self.path("late");
        let call = self.client.begin(Method::POST, &path, &[], true).await;
        let Call { mut writer, answer } = call;
        let sent = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&sent);
        let sends = tokio::spawn(async move {
            let mut digest = Digest::default();
            for number in 0..COUNT {
                let part = Bytes::from(format!("a part of few bytes, {number:8}\n"));
                digest.add(&part);
                if !writer.send(part).await {
                    return Err(number);
                }
                counts.fetch_add(1, Relaxed);
            }
            writer.end().await;
            Ok(digest.told())
        });
        let mut before = usize::MAX;
        while before != sent.load(Relaxed) {
            before = sent.load(Relaxed);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.goes_on().await;
        self.place.backend(self.upstream).signals.steps.add_permits(1);
        let expected = sends.await.unwrap().expect("each part is taken");
        let (told, _) = answer.ok().await.all().await.unwrap();
        assert_eq!(String::from_utf8(told).unwrap(), expected);
        good(format!("hash of {COUNT} parts, and another request while they wait"))
    }

    async fn socket(&self) -> Outcome {
        let mut call = self.client.switch(&self.path("socket")).await;
        let (head, mut reader) = call.answer.head().await.expect("an answer");
        if self.upstream.is_http2() {
            // A client of HTTP/1.1 is answered over HTTP, and for one of HTTP/2 200 would be a switch.
            let status = if self.downstream == Downstream::Http1 { 200 } else { 502 };
            assert_eq!(head.status, status);
            assert!(!head.headers.contains_key("upgrade"));
            return Outcome::Limit(
                "no WebSocket towards backends of HTTP/2 (decision 020): a Service that speaks it is HTTP/1.1",
            );
        }
        let status = if self.downstream == Downstream::Http1 { 101 } else { 200 };
        assert_eq!(head.status, status);
        for size in [1, 125, 126, 65_535, 65_536, 1_000_000] {
            let part = vec![b'x'; size];
            let sends = async { assert!(call.writer.send(Bytes::from(part.clone())).await) };
            let ((), echoed) = tokio::join!(sends, reader.exactly(size));
            assert!(echoed.as_ref() == Ok(&part), "{size} bytes");
        }
        call.writer.end().await;
        let end = reader.next().await;
        assert!(matches!(end, Ok(Part::End)), "{end:?}");
        good("parts of 1 byte to 1 MB, and the end")
    }

    /// Each event is here before the next one is made.
    async fn events(&self) -> Outcome {
        const COUNT: u64 = 50;
        let path = self.path(&format!("events/{COUNT}"));
        let call = self.client.begin(Method::GET, &path, &[], false).await;
        let (head, mut reader) = call.answer.head().await.expect("an answer");
        assert_eq!(head.headers["content-type"], "text/event-stream");
        for number in 0..COUNT {
            self.place.backend(self.upstream).signals.steps.add_permits(1);
            let event = tokens::event(number);
            let got = tokio::time::timeout(PATIENCE, reader.exactly(event.len())).await;
            assert_eq!(got.expect("the event comes"), Ok(event.to_vec()));
        }
        assert_eq!(reader.all().await.map(|(rest, _)| rest), Ok(Vec::new()));
        good(format!("{COUNT} events, each before the next one was made"))
    }

    async fn proceed(&self) -> Outcome {
        let path = self.path("continue");
        let fields = [("expect", "100-continue"), ("content-length", "5")];
        let mut call = self.client.begin(Method::PUT, &path, &fields, true).await;
        assert_eq!(call.answer.interim().await.status, 100);
        assert!(call.writer.send("hello".into()).await);
        call.writer.end().await;
        let (told, _) = call.answer.ok().await.all().await.unwrap();
        let mut hello = Digest::default();
        hello.add(b"hello");
        assert_eq!(String::from_utf8(told).unwrap(), format!("100-continue {}", hello.told()));
        good("the backend was asked, and asked for the body")
    }

    async fn hints(&self) -> Outcome {
        let path = self.path("hints");
        let mut call = self.client.begin(Method::GET, &path, &[], false).await;
        let hints = call.answer.interim().await;
        assert_eq!(
            (hints.status, hints.headers["link"].as_bytes()),
            (103, &b"</a.css>; rel=preload"[..])
        );
        let (told, _) = call.answer.ok().await.all().await.unwrap();
        assert_eq!(told, b"hinted");
        good("103 with its field, then 200")
    }

    /// An answer comes while the body is sent, which has no end.
    async fn early(&self, path: &str, expected: &str) -> Outcome {
        let path = self.path(path);
        let mut call = self.client.begin(Method::POST, &path, &[], true).await;
        let sends = tokio::spawn(async move {
            Parts::new(u64::MAX).send(&mut call.writer).await;
            std::future::pending::<()>().await;
        });
        let answer = tokio::time::timeout(PATIENCE, call.answer.head()).await;
        let (head, mut reader) = answer.expect("it is answered").expect("an answer");
        assert_eq!(head.status, 413);
        let body = reader.all().await.map(|(body, _)| String::from_utf8(body).unwrap());
        assert!(body.as_ref().is_ok_and(|body| body.contains(expected)), "{body:?}");
        sends.abort();
        self.goes_on().await;
        good("the answer while the body is sent; the next request is served")
    }

    async fn client_leaves(&self) -> Outcome {
        let path = self.path("waits");
        let call = self.client.begin(Method::GET, &path, &[], false).await;
        let mut reader = call.answer.ok().await;
        assert_eq!(reader.exactly(5).await, Ok(b"begun".to_vec()));
        call.writer.break_off(Reason::CANCEL);
        drop(reader);
        let gone = self.place.backend(self.upstream).signals.gone.acquire();
        let gone = tokio::time::timeout(PATIENCE, gone).await;
        gone.expect("the backend notices").unwrap().forget();
        self.goes_on().await;
        good("the backend notices; the next request is served")
    }

    async fn backend_breaks(&self) -> Outcome {
        let path = self.path("breaks");
        let call = self.client.begin(Method::GET, &path, &[], false).await;
        let mut reader = call.answer.ok().await;
        assert_eq!(reader.exactly(5).await, Ok(b"begun".to_vec()));
        self.place.backend(self.upstream).signals.steps.add_permits(1);
        let end = tokio::time::timeout(PATIENCE, reader.all()).await;
        assert_eq!(end.expect("the client notices"), Err(Broken));
        self.goes_on().await;
        good("the body has no good end; the next request is served")
    }

    async fn backend_is_silent(&self) -> Outcome {
        let path = self.path("ends");
        let call = self.client.begin(Method::GET, &path, &[], false).await;
        let (head, mut reader) = call.answer.head().await.expect("an answer");
        assert_eq!(head.status, 502);
        let (body, _) = reader.all().await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["reason"], "upstream_reset");
        self.goes_on().await;
        good("502 with its reason; the next request is served")
    }
}

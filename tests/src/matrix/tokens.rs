//! Streams of tokens, as language models write them: many over one connection to their backend, and some
//! clients among them that take nothing for a while.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use tokio::sync::watch;

use super::backend::Exchange;
use super::wire::{Part, Reader};
use super::{Backend, Client, Downstream, Upstream};

/// How many streams there are, with those that are stalled.
pub const STREAMS: usize = 64;
/// The time between two tokens.
pub const EVERY: Duration = Duration::from_millis(20);
/// How many tokens a stalled stream has at once: more than all windows and buffers on its way hold.
const BURST: u64 = 50_000;

/// What became of the streams.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Tokens that came, each where it belongs.
    pub tokens: u64,
    /// The longest that one of the other clients waited for its next token.
    pub longest: Duration,
    /// How long the stalled clients took nothing.
    pub stalled: Duration,
}

/// An event with a token.
#[must_use]
pub fn event(number: u64) -> Bytes {
    format!("data: {number}\n\n").into()
}

/// So many tokens, and before them a burst.
pub(super) async fn serve(exchange: Exchange, count: u64, millis: u64, burst: u64) {
    let mut writer = exchange.to.head(200, &[("content-type", "text/event-stream")]).await;
    for number in 0..burst + count {
        if number >= burst {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        if !writer.send(event(number)).await {
            return;
        }
        if burst > 0 && number == burst {
            exchange.signals.bursts.fetch_add(1, Relaxed);
        }
    }
    writer.end().await;
}

/// Runs the streams over a gateway that sends `/h2c/…` to this backend; so many clients take nothing until
/// all others have everything, and at least that long.
///
/// # Panics
///
/// When a stream is cut, loses a token, or has no end; when the stall held nothing up, and so says
/// nothing.
pub async fn run(
    gateway: SocketAddr,
    backend: &Backend,
    least: Duration,
    stalled: usize,
) -> Report {
    let count = u64::try_from(least.as_millis() / EVERY.as_millis()).unwrap() + 50;
    let path = |burst: u64| {
        format!("/{}/tokens/{count}/{}/{burst}", Upstream::H2c.segment(), EVERY.as_millis())
    };
    let mut stuck = Vec::new();
    for _ in 0..stalled {
        // Alone on its connection: its own windows are full, and nobody else's.
        let client = Client::new(gateway, Downstream::Http2).await;
        let call = client.begin(Method::GET, &path(BURST), &[], false).await;
        stuck.push((client, call.answer.ok().await));
    }
    let began = Instant::now();
    let shared = Client::new(gateway, Downstream::Http2).await;
    let (tell, told) = watch::channel(());
    let mut others = Vec::new();
    for number in stalled..STREAMS {
        let own = Client::new(gateway, Downstream::Http1).await;
        let client = if number % 2 == 0 { &shared } else { &own };
        let call = client.begin(Method::GET, &path(0), &[], false).await;
        let told = told.clone();
        others.push(tokio::spawn(async move {
            let longest = take(&mut call.answer.ok().await, count).await;
            drop(told);
            longest
        }));
    }
    drop(told);
    // All of them are over, however they ended.
    tell.closed().await;
    tokio::time::sleep(least.saturating_sub(began.elapsed())).await;
    let duration = began.elapsed();
    let whole = backend.signals.bursts.load(Relaxed);
    assert_eq!(whole, 0, "a burst fitted into what lies on its way: nothing was held up");
    let mut longest = Duration::ZERO;
    for other in others {
        longest = longest.max(other.await.unwrap());
    }
    for (_client, reader) in &mut stuck {
        take(reader, BURST + count).await;
    }
    let [streams, stalled] = [STREAMS, stalled].map(|count| u64::try_from(count).unwrap());
    Report { tokens: stalled * BURST + streams * count, longest, stalled: duration }
}

/// Takes all tokens of a stream; says the longest wait between two.
async fn take(reader: &mut Reader, count: u64) -> Duration {
    let mut longest = Duration::ZERO;
    let (mut number, mut waiting, mut last) = (0, Vec::new(), None::<Instant>);
    loop {
        match reader.next().await.expect("a stream that is not cut") {
            Part::Data(data) => waiting.extend_from_slice(&data),
            Part::Trailers(_) | Part::End => break,
        }
        let now = Instant::now();
        longest = longest.max(last.map_or(Duration::ZERO, |last| now - last));
        last = Some(now);
        let mut taken = 0;
        while let Some(end) = waiting[taken..].windows(2).position(|pair| pair == b"\n\n") {
            let end = taken + end + 2;
            assert_eq!(&waiting[taken..end], &*event(number), "token {number}");
            (taken, number) = (end, number + 1);
        }
        waiting.drain(..taken);
    }
    assert_eq!((number, waiting.len()), (count, 0), "tokens that are missing");
    longest
}

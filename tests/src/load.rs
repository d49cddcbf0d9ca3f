//! Load in the background: so many requests a second, sent when they are due and not when the one
//! before has been answered, with every failure counted.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::http::{Answer, Client};
use crate::tls::connect;

/// Load that runs until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicUsize,
    good: AtomicUsize,
    failures: Mutex<Vec<String>>,
    slowest_ms: AtomicU64,
}

/// How long a request may wait for its answer before it counts as failed: longer than anything that
/// is only late.
const PATIENCE: Duration = Duration::from_secs(90);

/// Says what is wrong with the answer to the request of a number.
type Wrong = dyn Fn(usize, &Answer) -> Option<String> + Send + Sync;

/// A client's side of TLS, and the name that it comes by.
pub type Secured = (TlsConnector, String);

/// What a load asks for, and what it takes for a good answer.
struct Asked {
    /// How it comes, when it is by TLS.
    tls: Option<Secured>,
    path: Box<dyn Fn(usize) -> String + Send + Sync>,
    /// What is wrong with an answer to the request of this number.
    wrong: Box<Wrong>,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It is kept for the next request, as browsers and most clients do.
    Keep,
    /// Each request has a connection of its own.
    Fresh,
}

/// What became of the requests.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub sent: usize,
    pub good: usize,
    /// What went wrong with each that failed.
    pub failures: Vec<String>,
    /// The longest wait for a good answer, in milliseconds.
    pub slowest_ms: u64,
}

impl Load {
    /// Sends `rate` requests a second over `connections` connections that are kept; `path` gives
    /// the path of each by its number. An answer other than 200 is a failure.
    pub fn start(
        address: SocketAddr,
        rate: u64,
        connections: usize,
        path: impl Fn(usize) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(address, rate, connections, Reuse::Keep, path)
    }

    /// The same, with connections that are kept or not; at most so many are open at once.
    pub fn start_with(
        address: SocketAddr,
        rate: u64,
        connections: usize,
        reuse: Reuse,
        path: impl Fn(usize) -> String + Send + Sync + 'static,
    ) -> Self {
        let asked = Asked { tls: None, path: Box::new(path), wrong: Box::new(|_, _| None) };
        Self::begin(address, rate, connections, reuse, asked)
    }

    /// The same by TLS, for one path.
    pub fn start_secured(
        address: SocketAddr,
        rate: u64,
        connections: usize,
        reuse: Reuse,
        tls: Secured,
    ) -> Self {
        let path = |_| "/".to_owned();
        let asked = Asked { tls: Some(tls), path: Box::new(path), wrong: Box::new(|_, _| None) };
        Self::begin(address, rate, connections, reuse, asked)
    }

    /// The same over kept connections, where an answer must also be one that `wrong` finds nothing
    /// wrong with; it gets the number of the request.
    pub fn start_judged(
        address: SocketAddr,
        rate: u64,
        connections: usize,
        path: impl Fn(usize) -> String + Send + Sync + 'static,
        wrong: impl Fn(usize, &Answer) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let asked = Asked { tls: None, path: Box::new(path), wrong: Box::new(wrong) };
        Self::begin(address, rate, connections, Reuse::Keep, asked)
    }

    fn begin(
        address: SocketAddr,
        rate: u64,
        connections: usize,
        reuse: Reuse,
        asked: Asked,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Counts::default());
        let asked = Arc::new(asked);
        let task = tokio::spawn(run(
            address,
            rate,
            connections,
            reuse,
            asked,
            Arc::clone(&stop),
            Arc::clone(&counts),
        ));
        Self { stop, counts, task }
    }

    /// How many were answered well so far.
    pub fn good(&self) -> usize {
        self.counts.good.load(Relaxed)
    }

    /// Sends no more, waits for the answers, and tells what became of all.
    pub async fn stop(self) -> Outcome {
        self.stop.store(true, Relaxed);
        self.task.await.unwrap();
        Outcome {
            sent: self.counts.sent.load(Relaxed),
            good: self.counts.good.load(Relaxed),
            failures: std::mem::take(&mut self.counts.failures.lock().unwrap()),
            slowest_ms: self.counts.slowest_ms.load(Relaxed),
        }
    }
}

async fn run(
    address: SocketAddr,
    rate: u64,
    connections: usize,
    reuse: Reuse,
    asked: Arc<Asked>,
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
) {
    let (due, waiting) = mpsc::unbounded_channel::<usize>();
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (waiting, asked, counts) =
            (Arc::clone(&waiting), Arc::clone(&asked), Arc::clone(&counts));
        workers.spawn(async move {
            let mut client = None;
            loop {
                let next = waiting.lock().await.recv().await;
                let Some(number) = next else { return };
                one(address, number, &asked, reuse, &mut client, &counts).await;
            }
        });
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    let began = tokio::time::Instant::now();
    let mut number = 0;
    while !stop.load(Relaxed) {
        ticks.tick().await;
        let wanted = began.elapsed().as_micros() as u64 * rate / 1_000_000;
        while (number as u64) < wanted {
            counts.sent.fetch_add(1, Relaxed);
            let _ = due.send(number);
            number += 1;
        }
    }
    drop(due);
    while workers.join_next().await.is_some() {}
}

async fn open(address: SocketAddr, tls: Option<&Secured>) -> std::io::Result<Client> {
    match tls {
        None => Ok(Client::over(tokio::net::TcpStream::connect(address).await?)),
        Some((tls, name)) => Ok(Client::secured(connect(tls, address, name).await?)),
    }
}

/// One request; a connection is kept while it works.
async fn one(
    address: SocketAddr,
    number: usize,
    asked: &Asked,
    reuse: Reuse,
    client: &mut Option<Client>,
    counts: &Counts,
) {
    let path = (asked.path)(number);
    let failed = |what: String| counts.failures.lock().unwrap().push(what);
    let mut kept = match client.take() {
        Some(kept) => kept,
        None => match open(address, asked.tls.as_ref()).await {
            Ok(client) => client,
            Err(error) => return failed(format!("connect: {error}")),
        },
    };
    let close = if reuse == Reuse::Fresh { "Connection: close\r\n" } else { "" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: load.example\r\n{close}\r\n");
    kept.patience = PATIENCE;
    let began = tokio::time::Instant::now();
    // The client panics where a test would fail; here it is one failure among many requests.
    let answered = std::panic::AssertUnwindSafe(kept.ask(&request)).catch_unwind().await;
    match answered {
        Ok(answer) if answer.status == 200 => {
            if let Some(wrong) = (asked.wrong)(number, &answer) {
                return failed(format!("{path}: {wrong}"));
            }
            counts.good.fetch_add(1, Relaxed);
            let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            counts.slowest_ms.fetch_max(took, Relaxed);
            if reuse == Reuse::Keep && answer.header("connection") != Some("close") {
                *client = Some(kept);
            }
        }
        Ok(answer) => {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            failed(format!("{path}: {} {body}", answer.status));
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            failed(format!("{path}: {}", text.unwrap_or_default()));
        }
    }
}

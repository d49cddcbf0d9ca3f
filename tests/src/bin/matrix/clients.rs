//! Clients that are not ours, run as their users run them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use fairway_tests::eventually::eventually;
use fairway_tests::matrix::{Digest, Downstream, Parts, Upstream, tokens};
use fairway_tests::process::{Process, free_port, python};
use tempfile::TempDir;
use tokio::process::Command;

/// The bodies of clients, in bytes.
const SIZE: u64 = 10_000_000;
/// Events of a stream.
const EVENTS: u64 = 100;
/// The requests of h2load.
const REQUESTS: u64 = 20_000;
/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(120);
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/clients");

/// What came of something that a client did.
type Told = Result<String, String>;

/// Runs a client to its end.
async fn run(command: &mut Command) -> Result<Output, String> {
    let shown = format!("{:?}", command.as_std());
    let ran = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    let output = ran.map_err(|_| format!("{shown} does not end"))?;
    let output = output.map_err(|error| format!("{shown} does not start: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let [out, errors] = [&output.stdout, &output.stderr].map(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.chars().rev().take(500).collect::<Vec<_>>().into_iter().rev().collect::<String>()
    });
    Err(format!("{shown} ended with {}: {out}{errors}", output.status))
}

/// Holds what was got against what should be.
fn same(what: &str, got: &str, expected: &str) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}: {got:?} and not {expected:?}")) }
}

fn digest(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.add(bytes);
    digest.told()
}

/// What every client of HTTP does, over one protocol on each side.
pub(crate) async fn http(
    gateway: SocketAddr,
    downstream: Downstream,
    upstream: Upstream,
) -> Vec<(&'static str, Told)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    let body: Vec<u8> = Parts::new(SIZE).flatten().collect();
    std::fs::write(&file, &body).unwrap();
    let url = format!("http://{gateway}/{}/", upstream.segment());
    let mut all = vec![
        ("curl", curl(&url, downstream, &file).await),
        ("httpx", httpx(&url, downstream).await),
        ("h2load", h2load(&url, downstream).await),
    ];
    if downstream == Downstream::Http2 {
        all.push(("nghttp", nghttp(&url, &file).await));
    }
    all
}

async fn curl(url: &str, downstream: Downstream, file: &Path) -> Told {
    let (flag, version) = match downstream {
        Downstream::Http1 => ("--http1.1", "1.1"),
        Downstream::Http2 => ("--http2-prior-knowledge", "2"),
    };
    let curl = |path: &str| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail", "--no-buffer", flag]);
        command.args(["--write-out", "%{stderr}%{http_version}"]);
        command.arg(format!("{url}{path}"));
        command
    };
    let expected = Digest::of(SIZE);
    let got = run(&mut curl(&format!("bytes/{SIZE}"))).await?;
    same("version", &String::from_utf8_lossy(&got.stderr), version)?;
    same("GET", &digest(&got.stdout), &expected)?;
    let mut post = curl("hash");
    post.args(["--header", "Expect: 100-continue", "--data-binary"]);
    let posted = run(post.arg(format!("@{}", file.display()))).await?;
    same("POST", &String::from_utf8_lossy(&posted.stdout), &expected)?;
    // From a pipe: its length is not known.
    let mut put = curl("hash");
    put.args(["--upload-file", "-"]).stdin(std::fs::File::open(file).unwrap());
    let put = run(&mut put).await?;
    same("PUT", &String::from_utf8_lossy(&put.stdout), &expected)?;
    let events = run(&mut curl(&format!("paced/{EVENTS}"))).await?;
    let all: Vec<u8> = (0..EVENTS).flat_map(tokens::event).collect();
    same("events", &String::from_utf8_lossy(&events.stdout), &String::from_utf8_lossy(&all))?;
    Ok("GET and POST of 10 MB, PUT of unknown length, by hash; 100 events".to_owned())
}

async fn nghttp(url: &str, file: &Path) -> Told {
    let nghttp = |path: &str| {
        let mut command = Command::new("nghttp");
        command.arg(format!("{url}{path}"));
        command
    };
    let expected = Digest::of(SIZE);
    let got = run(&mut nghttp(&format!("bytes/{SIZE}"))).await?;
    same("GET", &digest(&got.stdout), &expected)?;
    let posted = run(nghttp("hash").arg("--data").arg(file)).await?;
    same("POST", &String::from_utf8_lossy(&posted.stdout), &expected)?;
    let mut trailers = nghttp("echo");
    // Behind a body whose length was said HTTP/1.1 has no trailers (RFC 9112 section 7.1.2).
    trailers.args(["--no-content-length", "--verbose", "--null-out"]);
    trailers.args(["--trailer", "x-sum: 1", "--data"]).arg(file);
    let echoed = run(&mut trailers).await?;
    let text = String::from_utf8_lossy(&echoed.stdout);
    let received: Vec<&str> =
        text.lines().filter(|line| line.contains(" recv (stream_id=")).collect();
    if received.iter().filter(|line| line.ends_with(") x-sum: 1")).count() != 1 {
        return Err(format!("no trailer, or several: {received:?}"));
    }
    Ok("GET and POST of 10 MB by hash, trailers".to_owned())
}

async fn h2load(url: &str, downstream: Downstream) -> Told {
    let mut command = Command::new("h2load");
    command.args([format!("--requests={REQUESTS}"), "--clients=16".to_owned()]);
    match downstream {
        Downstream::Http1 => command.arg("--h1"),
        Downstream::Http2 => command.arg("--max-concurrent-streams=64"),
    };
    let output = run(command.arg(format!("{url}bytes/1000"))).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |begin: &str| text.lines().find(|line| line.starts_with(begin)).unwrap_or("");
    let requests = line("requests: ");
    let good = requests.contains(&format!(" {REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout"));
    let status = format!("status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx");
    if good && line("status codes: ") == status {
        return Ok(format!("{REQUESTS} requests, all of them 2xx"));
    }
    Err(format!("{requests}; {}", line("status codes: ")))
}

async fn httpx(url: &str, downstream: Downstream) -> Told {
    let version = if downstream == Downstream::Http2 { "2" } else { "1" };
    let script = format!("{FOLDER}/with_httpx.py");
    let mut command = Command::new(python());
    run(command.args([&script, url, version, &Digest::of(SIZE)])).await?;
    Ok("GET and stream of 10 MB, POST of 3 MB, in parts too, by hash; 100 events; 64 at once"
        .to_owned())
}

/// A WebSocket server of the package `ws`.
pub(crate) struct Socket {
    port: u16,
    packages: PathBuf,
    _process: Process,
    _folder: TempDir,
}

impl Socket {
    /// Starts it, and waits until it listens.
    pub(crate) async fn start(packages: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let args = [format!("{FOLDER}/with_ws.mjs"), "serve".to_owned(), port.to_string()];
        let log = folder.path().join("ws");
        let env = [("NODE_PATH", packages.to_str().unwrap())];
        let process = Process::start_with(Path::new("node"), &args, &log, &env);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        eventually("the server of ws listens", || async {
            assert!(!process.ended(), "{}", process.errors());
            tokio::net::TcpStream::connect(address).await.ok()
        })
        .await;
        Self { port, packages: packages.to_owned(), _process: process, _folder: folder }
    }

    /// The rule that leads to it.
    pub(crate) fn rules(&self) -> String {
        format!(
            "- match: [{{path: /socket}}]\n  backends: [{{host: 127.0.0.1, port: {}}}]\n",
            self.port
        )
    }

    /// Sends messages through the gateway, and compares what comes back.
    pub(crate) async fn talk(&self, gateway: SocketAddr, count: u32) -> Told {
        let mut command = Command::new("node");
        command.args([format!("{FOLDER}/with_ws.mjs"), "talk".to_owned()]);
        command.args([format!("ws://{gateway}/socket"), count.to_string()]);
        command.env("NODE_PATH", &self.packages).stdin(Stdio::null());
        let output = run(&mut command).await?;
        let said = String::from_utf8_lossy(&output.stdout);
        same("messages", said.trim(), &format!("{count} messages"))?;
        Ok(format!("{count} messages of 0 to 200,000 bytes, text and binary, a ping, the end"))
    }
}

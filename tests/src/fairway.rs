//! The binary `fairway` as a process, as operators run it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::eventually::eventually;
use crate::process::Process;

/// A running `fairway run`.
pub struct Fairway {
    /// Where traffic goes.
    pub address: SocketAddr,
    /// The status port.
    pub status: SocketAddr,
    /// The admin port.
    pub admin: SocketAddr,
    pub process: Process,
    _folder: TempDir,
}

/// The binary, which is built beside the tests.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let mut folder = tests.parent().unwrap().to_owned();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let path = folder.join("fairway");
    assert!(path.exists(), "{} is missing: run cargo build --package fairway", path.display());
    path
}

impl Fairway {
    /// Starts it on free ports and waits until it is ready.
    pub async fn start(args: &[String]) -> Self {
        let starting = Self::spawn(args);
        starting.ready().await
    }

    /// Starts it on free ports, with so many files that it may have open.
    pub async fn with_files(files: u32, args: &[String]) -> Self {
        Self::spawn_by(Some(format!("ulimit -n {files} && exec \"$@\"")), args).ready().await
    }

    /// Starts it on free ports, on a system that trusts the authorities of a file and no others.
    pub async fn with_roots(roots: &Path, args: &[String]) -> Self {
        let script = format!("SSL_CERT_FILE='{}' exec \"$@\"", roots.display());
        Self::spawn_by(Some(script), args).ready().await
    }

    /// Starts it on free ports.
    pub fn spawn(args: &[String]) -> Starting {
        Self::spawn_by(None, args)
    }

    /// The same, by what a shell does before.
    fn spawn_by(shell: Option<String>, args: &[String]) -> Starting {
        let folder = TempDir::with_prefix("fairway-run-").unwrap();
        let mut all: Vec<String> = [
            "run",
            "--listen=http=127.0.0.1:0",
            "--status=127.0.0.1:0",
            "--admin=127.0.0.1:0",
            "--log-format=json",
            "--log-level=info",
            "--drain-delay=0s",
        ]
        .map(str::to_owned)
        .to_vec();
        // What a test says itself is said once.
        let name = |argument: &str| argument.split('=').next().map(str::to_owned);
        all.retain(|usual| !args.iter().any(|given| name(given) == name(usual)));
        all.extend_from_slice(args);
        let log = folder.path().join("fairway");
        let process = match shell {
            None => Process::start(&binary(), &all, &log),
            Some(script) => {
                let program = binary().display().to_string();
                let before = ["-c".to_owned(), script, "sh".to_owned(), program];
                Process::start(Path::new("/bin/sh"), &[&before[..], &all].concat(), &log)
            }
        };
        Starting { process, folder }
    }

    /// The value of a metric, added up over its labels; `name` as it is scraped.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = crate::http::get(self.status, "/metrics").await.body;
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// The access log so far.
    pub fn access_log(&self) -> Vec<Value> {
        self.process.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// A process that may not be ready yet.
pub struct Starting {
    pub process: Process,
    folder: TempDir,
}

impl Starting {
    /// Waits until it is ready.
    pub async fn ready(self) -> Fairway {
        let Self { process, folder } = self;
        let (address, status, admin) = eventually("fairway is ready", || async {
            let log = process.errors();
            let events: Vec<Value> =
                log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let address = |message: &str| {
                let found = events.iter().find(|event| event["message"] == message)?;
                found["address"].as_str()?.parse::<SocketAddr>().ok()
            };
            events.iter().find(|event| event["message"] == "ready")?;
            Some((address("listening")?, address("status listening")?, address("admin listening")?))
        })
        .await;
        Fairway { address, status, admin, process, _folder: folder }
    }
}

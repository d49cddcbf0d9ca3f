//! The load generators, each of them somebody else's: wrk, h2load and openssl.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use super::cases::{CONNECTIONS, Case, Load};

/// What a load generator says.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) requests: u64,
    /// Latency at full load, in its words; not every generator tells it.
    pub(super) p50: String,
    pub(super) p99: String,
}

/// A body for POST, sixteen KiB of it.
const POST: &str = "wrk.method = 'POST'\nwrk.body = string.rep('0123456789abcdef', 1024)\n";

/// Loads a port for some seconds.
pub(super) fn run(case: &Case, port: u16, seconds: u64, folder: &Path) -> anyhow::Result<Loaded> {
    match case.load {
        Load::KeepAlive | Load::Close | Load::Post => wrk(case, port, seconds, folder),
        Load::Streams => h2load(case, port, seconds),
        Load::Handshakes { resumed } => handshakes(case, port, seconds, resumed),
    }
}

pub(super) fn generator(program: &str, args: &[String]) -> anyhow::Result<String> {
    let mut command = Command::new("taskset");
    let output = command.args(["-c", "0", program]).args(args).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    Ok(format!("{out}{err}"))
}

fn wrk(case: &Case, port: u16, seconds: u64, folder: &Path) -> anyhow::Result<Loaded> {
    let mut args = ["-t1", "--latency"].map(str::to_owned).to_vec();
    args.extend([format!("-c{CONNECTIONS}"), format!("-d{seconds}s")]);
    if case.load == Load::Close {
        args.extend(["-H", "Connection: close"].map(str::to_owned));
    }
    if case.load == Load::Post {
        let script = folder.join("post.lua");
        std::fs::write(&script, POST)?;
        args.push(format!("-s{}", script.display()));
    }
    args.push(case.url(port));
    let text = generator("wrk", &args)?;
    for bad in ["Non-2xx", "Socket errors"] {
        // wrk counts the end of a connection that was to end as an error of reading.
        let line = text.lines().find(|line| line.contains(bad));
        if let Some(line) = line.filter(|_| case.load != Load::Close || bad == "Non-2xx") {
            bail!("{}", line.trim());
        }
    }
    let percentile = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("?").to_owned()
    };
    let requests = number_before(&text, "requests in")?;
    Ok(Loaded { requests, p50: percentile("50%"), p99: percentile("99%") })
}

fn h2load(case: &Case, port: u16, seconds: u64) -> anyhow::Result<Loaded> {
    let args = ["-t1", "-c16", "-m10"].map(str::to_owned).into_iter();
    let args = args.chain([format!("-D{seconds}"), case.url(port)]);
    let text = generator("h2load", &args.collect::<Vec<_>>())?;
    let line = text.lines().find(|line| line.starts_with("requests:")).unwrap_or_default();
    if !line.contains(" 0 failed") || !text.contains("status codes:") {
        bail!("h2load said {line:?}");
    }
    let requests = number_before(line, "succeeded")?;
    Ok(Loaded { requests, p50: "-".to_owned(), p99: "-".to_owned() })
}

/// One connection after another, from one client.
fn handshakes(case: &Case, port: u16, seconds: u64, resumed: bool) -> anyhow::Result<Loaded> {
    let mut args = ["s_time", "-tls1_3"].map(str::to_owned).to_vec();
    args.push(if resumed { "-reuse" } else { "-new" }.to_owned());
    args.extend(["-connect".to_owned(), format!("127.0.0.1:{port}")]);
    args.extend(["-www".to_owned(), case.path.to_owned()]);
    args.extend(["-time".to_owned(), seconds.to_string()]);
    let text = generator("openssl", &args)?;
    // Each letter is a handshake: * for a new one, r for a resumed one.
    if resumed && !text.contains("rrr") {
        bail!("no session was resumed");
    }
    // "N connections in M real seconds": the line with "user" speaks of time on the processor.
    let line = text.lines().find(|line| line.contains("real seconds")).unwrap_or_default();
    let requests = number_before(line, "connections in")?;
    Ok(Loaded { requests, p50: "-".to_owned(), p99: "-".to_owned() })
}

/// The number that stands before some words.
fn number_before(text: &str, words: &str) -> anyhow::Result<u64> {
    let before = text.lines().find_map(|line| line.split_once(words)).map(|(before, _)| before);
    let number = before.and_then(|before| before.split_whitespace().last());
    let number = number.and_then(|number| number.parse().ok());
    number.with_context(|| format!("no number before {words:?} in {text:?}"))
}

//! Load from inside the node's network, by a program of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::steps::{pass, step};
use crate::{cluster, root, target};

/// Load that runs until it is stopped.
pub(super) struct Load {
    child: Child,
    what: String,
}

/// What became of the requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) sent: u64,
    pub(super) failed: usize,
    /// The longest wait for a good answer, in milliseconds.
    slowest: u64,
    /// The first failures, each once, with how often.
    examples: Vec<(String, usize)>,
}

impl Outcome {
    /// Adds another.
    pub(super) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.failed += other.failed;
        self.slowest = self.slowest.max(other.slowest);
        self.examples.extend(other.examples);
    }

    /// In words.
    pub(super) fn tell(&self) -> String {
        let mut text = format!(
            "{} requests, {} failed, the slowest {} ms",
            self.sent, self.failed, self.slowest
        );
        for (example, count) in self.examples.iter().take(5) {
            text.push_str(&format!("; {count} x {example}"));
        }
        text
    }

    /// Is an error when a request failed.
    pub(super) fn all_good(&self) -> anyhow::Result<()> {
        match self.failed {
            0 if self.sent > 0 => Ok(()),
            _ => bail!("{}", self.tell()),
        }
    }
}

/// Builds the programs that send requests and changes.
pub(super) fn build() -> anyhow::Result<()> {
    step("build the load generators", || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root());
        // As the tests are built: what it needs is there already after them.
        pass(cargo.args(["build", "--package", "fairway-tests", "--bin=load", "--bin=changes"]))
    })
}

/// One of them.
pub(super) fn program(name: &str) -> PathBuf {
    target().join("debug").join(name)
}

impl Load {
    /// Sends so many requests a second to a path, on kept connections or on fresh ones.
    pub(super) fn start(address: &str, path: &str, rate: u32, fresh: bool) -> anyhow::Result<Self> {
        let mut command = cluster::inside(program("load"));
        command.args([address, path, "--rate", &rate.to_string()]);
        if fresh {
            // One that hangs must not keep the others from being sent.
            command.args(["--fresh", "--connections=2000"]);
        }
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the load generator")?;
        let kind = if fresh { "fresh" } else { "kept" };
        Ok(Self { child, what: format!("{path} ({kind} connections)") })
    }

    /// Sends no more, waits for the answers, and tells what became of all.
    pub(super) fn stop(mut self) -> anyhow::Result<Outcome> {
        drop(self.child.stdin.take());
        let mut text = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            std::io::Read::read_to_string(&mut stdout, &mut text)?;
        }
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the load generator for {} ended with {status}", self.what);
        }
        let told: Value =
            serde_json::from_str(&text).context("the load generator tells no JSON")?;
        let failures: Vec<&str> =
            told["failures"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut examples: Vec<(String, usize)> = Vec::new();
        for failure in &failures {
            let example = format!("{} {}", self.what, stable(failure));
            match examples.iter_mut().find(|(known, _)| *known == example) {
                Some((_, count)) => *count += 1,
                None => examples.push((example, 1)),
            }
        }
        let sent = told["sent"].as_u64().unwrap_or_default();
        let slowest = told["slowest_ms"].as_u64().unwrap_or_default();
        Ok(Outcome { sent, failed: failures.len(), slowest, examples })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // A scenario that fails early leaves no load behind.
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A failure without what differs each time, so that equal ones are counted together.
fn stable(failure: &str) -> String {
    let words = failure.split(',').filter(|part| !part.contains("request_id"));
    words.collect::<Vec<_>>().join(",").chars().take(300).collect()
}

/// Load of both kinds at once, half of the rate each.
pub(super) struct Both(Load, Load);

impl Both {
    /// Starts both.
    pub(super) fn start(address: &str, path: &str, rate: u32) -> anyhow::Result<Self> {
        let kept = Load::start(address, path, rate / 2, false)?;
        Ok(Self(kept, Load::start(address, path, rate / 2, true)?))
    }

    /// Stops both and adds up.
    pub(super) fn stop(self) -> anyhow::Result<Outcome> {
        let (kept, fresh) = (self.0.stop(), self.1.stop());
        let mut outcome = kept?;
        outcome.add(fresh?);
        Ok(outcome)
    }
}

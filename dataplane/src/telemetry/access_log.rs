//! The access log: one JSON line per request, formatted into a buffer of the worker, and written
//! by a thread of its own in batches.

#[cfg(test)]
mod tests;

mod json;
mod writer;

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fairway_snapshot::{Redaction, RuleId};
use http::Version;

use super::clock::Clock;
use crate::error::ProxyError;
use json::{Line, key, quoted};
pub use writer::{LogHandle, LogSwitch, LogWriter};

/// A buffer is handed over when it is this full. With lines of about 400 bytes that is one write
/// for 150 requests, and a pipe takes it at once: mostly it holds 64 KiB.
const BATCH: usize = 60 * 1024;

/// Room for a usual line, in bytes.
const USUAL: usize = 1024;

/// What is told of a request: of its header fields none but `Host` and `User-Agent`, and of path and query
/// what the redaction leaves.
#[derive(Debug)]
pub struct Record<'a> {
    /// When its head was complete, since 1970 (UTC).
    pub time: Duration,
    /// The id that the backend was told too.
    pub request_id: &'a [u8],
    /// The address that the connection comes from, with its port.
    pub peer: &'a [u8],
    /// The client's address, where a trusted peer names another one.
    pub client: Option<IpAddr>,
    /// The listener's name.
    pub listener: &'a str,
    /// The method.
    pub method: &'a str,
    /// `Host` as it came.
    pub host: &'a [u8],
    /// The path as it came.
    pub path: &'a str,
    /// The query as it came.
    pub query: &'a str,
    /// The version that the client speaks.
    pub version: Version,
    /// The status that the client got.
    pub status: u16,
    /// What went wrong.
    pub error: Option<ProxyError>,
    /// The rule that took the request, as [`rule`] writes it.
    pub rule: &'a [u8],
    /// The backend that was picked, as [`backend`] writes it.
    pub backend: &'a [u8],
    /// The address of the last attempt.
    pub endpoint: Option<SocketAddr>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Bytes of the request's body.
    pub bytes_received: u64,
    /// Bytes of the response's body.
    pub bytes_sent: u64,
    /// From the head of the request to the end of the response.
    pub duration: Duration,
    /// From the start of the last attempt to the head of the backend's response.
    pub upstream: Option<Duration>,
    /// `User-Agent`.
    pub user_agent: &'a [u8],
}

/// A worker's end of the access log.
#[derive(Debug)]
pub struct AccessLog {
    handle: LogHandle,
    buffer: RefCell<Vec<u8>>,
    clock: Clock,
    redaction: Redaction,
}

impl AccessLog {
    /// A log that hands its lines to `handle`.
    #[must_use]
    pub fn new(handle: LogHandle, redaction: Redaction) -> Self {
        Self {
            handle,
            buffer: RefCell::new(Vec::with_capacity(BATCH + 1024)),
            clock: Clock::default(),
            redaction,
        }
    }

    /// Adds a line, when the log is on.
    pub fn write(&self, record: &Record<'_>) {
        if !self.handle.is_on() {
            return;
        }
        let mut buffer = self.buffer.borrow_mut();
        record.write(&mut buffer, &self.clock, &self.redaction);
        if buffer.len() >= BATCH {
            self.handle.send(&mut buffer);
        }
    }

    /// Hands over what is there. A worker calls it several times a second.
    pub fn flush(&self) {
        let mut buffer = self.buffer.borrow_mut();
        if !buffer.is_empty() {
            self.handle.send(&mut buffer);
        }
    }
}

impl Record<'_> {
    fn write(&self, out: &mut Vec<u8>, clock: &Clock, redaction: &Redaction) {
        out.reserve(USUAL);
        let mut line = Line::begin(out, "{\"time\":\"");
        line.raw(|out| clock.write(out, self.time));
        line.plain(quoted!("request_id"), self.request_id);
        match self.client {
            Some(client) => {
                line.ip(quoted!("client"), client);
                line.plain(quoted!("peer"), self.peer);
            }
            None => line.plain(quoted!("client"), self.peer),
        }
        line.plain(quoted!("listener"), self.listener);
        // A token, which needs no escaping (RFC 9110 section 9.1).
        line.plain(quoted!("method"), self.method);
        line.parts(quoted!("host"), redacted_host(self.host));
        line.parts(quoted!("path"), redaction.path(self.path).map(str::as_bytes));
        if !self.query.is_empty() {
            line.parts(quoted!("query"), redaction.query(self.query).map(str::as_bytes));
        }
        line.plain(quoted!("version"), version(self.version));
        line.number(key!("status"), u64::from(self.status));
        if let Some(error) = self.error {
            line.plain(quoted!("reason"), error.reason());
            line.plain(quoted!("blame"), error.blame().as_str());
            if let ProxyError::UpstreamTls(problem) = error {
                line.plain(quoted!("cause"), problem.as_str());
            }
        }
        line.made(self.rule);
        line.made(self.backend);
        if let Some(endpoint) = self.endpoint {
            line.address(quoted!("endpoint"), endpoint);
        }
        if self.attempts > 0 {
            line.number(key!("attempts"), u64::from(self.attempts));
        }
        line.number(key!("bytes_received"), self.bytes_received);
        line.number(key!("bytes_sent"), self.bytes_sent);
        line.milliseconds(key!("duration_ms"), self.duration);
        if let Some(upstream) = self.upstream {
            line.milliseconds(key!("upstream_ms"), upstream);
        }
        if !self.user_agent.is_empty() {
            line.text(quoted!("user_agent"), self.user_agent);
        }
        line.end();
    }
}

/// What lines tell of a rule: the same for each request.
#[must_use]
pub fn rule(rule: &RuleId) -> Box<[u8]> {
    let mut out = Vec::new();
    let mut line = Line::fields(&mut out);
    line.object(quoted!("route"), &rule.object.namespace, &rule.object.name);
    line.plain(quoted!("rule"), &*rule.name);
    out.into()
}

/// The same of a backend, by what the user wrote.
#[must_use]
pub fn backend(reference: &str) -> Box<[u8]> {
    let mut out = Vec::new();
    Line::fields(&mut out).text(quoted!("backend"), reference.as_bytes());
    out.into()
}

/// A host without the user and the password that do not belong there, and for which it is refused.
fn redacted_host(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    let at = host.iter().rposition(|byte| *byte == b'@');
    let (user, host) = host.split_at(at.unwrap_or_default());
    user.first().map(|_| &b""[..]).into_iter().chain([host])
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

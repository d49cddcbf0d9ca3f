//! Lines are JSON whatever bytes come, and none is lost or told twice.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fairway_snapshot::{ObjectId, Redaction, RuleId};
use http::Version;
use serde_json::Value;

use super::{AccessLog, LogWriter, Record, backend, rule};
use crate::error::ProxyError;
use crate::telemetry::metrics::Metrics;

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn record<'a>(path: &'a str, agent: &'a [u8]) -> Record<'a> {
    Record {
        time: Duration::from_millis(1_709_251_199_042),
        request_id: b"id",
        peer: b"192.0.2.7:4711",
        client: None,
        listener: "http",
        method: "GET",
        host: b"a.example",
        path,
        query: "x=1",
        version: Version::HTTP_11,
        status: 502,
        error: Some(ProxyError::UpstreamReset),
        rule: b"",
        backend: b"",
        endpoint: Some("[2001:db8::1]:80".parse().unwrap()),
        attempts: 2,
        bytes_received: 3,
        bytes_sent: 12_345_678_901,
        duration: Duration::from_micros(1_234_567),
        upstream: Some(Duration::from_micros(7)),
        user_agent: agent,
    }
}

fn lines(write: impl FnOnce(&AccessLog)) -> Vec<Value> {
    let output = Output::default();
    let writer = LogWriter::to(output.clone(), Arc::new(Metrics::new(1)));
    let log = AccessLog::new(writer.handle(), Redaction::default());
    write(&log);
    log.flush();
    writer.finish();
    let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn a_line_tells_everything() {
    let object = Arc::new(ObjectId::new("market", "finance"));
    let id = RuleId { object, index: 0, name: "quotes".into() };
    let (rule, backend) = (rule(&id), backend("market/finance:http"));
    let record = Record { rule: &rule, backend: &backend, ..record("/e/fin", b"curl/8") };
    let lines = lines(|log| log.write(&record));
    let expected = serde_json::json!({
        "time": "2024-02-29T23:59:59.042Z", "request_id": "id", "client": "192.0.2.7:4711",
        "listener": "http", "method": "GET", "host": "a.example", "path": "/e/fin", "query": "x=1",
        "version": "1.1", "status": 502, "reason": "upstream_reset", "blame": "upstream",
        "route": "market/finance", "rule": "quotes", "backend": "market/finance:http",
        "endpoint": "[2001:db8::1]:80", "attempts": 2, "bytes_received": 3,
        "bytes_sent": 12_345_678_901u64, "duration_ms": 1234.567, "upstream_ms": 0.007,
        "user_agent": "curl/8",
    });
    assert_eq!(lines, [expected]);
}

#[test]
fn a_client_behind_a_trusted_peer_is_told_beside_it() {
    let client = "203.0.113.7".parse().ok();
    let lines = lines(|log| log.write(&Record { client, ..record("/", b"") }));
    assert_eq!(lines[0]["client"], "203.0.113.7");
    assert_eq!(lines[0]["peer"], "192.0.2.7:4711");
}

#[test]
fn bytes_from_outside_never_break_a_line() {
    for byte in 0..=255u8 {
        let agent = [b'a', byte, b'"', b'\\', b'b'];
        let lines = lines(|log| log.write(&record("/주\u{1}\"", &agent)));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["path"], "/주\u{1}\"");
        let agent = lines[0]["user_agent"].as_str().unwrap();
        assert!(agent.starts_with('a') && agent.ends_with("\"\\b"), "{byte}: {agent}");
    }
}

#[test]
fn credentials_are_not_told() {
    for (path, query, host, told) in [
        ("/a", "x=1", "a.example", ["/a", "x=1", "a.example"]),
        (
            "/a;sid=S",
            "Api%5FKey=S&x=\"",
            "u:S@a",
            ["/a;sid=REDACTED", "Api%5FKey=REDACTED&x=\"", "REDACTED@a"],
        ),
        ("/", "token=S", "S@", ["/", "token=REDACTED", "REDACTED@"]),
        (
            "/",
            "token=S&token=\u{1}S",
            "S@S@a",
            ["/", "token=REDACTED&token=REDACTED", "REDACTED@a"],
        ),
    ] {
        let lines = lines(|log| {
            log.write(&Record { query, host: host.as_bytes(), ..record(path, b"") });
        });
        assert_eq!(["path", "query", "host"].map(|key| lines[0][key].as_str().unwrap()), told);
    }
}

#[test]
fn many_lines_all_arrive_in_order() {
    let lines = lines(|log| {
        for number in 0..5_000 {
            log.write(&record(&format!("/{number}"), b""));
        }
    });
    assert_eq!(lines.len(), 5_000);
    assert!(lines.iter().enumerate().all(|(number, line)| line["path"] == format!("/{number}")));
}

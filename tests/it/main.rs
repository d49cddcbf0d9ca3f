//! The data plane in this process: real connections, real backends, a real DNS server.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bodies;
mod control;
mod descriptors;
mod failures;
mod fastapi;
mod framing;
mod grpc;
mod headers;
mod http2;
mod http2_backends;
mod http2_floods;
mod http2_windows;
mod interim;
mod limits;
mod matrix;
mod mirrors;
mod names;
mod overload;
mod policies;
mod proxy_protocol;
mod redaction;
mod requests;
mod routing;
mod second_opinion;
mod secrets;
mod slow_clients;
mod swaps;
mod timeouts;
mod tls;
mod told;
mod upgrades;
mod upstream_identity;
mod upstream_tls;
mod upstream_tls_failures;
mod versions;
mod why;

use fairway_tests::http::Answer;

/// The headers that a backend got, as JSON: name to list of values.
fn got(answer: &Answer, name: &str) -> Vec<String> {
    let values = answer.json()["headers"][name].clone();
    serde_json::from_value(values).unwrap_or_default()
}

//! How long it took, told to the client: `X-Process-Time` in seconds and `Server-Timing` in
//! milliseconds (W3C Server Timing).

#[cfg(test)]
mod tests;

use std::io::Write;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::context::RequestContext;

const X_PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Sets the headers that the settings ask for. An `X-Process-Time` of the backend stays, a
/// `Server-Timing` of the backend is added to.
pub(crate) fn apply(context: &RequestContext, headers: &mut HeaderMap) {
    let config = &context.worker.config;
    if !config.process_time && !config.server_timing {
        return;
    }
    let total = context.started.elapsed();
    if config.process_time && !headers.contains_key(X_PROCESS_TIME) {
        headers.insert(X_PROCESS_TIME, seconds(total));
    }
    if config.server_timing {
        headers.append(SERVER_TIMING, server_timing(total, context.upstream));
    }
}

/// Seconds with six decimals.
fn seconds(duration: Duration) -> HeaderValue {
    let mut text: SmallVec<[u8; 32]> = SmallVec::new();
    // Writing to memory does not fail.
    let _ = write!(text, "{}.{:06}", duration.as_secs(), duration.subsec_micros());
    value(&text)
}

/// `gw` is our own share, `up` the time until the backend's head was there.
fn server_timing(total: Duration, upstream: Option<Duration>) -> HeaderValue {
    let mut text: SmallVec<[u8; 64]> = SmallVec::new();
    let own = total.saturating_sub(upstream.unwrap_or_default());
    text.extend_from_slice(b"gw;dur=");
    milliseconds(&mut text, own);
    if let Some(upstream) = upstream {
        text.extend_from_slice(b", up;dur=");
        milliseconds(&mut text, upstream);
    }
    value(&text)
}

fn milliseconds(text: &mut SmallVec<[u8; 64]>, duration: Duration) {
    let micros = duration.as_micros();
    let _ = write!(text, "{}.{:03}", micros / 1000, micros % 1000);
}

fn value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or_else(|_| HeaderValue::from_static("0"))
}

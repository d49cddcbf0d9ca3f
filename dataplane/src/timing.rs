//! How long it took, told to the client: `X-Process-Time` in seconds and `Server-Timing` in
//! milliseconds (W3C Server Timing).

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::context::RequestContext;
use crate::fields::{Fields, Known};

/// Sets the headers that the settings ask for. An `X-Process-Time` of the backend stays, a
/// `Server-Timing` of the backend is added to.
pub(crate) fn apply(context: &RequestContext, headers: &mut Fields) {
    let config = &context.worker.config;
    if !config.process_time && !config.server_timing {
        return;
    }
    // The head of a backend's answer has come just now.
    let total = match context.upstream {
        Some(_) => context.exchange.moved.get().saturating_duration_since(context.started),
        None => context.started.elapsed(),
    };
    if config.process_time && !headers.contains(Known::XProcessTime) {
        headers.add_written(Known::XProcessTime, |text| seconds(text, total));
    }
    if config.server_timing {
        let upstream = context.upstream;
        headers.add_written(Known::ServerTiming, |text| server_timing(text, total, upstream));
    }
}

/// Seconds with six decimals.
fn seconds(text: &mut Vec<u8>, duration: Duration) {
    decimal::<6>(text, duration.as_secs(), duration.subsec_micros());
}

/// `gw` is our own share, `up` the time until the backend's head was there.
fn server_timing(text: &mut Vec<u8>, total: Duration, upstream: Option<Duration>) {
    let own = total.saturating_sub(upstream.unwrap_or_default());
    text.extend_from_slice(b"gw;dur=");
    milliseconds(text, own);
    if let Some(upstream) = upstream {
        text.extend_from_slice(b", up;dur=");
        milliseconds(text, upstream);
    }
}

fn milliseconds(text: &mut Vec<u8>, duration: Duration) {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    decimal::<3>(text, millis, duration.subsec_micros() % 1000);
}

/// The digits of the greatest number, a point, and the most decimals.
const DIGITS: usize = 21;
const MOST: usize = 6;

/// A number with so many decimals. By hand, since every answer has three of them and formatting
/// them the general way costs more than all the rest of this file.
fn decimal<const DECIMALS: usize>(text: &mut Vec<u8>, mut whole: u64, mut fraction: u32) {
    // From the last digit to the first, and then in one piece.
    let mut digits = [b'.'; DIGITS + MOST];
    let (before, behind) = digits.split_at_mut(DIGITS);
    for digit in behind.iter_mut().take(DECIMALS).rev() {
        *digit = b'0' + u8::try_from(fraction % 10).unwrap_or_default();
        fraction /= 10;
    }
    let mut first = DIGITS - 1;
    for digit in before.iter_mut().rev().skip(1) {
        *digit = b'0' + u8::try_from(whole % 10).unwrap_or_default();
        first -= 1;
        whole /= 10;
        if whole == 0 {
            break;
        }
    }
    text.extend_from_slice(digits.get(first..DIGITS + DECIMALS).unwrap_or_default());
}

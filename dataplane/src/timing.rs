//! How long it took, told to the client: `X-Process-Time` in seconds and `Server-Timing` in
//! milliseconds (W3C Server Timing).

#[cfg(test)]
mod tests;

use std::time::Duration;

use smallvec::SmallVec;

use crate::context::RequestContext;
use crate::fields::{Fields, Known};

/// Text that is made without an allocation.
type Text = SmallVec<[u8; 64]>;

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
        headers.add(Known::XProcessTime, &seconds(total));
    }
    if config.server_timing {
        headers.add(Known::ServerTiming, &server_timing(total, context.upstream));
    }
}

/// Seconds with six decimals.
fn seconds(duration: Duration) -> Text {
    let mut text = Text::new();
    decimal::<6>(&mut text, duration.as_secs(), duration.subsec_micros());
    text
}

/// `gw` is our own share, `up` the time until the backend's head was there.
fn server_timing(total: Duration, upstream: Option<Duration>) -> Text {
    let mut text = Text::new();
    let own = total.saturating_sub(upstream.unwrap_or_default());
    text.extend_from_slice(b"gw;dur=");
    milliseconds(&mut text, own);
    if let Some(upstream) = upstream {
        text.extend_from_slice(b", up;dur=");
        milliseconds(&mut text, upstream);
    }
    text
}

fn milliseconds(text: &mut Text, duration: Duration) {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    decimal::<3>(text, millis, duration.subsec_micros() % 1000);
}

/// A number with so many decimals. By hand, since every answer has three of them and formatting
/// them the general way costs more than all the rest of this file.
fn decimal<const DECIMALS: usize>(text: &mut Text, whole: u64, mut fraction: u32) {
    text.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    let mut digits = [b'0'; DECIMALS];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(fraction % 10).unwrap_or_default();
        fraction /= 10;
    }
    text.push(b'.');
    text.extend_from_slice(&digits);
}

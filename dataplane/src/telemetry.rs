//! What the data plane tells: one log line per request, and metrics. Both are written by the
//! thread that serves the request, without locks and without allocating.

pub mod access_log;
pub mod metrics;
pub mod rule_metrics;

pub(crate) mod clock;
pub mod collector;

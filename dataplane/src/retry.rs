//! When a request is tried again: only where it provably does no harm.
//!
//! A request of which nothing was sent is tried again, whatever its method. A request with an
//! idempotent method (RFC 9110 section 9.2.2) and without a body is tried again when the connection
//! had served before and ended before the first byte of an answer: backends close idle connections,
//! and such a request may have crossed the close on its way. One that only reads (section 9.2.1) is
//! tried once more even when a new connection ended so, as it does where a backend is just ending.
//!
//! There are several tries because a cluster's address may lead to the same ending backend again,
//! until everybody knows that it ends; and pauses between them because that takes a moment.

use std::time::Duration;

use http::Method;

use crate::attempt::{Answer, Failed, HeadLimits, attempt};
use crate::context::RequestContext;
use crate::error::ProxyError;
use crate::upstream::UpstreamRuntime;
use crate::upstream::exchange::Outgoing;

/// The pause before each try after the first, in the middle; half of it and one and a half are the
/// bounds. The first comes at once: mostly another endpoint or a new connection is all it takes.
const PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(300),
];

/// Sends a request to an upstream, trying again where that is safe.
pub(crate) async fn send(
    context: &mut RequestContext,
    upstream: &UpstreamRuntime,
    request: &mut Outgoing,
    limits: HeadLimits,
) -> Result<Answer, ProxyError> {
    let mut safety = Safety::of(request);
    let mut pauses = PAUSES.iter();
    let mut fresh = false;
    loop {
        let failed = match attempt(context, upstream, request, limits, fresh).await {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        let Some(pause) = pauses.next().filter(|_| safety.allows(&failed)) else {
            return Err(failed.error);
        };
        context.worker.metrics.retried();
        if !pause.is_zero() {
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        }
        fresh = true;
    }
}

/// What is known of the harm that another try may do.
struct Safety {
    /// Whether a second copy may be sent when it is not known what became of the first.
    repeatable: bool,
    /// The same when a new connection broke, which may be the request's own doing: then once.
    rereadable: bool,
    /// Whether an endpoint may be waited for once more: opening takes its whole time otherwise.
    patient: bool,
}

impl Safety {
    fn of(request: &Outgoing) -> Self {
        let method = &request.head.method;
        let idempotent = method.is_idempotent() && *method != Method::CONNECT;
        let repeatable = idempotent && request.body.is_none();
        Self { repeatable, rereadable: repeatable && method.is_safe(), patient: true }
    }

    /// Whether another try does no harm after this one.
    fn allows(&mut self, failed: &Failed) -> bool {
        if failed.nothing_sent && failed.error.is_retryable() {
            let slow = failed.error == ProxyError::ConnectTimeout;
            return !slow || std::mem::replace(&mut self.patient, false);
        }
        (failed.stale && self.repeatable)
            || (failed.dropped && std::mem::replace(&mut self.rereadable, false))
    }
}

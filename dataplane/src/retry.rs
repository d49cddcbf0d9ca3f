//! When a request is tried again: only where it provably does no harm.
//!
//! A request of which nothing was sent is tried once more, whatever its method. A request with an
//! idempotent method (RFC 9110 section 9.2.2) and without a body is tried once more when the
//! connection had served before and ended before the first byte of an answer: backends close idle
//! connections, and such a request may have crossed the close on its way.

use http::Method;

use crate::attempt::{Answer, HeadLimits, attempt};
use crate::context::RequestContext;
use crate::error::ProxyError;
use crate::upstream::UpstreamRuntime;
use crate::upstream::http1::Outgoing;

/// Sends a request to an upstream, trying twice where that is safe.
pub(crate) async fn send(
    context: &mut RequestContext,
    upstream: &UpstreamRuntime,
    mut request: Outgoing,
    limits: HeadLimits,
) -> Result<Answer, ProxyError> {
    let repeatable = repeatable(&request);
    let failed = match attempt(context, upstream, &mut request, limits, false).await {
        Ok(answer) => return Ok(answer),
        Err(failed) => failed,
    };
    let unsent = failed.nothing_sent && failed.error.is_retryable();
    let harmless = unsent || (failed.stale && repeatable);
    if !harmless {
        return Err(failed.error);
    }
    context.worker.metrics.retried();
    attempt(context, upstream, &mut request, limits, true).await.map_err(|failed| failed.error)
}

/// Whether a second copy may be sent when it is not known what became of the first.
fn repeatable(request: &Outgoing) -> bool {
    let method = &request.head.method;
    let idempotent = method.is_idempotent() && *method != Method::CONNECT;
    idempotent && request.body.is_none()
}

//! When a request is tried again: only where it provably does no harm.
//!
//! A request of which nothing was sent is tried once more, whatever its method. A request with an
//! idempotent method (RFC 9110 section 9.2.2) and without a body is tried once more when the
//! connection had served before and ended before the first byte of an answer: backends close idle
//! connections, and such a request may have crossed the close on its way.

use std::sync::Arc;

use http::{Method, Request};

use crate::attempt::{Answer, HeadLimits, attempt};
use crate::body::Body;
use crate::context::RequestContext;
use crate::error::ProxyError;
use crate::upstream::UpstreamRuntime;

/// Sends a request to an upstream, trying twice where that is safe.
pub(crate) async fn send(
    context: &mut RequestContext,
    upstream: &Arc<UpstreamRuntime>,
    request: Request<Body>,
    limits: HeadLimits,
) -> Result<Answer, ProxyError> {
    let copy = repeatable(&request).then(|| copy(&request));
    let first = match attempt(context, upstream, Box::new(request), limits, false).await {
        Ok(answer) => return Ok(answer),
        Err(failed) => failed,
    };
    let again = match (first.unsent, copy) {
        (Some(unsent), _) if first.error.is_retryable() => unsent,
        (None, Some(copy)) if first.stale => Box::new(copy),
        _ => return Err(first.error),
    };
    context.worker.metrics.retried();
    attempt(context, upstream, again, limits, true).await.map_err(|failed| failed.error)
}

/// Whether a second copy may be sent when it is not known what became of the first.
fn repeatable(request: &Request<Body>) -> bool {
    let method = request.method();
    let idempotent = method.is_idempotent() && *method != Method::CONNECT;
    idempotent && matches!(request.body(), Body::Empty)
}

fn copy(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

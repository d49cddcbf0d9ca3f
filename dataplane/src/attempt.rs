//! One attempt: a connection to an endpoint, the request over it, and the wait for the head of
//! the response within every limit that applies.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::context::{Exchange, RequestContext};
use crate::error::ProxyError;
use crate::message::ResponseHead;
use crate::timers::Timers;
use crate::upstream::UpstreamRuntime;
use crate::upstream::exchange::{self, Connection, Outgoing, ResponseBody, SendError, Wants, send};

/// The head of a response, and its body with the connection that it comes over.
pub(crate) type Answer = (ResponseHead, ResponseBody);

/// Why an attempt got no answer.
pub(crate) struct Failed {
    pub(crate) error: ProxyError,
    /// Whether provably nothing of the request was sent.
    pub(crate) nothing_sent: bool,
    /// Whether a connection that had served before ended before the first byte of an answer.
    pub(crate) stale: bool,
    /// Whether a new connection did.
    pub(crate) dropped: bool,
}

/// The limits of the wait for a head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// From the end of the request's body, over all attempts.
    pub(crate) response: Option<Duration>,
    /// The same for one attempt.
    pub(crate) attempt: Option<Duration>,
    /// While the request's body is sent, once there is a connection: without any movement.
    pub(crate) idle: Option<Duration>,
    /// When the whole request must have ended.
    pub(crate) deadline: Option<Instant>,
}

/// Makes one attempt. `fresh` asks for a new connection rather than a pooled one.
pub(crate) async fn attempt(
    context: &mut RequestContext,
    upstream: &UpstreamRuntime,
    request: &mut Outgoing,
    limits: HeadLimits,
    fresh: bool,
) -> Result<Answer, Failed> {
    context.attempts += 1;
    let began = Instant::now();
    let exchange = Rc::clone(&context.exchange);
    let worker = Rc::clone(&context.worker);
    exchange.sending.set(false);
    // Pinned where it stands: it is large.
    let answer = within(
        &worker.timers,
        &exchange,
        limits,
        began,
        pin!(once(context, upstream, request, began, fresh)),
    )
    .await;
    let answer = answer
        .map_err(|error| Failed { error, nothing_sent: false, stale: false, dropped: false })
        .flatten()?;
    let now = Instant::now();
    context.upstream = Some(now - began);
    // The head is a movement: the wait for it does not count against the body.
    exchange.moved.set(now);
    Ok(answer)
}

/// The attempt itself, for as long as it takes.
async fn once(
    context: &mut RequestContext,
    upstream: &UpstreamRuntime,
    request: &mut Outgoing,
    began: Instant,
    fresh: bool,
) -> Result<Answer, Failed> {
    let exchange = Rc::clone(&context.exchange);
    let wants = Wants { fresh, http1: request.upgrade.is_some() };
    let connection = connection(context, upstream, wants).await.map_err(|error| Failed {
        error,
        nothing_sent: true,
        stale: false,
        dropped: false,
    })?;
    let reused = connection.is_reused();
    // One that was there took no time.
    exchange.moved.set(if reused { began } else { Instant::now() });
    exchange.sending.set(true);
    let sent = send(connection, request, Some(&exchange.interim)).await;
    sent.map_err(|SendError { error, nothing_sent, closed }| {
        // What the client did wrong with its body is not the backend's fault.
        let error = exchange.broken.get().unwrap_or(error);
        Failed { error, nothing_sent, stale: closed && reused, dropped: closed && !reused }
    })
}

/// An idle connection to one of the upstream's endpoints, or a new one.
async fn connection(
    context: &mut RequestContext,
    upstream: &UpstreamRuntime,
    wants: Wants,
) -> Result<Connection, ProxyError> {
    let connect_limit =
        context.rule.as_ref().and_then(|rule| rule.rule.policy.timeouts.connect.value);
    let previous = context.endpoint;
    let endpoint = upstream.pick(previous, connect_limit).await?;
    context.endpoint = Some(endpoint);
    let worker = &context.worker;
    let metrics = Some(&worker.metrics);
    exchange::connection(&worker.pool, upstream, endpoint, connect_limit, wants, metrics).await
}

/// Waits for `answer` within the limits.
///
/// The limits that begin at the end of the request's body cannot be known before; the timer is
/// then set as if the body ended now, and looks again when it fires.
async fn within<T>(
    timers: &Timers,
    exchange: &Exchange,
    limits: HeadLimits,
    began: Instant,
    mut answer: Pin<&mut impl Future<Output = T>>,
) -> Result<T, ProxyError> {
    let Some(first) = limits.next(exchange, began, began)? else {
        return Ok(answer.await);
    };
    let mut timer = None;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        let timer = timer.get_or_insert_with(|| timers.take(first));
        while timer.poll(cx).is_ready() {
            match limits.next(exchange, began, Instant::now()) {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(None) => return Poll::Pending,
                Ok(Some(at)) => timer.reset(at),
            }
        }
        Poll::Pending
    })
    .await
}

impl HeadLimits {
    /// When to look again, or which limit has passed.
    fn next(
        self,
        exchange: &Exchange,
        began: Instant,
        now: Instant,
    ) -> Result<Option<Instant>, ProxyError> {
        let mut nearest: Option<Instant> = None;
        let mut consider = |limit: Option<Instant>, error: ProxyError| match limit {
            Some(at) if at <= now => Err(error),
            Some(at) => {
                nearest = Some(nearest.map_or(at, |nearest| nearest.min(at)));
                Ok(())
            }
            None => Ok(()),
        };
        consider(self.deadline, ProxyError::RequestTimeout)?;
        if let Some(ended) = exchange.request_ended.get() {
            consider(self.response.map(|limit| ended + limit), ProxyError::ResponseTimeout)?;
            let attempt = ended.max(began);
            consider(self.attempt.map(|limit| attempt + limit), ProxyError::AttemptTimeout)?;
        } else {
            let error = if exchange.awaits_client.get() {
                ProxyError::ClientIdleTimeout
            } else {
                ProxyError::IdleTimeout
            };
            let idle = self.idle.filter(|_| exchange.sending.get());
            consider(idle.map(|limit| exchange.moved.get() + limit), error)?;
            let slow = idle.is_some_and(|limit| exchange.sends.is_slow(limit));
            let behind = idle.and_then(|limit| exchange.sends.deadline(limit));
            let error = if slow { ProxyError::ClientSendsSlowly } else { error };
            consider(behind, error)?;
            let provisional = [self.response, self.attempt, self.idle].into_iter().flatten().min();
            // A limit of zero would never let the timer rest.
            let provisional = provisional.map(|limit| now + limit.max(Duration::from_millis(1)));
            consider(provisional, ProxyError::ResponseTimeout)?;
        }
        Ok(nearest)
    }
}

//! Copies of requests to mirrors. A copy has a task of its own that nobody waits for: whatever
//! becomes of it changes nothing for the request, the client, or the end of the worker.

mod queue;

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use fairway_snapshot::{Mirror as Written, MirrorTarget};

use crate::body::ClientBody;
use crate::error::ProxyError;
use crate::rules::RuleRuntime;
use crate::upstream::exchange::{self, Outgoing, RequestBody, ResponseBody, Wants, send};
use crate::upstream::{UpstreamRegistry, UpstreamRuntime};
use crate::worker::{self, Worker};
use queue::Queue;
pub(crate) use queue::{Copies, CopyBody};

/// How long after the end of the request a copy may take, where the rule has no limit of its own
/// for answers: a copy that nobody ends would be held for ever.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of an answer's body is read to keep the connection; behind it the connection ends.
const ANSWER_BYTES: usize = 64 * 1024;

/// A mirror of a rule.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// How many of [`Written::WHOLE`] requests are copied.
    share: u32,
    /// `None` when it could not be resolved when the rule was compiled.
    target: Option<Arc<UpstreamRuntime>>,
}

/// What the copies of a worker take.
#[derive(Debug, Default)]
pub(crate) struct Load {
    in_flight: Cell<usize>,
    /// Bytes in queues.
    held: Cell<usize>,
}

/// Why a copy was not sent, or not to its end, though nobody failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reason {
    /// There are as many in flight as there may be.
    InFlight,
    /// The mirror took the body more slowly than the backend.
    QueueFull,
    /// The backend did not get the whole body either: the client or the backend broke it off.
    RequestIncomplete,
    /// The request asks for another protocol, which is a conversation and no request.
    Upgrade,
    /// The worker ended before the copy did.
    ShuttingDown,
}

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The mirror answered, whatever its status.
    Sent,
    /// It did not.
    Failed(ProxyError),
    Dropped(Reason),
}

/// A copy in flight: the guard that counts what became of it.
struct InFlight {
    worker: Rc<Worker>,
    rule: Arc<RuleRuntime>,
    outcome: Outcome,
}

impl Reason {
    /// The word in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::QueueFull => "queue_full",
            Self::RequestIncomplete => "request_incomplete",
            Self::Upgrade => "upgrade",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

impl Mirror {
    pub(crate) fn new(written: &Written, upstreams: &UpstreamRegistry) -> Self {
        let target = match &written.target {
            MirrorTarget::Upstream(upstream) => upstreams.get(upstream),
            MirrorTarget::Invalid(_) => None,
        };
        Self { share: written.share, target }
    }
}

/// Sends copies of a request, as its backend gets it, to the mirrors of its rule. `upgrade` says
/// whether the client asked for another protocol.
pub(crate) fn mirror(
    worker: &Rc<Worker>,
    rule: &Arc<RuleRuntime>,
    request: &mut Outgoing,
    upgrade: bool,
) {
    for mirror in &rule.mirrors {
        if fastrand::u32(..Written::WHOLE) >= mirror.share {
            continue;
        }
        let outcome = match &mirror.target {
            _ if upgrade => Outcome::Dropped(Reason::Upgrade),
            None => Outcome::Failed(ProxyError::BackendInvalid),
            Some(_) if worker.mirrors.in_flight.get() >= worker.config.mirrors_in_flight => {
                Outcome::Dropped(Reason::InFlight)
            }
            Some(upstream) => {
                begin(worker, rule, Arc::clone(upstream), request);
                continue;
            }
        };
        rule.metrics.mirrored(worker.index, outcome);
    }
}

fn begin(
    worker: &Rc<Worker>,
    rule: &Arc<RuleRuntime>,
    upstream: Arc<UpstreamRuntime>,
    request: &mut Outgoing,
) {
    let body = request.body.as_mut().and_then(RequestBody::of_client);
    let body = body.map(|body| copied(body, &worker.mirrors));
    let queue = body.as_ref().map(CopyBody::queue);
    let head = request.head.clone();
    let body = body.map(RequestBody::Copy);
    let copy = Outgoing { head, body, expects: false, upgrade: None };
    let guard = InFlight::new(worker, rule);
    worker::spawn(run(guard, upstream, copy, queue));
}

fn copied(body: &mut ClientBody, load: &Rc<Load>) -> CopyBody {
    let length = body.length();
    body.copies().add(load, length)
}

/// A copy, from its connection to the end of the answer. It is not tried again.
async fn run(
    mut guard: InFlight,
    upstream: Arc<UpstreamRuntime>,
    mut copy: Outgoing,
    queue: Option<Rc<Queue>>,
) {
    let limit = guard.rule.rule.policy.timeouts.response.value.unwrap_or(PATIENCE);
    let exchange = exchange(&guard.worker, &guard.rule, &upstream, &mut copy);
    let outcome = within(queue.as_deref(), limit, exchange).await;
    guard.outcome = outcome;
}

async fn exchange(
    worker: &Worker,
    rule: &RuleRuntime,
    upstream: &UpstreamRuntime,
    copy: &mut Outgoing,
) -> Result<(), ProxyError> {
    let connect_limit = rule.rule.policy.timeouts.connect.value;
    let endpoint = upstream.pick(None, connect_limit).await?;
    let pool = &worker.pool;
    let connection =
        exchange::connection(pool, upstream, endpoint, connect_limit, Wants::default(), None);
    let connection = connection.await?;
    let (_, body) = send(connection, copy, None).await.map_err(|failed| failed.error)?;
    discard(worker, body).await
}

/// Reads an answer and throws it away, so that its connection serves others. One that is too long
/// ends with its connection.
async fn discard(worker: &Worker, mut body: ResponseBody) -> Result<(), ProxyError> {
    let mut read = 0;
    while !body.is_end_stream() && read <= ANSWER_BYTES {
        match std::future::poll_fn(|cx| body.poll_frame(cx)).await {
            Some(frame) => read += frame?.data_ref().map_or(0, Bytes::len),
            None => break,
        }
    }
    body.finish(&worker.pool, std::time::Instant::now());
    Ok(())
}

/// Waits for a copy, until its time is over or the rest of its body never comes. The time begins
/// at the end of the request, as for its backend: a slow upload does not count.
async fn within(
    queue: Option<&Queue>,
    limit: Duration,
    exchange: impl Future<Output = Result<(), ProxyError>>,
) -> Outcome {
    let mut exchange = pin!(exchange);
    let mut timer = None;
    std::future::poll_fn(|cx| {
        if let Some(queue) = queue {
            queue.listen(cx);
            if let Some(reason) = queue.broken() {
                return Poll::Ready(Outcome::Dropped(reason));
            }
        }
        if let Poll::Ready(ended) = exchange.as_mut().poll(cx) {
            return Poll::Ready(ended.map_or_else(Outcome::Failed, |()| Outcome::Sent));
        }
        if queue.is_some_and(|queue| !queue.is_ended()) {
            return Poll::Pending;
        }
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        timer.as_mut().poll(cx).map(|()| Outcome::Failed(ProxyError::ResponseTimeout))
    })
    .await
}

// === impl InFlight ===

impl InFlight {
    fn new(worker: &Rc<Worker>, rule: &Arc<RuleRuntime>) -> Self {
        let in_flight = &worker.mirrors.in_flight;
        in_flight.set(in_flight.get() + 1);
        let outcome = Outcome::Dropped(Reason::ShuttingDown);
        Self { worker: Rc::clone(worker), rule: Arc::clone(rule), outcome }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let in_flight = &self.worker.mirrors.in_flight;
        in_flight.set(in_flight.get() - 1);
        self.rule.metrics.mirrored(self.worker.index, self.outcome);
    }
}

//! One replica of a class leads and writes status; the others are ready to take over. Who leads
//! stands in a Lease of `coordination.k8s.io/v1`.
//!
//! No clock of another machine is ever compared with ours: a leader counts its time from the start
//! of its last successful write, the others from when they last saw the lease change, both on the
//! monotonic clock. The first time is shorter, so that a leader stops before another begins, also
//! one that was frozen. Losing the API server ends leadership and nothing else.

mod election;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::metrics::ControllerMetrics;
use crate::pod::Pod;
use election::{Election, Step};

/// How long a lease that nobody renews is still respected.
pub const DURATION: Duration = Duration::from_secs(15);
/// How long a leader leads after its last successful renewal. Shorter than [`DURATION`] by more
/// than a request takes.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often the lease is renewed or looked at, about.
const RETRY: Duration = Duration::from_secs(2);
/// How long one request may take: within the deadline of a leader there is time for another.
const REQUEST: Duration = Duration::from_secs(5);

/// Whether this process may write status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// There is no other replica.
    Only,
    /// Another replica leads, or nobody.
    Follower,
    /// This process leads until then, unless it renews before.
    Until(Instant),
}

impl Leadership {
    /// Whether this process may write now. Asked before each write, for a process that was frozen
    /// finds its time over before anything else tells it so.
    #[must_use]
    pub fn may_write(self) -> bool {
        match self {
            Self::Only => true,
            Self::Follower => false,
            Self::Until(end) => Instant::now() < end,
        }
    }

    /// Waits until this leadership is over. The leadership of the only one never is.
    pub async fn over(self) {
        match self {
            Self::Only => std::future::pending().await,
            Self::Follower => {}
            Self::Until(end) => {
                let mut sleep = pin!(sleep_until(end));
                // The clock is asked itself: after a freeze the timer may come after other events.
                poll_fn(|context| match Instant::now() < end {
                    true => sleep.as_mut().poll(context),
                    false => Poll::Ready(()),
                })
                .await;
            }
        }
    }
}

/// A replica that leads when nobody else does.
#[derive(Debug)]
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    election: Election,
    /// The lease as this process wrote it last; renewing it needs no look at it.
    held: Option<Lease>,
    until: Option<Instant>,
    /// Who led when it was last told.
    told: Option<String>,
    /// Whether the last turn failed: what goes on is told once.
    failing: bool,
    leadership: watch::Sender<Leadership>,
    metrics: ControllerMetrics,
}

impl Candidate {
    /// A candidate for the lease of `class` in the namespace of `pod`, and what becomes of it.
    #[must_use]
    pub fn new(
        client: Client,
        pod: &Pod,
        class: &str,
        metrics: ControllerMetrics,
    ) -> (Self, watch::Receiver<Leadership>) {
        let (leadership, receiver) = watch::channel(Leadership::Follower);
        // A pod that is restarted keeps its name, and must not take its former self for itself.
        let identity = format!("{}_{:016x}", pod.name, fastrand::u64(..));
        let candidate = Self {
            api: Api::namespaced(client, &pod.namespace),
            name: format!("fairway-{class}"),
            election: Election::new(identity),
            held: None,
            until: None,
            told: None,
            failing: false,
            leadership,
            metrics,
        };
        (candidate, receiver)
    }

    /// Takes part until `stop` is sent or dropped; then the lease is released, so that the next
    /// one leads at once.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            let next = tokio::select! {
                biased;
                _ = &mut stop => break,
                next = self.turn() => next,
            };
            tokio::select! {
                biased;
                _ = &mut stop => break,
                () = sleep_until(next) => {}
            }
        }
        self.release().await;
    }

    /// One look at the lease, and one write when there is something to write. Says when to look
    /// again.
    async fn turn(&mut self) -> Instant {
        self.notice_the_end();
        let failed = self.attempt().await.err();
        match &failed {
            Some(problem) if self.failing => tracing::debug!(lease = self.name, problem, "lease"),
            Some(problem) => tracing::warn!(lease = self.name, problem, "lease, trying again"),
            None => {}
        }
        self.failing = failed.is_some();
        if failed.is_some() {
            // Whether a write was taken is not known: the next turn looks first.
            self.held = None;
        }
        self.notice_the_end();
        let pause = Instant::now() + RETRY.mul_f64(0.5 + fastrand::f64());
        let change = self.until.or_else(|| self.election.expires());
        // With a little chance, so that of several who wait not all ask at once.
        let change = change.map(|at| at + Duration::from_millis(fastrand::u64(1..300)));
        change.filter(|at| *at > Instant::now()).map_or(pause, |at| at.min(pause))
    }

    async fn attempt(&mut self) -> Result<(), String> {
        let lease = match self.held.take() {
            Some(held) => Some(held),
            None => self.within(self.api.get_opt(&self.name)).await?,
        };
        let transitions = lease.as_ref().and_then(|lease| lease.spec.as_ref()?.lease_transitions);
        let step = self.election.step(&self.name, lease, Instant::now(), Timestamp::now());
        let began = Instant::now();
        let params = PostParams::default();
        let written = match step {
            Step::Wait { leader } => {
                self.metrics.lease_transitions.set(transitions.unwrap_or_default().into());
                self.follow(leader);
                return Ok(());
            }
            Step::Create(lease) => self.within(self.api.create(&params, &lease)).await?,
            Step::Update(lease) => {
                self.within(self.api.replace(&self.name, &params, &lease)).await?
            }
        };
        let transitions = written.spec.as_ref().and_then(|spec| spec.lease_transitions);
        self.metrics.lease_transitions.set(transitions.unwrap_or_default().into());
        self.held = Some(written);
        self.lead(began + RENEW_DEADLINE);
        Ok(())
    }

    /// A request within its limit, which for a leader is at most the end of its time.
    async fn within<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
        let limit = Instant::now() + REQUEST;
        let limit = self.until.map_or(limit, |until| until.min(limit));
        match timeout_at(limit, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the API server does not answer".to_owned()),
        }
    }

    fn lead(&mut self, until: Instant) {
        if until <= Instant::now() {
            // The answer came too late: somebody may have taken the lease meanwhile.
            self.notice_the_end();
            return;
        }
        if self.until.replace(until).is_none() {
            self.told = Some(self.election.identity().to_owned());
            self.metrics.leader.set(1);
            tracing::info!(lease = self.name, identity = self.election.identity(), "became leader");
        }
        self.leadership.send_replace(Leadership::Until(until));
    }

    fn follow(&mut self, leader: String) {
        self.lost("another replica took the lease");
        if self.told.as_ref() != Some(&leader) {
            tracing::info!(lease = self.name, leader, "another replica leads");
            self.told = Some(leader);
        }
    }

    fn notice_the_end(&mut self) {
        if self.until.is_some_and(|until| until <= Instant::now()) {
            self.lost("the lease was not renewed in time");
        }
    }

    fn lost(&mut self, why: &str) {
        if self.until.take().is_some() {
            self.leadership.send_replace(Leadership::Follower);
            self.metrics.leader.set(0);
            self.told = None;
            tracing::warn!(lease = self.name, why, "no longer leader");
        }
    }

    /// Gives the lease away, when this process holds it. One that cannot be given away runs out.
    async fn release(mut self) {
        let led = self.until.take().is_some();
        self.leadership.send_replace(Leadership::Follower);
        self.metrics.leader.set(0);
        let released = async {
            // A write may be on its way still: only the API server knows who holds it.
            let lease = self.within(self.api.get_opt(&self.name)).await?;
            if let Some(lease) = lease.and_then(|lease| self.election.released(lease)) {
                let params = PostParams::default();
                self.within(self.api.replace(&self.name, &params, &lease)).await?;
            }
            Ok::<(), String>(())
        };
        match released.await {
            Ok(()) if led => tracing::info!(lease = self.name, "lease released"),
            Err(problem) if led => {
                tracing::warn!(lease = self.name, problem, "lease not released, it runs out");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

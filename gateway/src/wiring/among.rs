//! A replica among others: it takes part in leading, reports what it serves, and hears the others.

use std::sync::Arc;

use fairway_controller::Compiled;
use fairway_controller::lease::{Candidate, Leadership};
use fairway_controller::metrics::ControllerMetrics;
use fairway_controller::pod::Pod;
use fairway_controller::replicas::{self, Replicas};
use fairway_controller::report::Reporter;
use fairway_controller::status::writer::AppliedState;
use fairway_controller::watch::ObservedObjects;
use kube::Client;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// What a replica needs to be one among others.
pub(super) struct Among {
    pub(super) client: Client,
    pub(super) class: String,
    pub(super) compiled: watch::Receiver<Option<Arc<Compiled>>>,
    pub(super) applied: watch::Receiver<AppliedState>,
    pub(super) observed: Arc<ObservedObjects>,
    pub(super) metrics: ControllerMetrics,
}

/// Tells a task that this replica ends, and hears that it has told the others.
pub(super) struct Farewell {
    pub(super) stop: oneshot::Sender<()>,
    pub(super) done: oneshot::Receiver<()>,
}

/// Whether this process may write status, and whom it has to wait for.
type Others = (watch::Receiver<Leadership>, watch::Receiver<Arc<Replicas>>);

impl Among {
    /// Starts what a replica does among others. Without a pod there are none: this process leads
    /// and waits for nobody.
    pub(super) fn join(
        self,
        pod: Option<&Pod>,
        tasks: &mut JoinSet<()>,
        farewells: &mut Vec<Farewell>,
    ) -> Others {
        let (replicas_sender, replicas) = watch::channel(Arc::default());
        let Some(pod) = pod else {
            tracing::info!(
                "no pod namespace is set, this process takes itself as the only replica"
            );
            self.metrics.leader.set(1);
            return (watch::channel(Leadership::Only).1, replicas);
        };
        let Self { client, class, compiled, mut applied, observed, metrics } = self;
        let reporter = Reporter::new(
            client.clone(),
            pod.clone(),
            class.clone(),
            compiled,
            applied.clone(),
            observed,
        );
        let (stopped, end) = farewell(farewells);
        tasks.spawn(async move {
            reporter.run(stopped).await;
            // Whoever waited for it may have gone.
            let _ = end.send(());
        });
        let (candidate, leadership) = Candidate::new(client.clone(), pod, &class, metrics.clone());
        let (mut stopped, end) = farewell(farewells);
        tasks.spawn(async move {
            // One that cannot start would only keep others from leading.
            let serves = tokio::select! {
                first = applied.wait_for(|applied| applied.revision > 0) => first.is_ok(),
                _ = &mut stopped => false,
            };
            if serves {
                candidate.run(stopped).await;
            }
            let _ = end.send(());
        });
        tasks.spawn(replicas::run(client, pod.clone(), class, replicas_sender, metrics));
        (leadership, replicas)
    }
}

/// The other ends of a farewell.
fn farewell(farewells: &mut Vec<Farewell>) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel();
    let (end, done) = oneshot::channel();
    farewells.push(Farewell { stop, done });
    (stopped, end)
}

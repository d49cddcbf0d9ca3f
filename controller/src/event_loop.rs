//! The loop between inputs and snapshots: it takes the newest inputs, compiles them, and publishes
//! the result when it differs. What came while it compiled is compiled next, at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fairway_snapshot::{ObjectId, Published, UpstreamId};
use tokio::sync::watch;

use crate::Inputs;
use crate::compile::{CompileOptions, Memo, ObjectStatus, compile};
use crate::endpoints::Wanted;
use crate::metrics::ControllerMetrics;

/// How long changes are collected before they are compiled when they come one after the other, as
/// `kubectl apply -f` of a folder sends them.
const COLLECT: Duration = Duration::from_millis(2);
/// A change that comes so long after the last compile has none beside it, and does not wait.
const ALONE: Duration = Duration::from_millis(20);

/// What was compiled last.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// The revision that holds it; an equal snapshot keeps the revision of the one before.
    pub revision: u64,
    /// What was compiled.
    pub inputs: Arc<Inputs>,
    /// What was published of it.
    pub published: Option<Arc<Published>>,
    /// What each object of our class is told.
    pub statuses: BTreeMap<ObjectId, Arc<ObjectStatus>>,
    /// The upstreams whose endpoints must be told beside the snapshot.
    pub wanted: Arc<BTreeMap<UpstreamId, Wanted>>,
}

/// The ends of the loop.
#[derive(Debug)]
pub struct EventLoop {
    /// The newest inputs; `None` until the first complete world.
    pub inputs: watch::Receiver<Option<Arc<Inputs>>>,
    /// What the operator decided.
    pub options: watch::Receiver<Arc<CompileOptions>>,
    /// To the data plane.
    pub publisher: watch::Sender<Option<Arc<Published>>>,
    /// To whoever writes status.
    pub compiled: watch::Sender<Option<Arc<Compiled>>>,
    /// Counters.
    pub metrics: ControllerMetrics,
}

impl EventLoop {
    /// Runs until the sender of inputs is gone.
    pub async fn run(mut self) {
        let mut memo = Memo::default();
        loop {
            let inputs = self.inputs.borrow_and_update().clone();
            if let Some(inputs) = inputs {
                let options = self.options.borrow_and_update().clone();
                memo = match self.step(inputs, options, memo).await {
                    Some(memo) => memo,
                    None => return,
                };
            }
            let ended = Instant::now();
            let changed = tokio::select! {
                changed = self.inputs.changed() => changed.is_ok(),
                Ok(()) = self.options.changed() => true,
            };
            if !changed {
                return;
            }
            if ended.elapsed() < ALONE {
                tokio::time::sleep(COLLECT).await;
            }
        }
    }

    /// One compile, beside the control work, so that watches go on meanwhile.
    async fn step(
        &self,
        inputs: Arc<Inputs>,
        options: Arc<CompileOptions>,
        mut memo: Memo,
    ) -> Option<Memo> {
        let began = Instant::now();
        let world = Arc::clone(&inputs);
        let work = tokio::task::spawn_blocking(move || {
            let compilation = compile(&inputs, &options, &mut memo);
            (compilation, memo)
        });
        let (compilation, memo) = match work.await {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "compile ended");
                return None;
            }
        };
        let took = began.elapsed();
        self.metrics.compiles.inc();
        self.metrics.compile_seconds.set(took.as_secs_f64());
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let good = |status: &ObjectStatus| status.accepted.status && status.resolved_refs.status;
        let invalid = compilation.statuses.values().filter(|status| !good(status));
        self.metrics.invalid_objects.set(count(invalid.count()));
        self.metrics.objects.set(count(compilation.statuses.len()));
        self.publisher.send_if_modified(|current| {
            let revision = match current {
                Some(published) if published.snapshot == compilation.snapshot => return false,
                Some(published) => published.revision + 1,
                None => 1,
            };
            *current = Some(Arc::new(Published { revision, snapshot: compilation.snapshot }));
            true
        });
        let published = self.publisher.borrow().clone();
        let revision = published.as_ref().map_or(0, |published| published.revision);
        tracing::debug!(revision, ?took, "compiled");
        let (statuses, wanted) = (compilation.statuses, Arc::new(compilation.wanted));
        self.compiled.send_replace(Some(Arc::new(Compiled {
            revision,
            inputs: world,
            published,
            statuses,
            wanted,
        })));
        Some(memo)
    }
}

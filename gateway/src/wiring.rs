//! Putting the parts together: a source of inputs, the event loop, the data plane, and for a
//! cluster the writer of status.

mod among;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use fairway_controller::event_loop::EventLoop;
use fairway_controller::files::{Follow, FollowEvent};
use fairway_controller::kept::{self, Keeper};
use fairway_controller::metrics::{ControllerMetrics, ResultLabel};
use fairway_controller::status::writer::{AppliedState, StatusWriter};
use fairway_controller::watch::ObservedObjects;
use fairway_controller::{Inputs, watch as api_watch};
use fairway_dataplane::{Applied, DataPlane, Note};
use fairway_snapshot::Published;
use futures::future::join_all;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::commands::environment;
use crate::overrides;
use crate::reload::Live;
use crate::settings::Settings;
use among::{Among, Farewell};

/// Where inputs come from.
pub(crate) enum Source {
    /// Folders that were loaded once already.
    Files { paths: Vec<PathBuf>, inputs: Inputs },
    /// An API server.
    Cluster(Client),
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) plane: DataPlane,
    /// What was published last.
    pub(crate) published: watch::Receiver<Option<Arc<Published>>>,
    /// What takes changes of settings up.
    pub(crate) live: Live,
    /// Control work; it ends when this is dropped.
    tasks: JoinSet<()>,
    /// Ends what other replicas rely on, when there are any.
    farewells: Vec<Farewell>,
}

impl Gateway {
    /// Starts everything. Listeners are bound a moment later, with the first snapshot.
    pub(crate) async fn start(settings: &Settings, source: Source) -> anyhow::Result<Self> {
        let mut registry = Registry::default();
        let metrics = ControllerMetrics::default();
        metrics.register(&mut registry);
        let (publisher, published) = watch::channel(None);
        let (inputs_sender, inputs) = watch::channel(None);
        let (options_sender, options) = watch::channel(Arc::new(settings.options.clone()));
        let (compiled_sender, compiled) = watch::channel(None);
        let mut plane = DataPlane::start(settings.config.clone(), published.clone(), registry)
            .await
            .context("cannot start")?;
        let live = Live {
            options: options_sender,
            inputs: inputs.clone(),
            access_log: plane.log_switch(),
            metrics: metrics.clone(),
        };
        let mut tasks = JoinSet::new();
        let mut farewells = Vec::new();
        let event_loop = EventLoop {
            inputs,
            options,
            publisher,
            compiled: compiled_sender,
            metrics: metrics.clone(),
        };
        tasks.spawn(event_loop.run());
        match source {
            Source::Files { paths, inputs } => {
                tasks.spawn(tell_problems(compiled));
                inputs_sender.send_replace(Some(Arc::new(inputs.clone())));
                tasks.spawn(follow(paths, inputs, inputs_sender, metrics));
            }
            Source::Cluster(client) => {
                let observed = Arc::new(ObservedObjects::default());
                let (told_sender, told) = watch::channel(Arc::default());
                plane.follow_addresses(told);
                tasks.spawn(api_watch::endpoints::run(
                    client.clone(),
                    settings.namespaces.clone(),
                    compiled.clone(),
                    told_sender,
                    metrics.clone(),
                ));
                let applied = applied_state(plane.applied(), &mut tasks);
                let among = Among {
                    client: client.clone(),
                    class: settings.options.class.clone(),
                    compiled: compiled.clone(),
                    applied: applied.clone(),
                    observed: Arc::clone(&observed),
                    metrics: metrics.clone(),
                };
                let (leadership, replicas) =
                    among.join(settings.pod.as_ref(), &mut tasks, &mut farewells);
                let (writer, recorder) = StatusWriter::new(
                    client.clone(),
                    compiled,
                    applied,
                    leadership,
                    replicas,
                    Arc::clone(&observed),
                    metrics.clone(),
                );
                tasks.spawn(writer.run());
                tasks.spawn(recorder.run(settings.pod.clone()));
                doubt_overrides(settings, inputs_sender.subscribe(), &mut tasks);
                let note = plane.note();
                watch_world(settings, client, observed, inputs_sender, metrics, note, &mut tasks);
            }
        }
        Ok(Self { plane, published, live, tasks, farewells })
    }

    /// Control work that goes on until the gateway has ended.
    pub(crate) fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Waits until the first snapshot is applied.
    pub(crate) async fn first_applied(&self) -> Applied {
        let mut applied = self.plane.applied();
        match applied.wait_for(|applied| applied.revision > 0).await {
            Ok(applied) => applied.clone(),
            Err(_) => Applied::default(),
        }
    }

    /// Ends in order: the data plane drains while the control work goes on, so that a change that
    /// comes meanwhile still counts. Another replica leads from the beginning of this.
    pub(crate) async fn shutdown(self) {
        let Self { plane, mut tasks, farewells, .. } = self;
        let farewells = farewells.into_iter().map(|Farewell { stop, done }| async {
            // A task that has ended already is no news.
            let _ = stop.send(());
            let _ = done.await;
        });
        tokio::join!(plane.shutdown(), join_all(farewells));
        tasks.shutdown().await;
    }
}

/// Watches the API server, and keeps what it tells.
fn watch_world(
    settings: &Settings,
    client: Client,
    observed: Arc<ObservedObjects>,
    inputs: watch::Sender<Option<Arc<Inputs>>>,
    metrics: ControllerMetrics,
    note: Note,
    tasks: &mut JoinSet<()>,
) {
    let (watched_sender, watched) = watch::channel(None);
    let class = settings.options.class.clone();
    let keeper = settings.state_dir.clone().map(|folder| Keeper::new(folder, class));
    let tell = move |text| note.set(text);
    tasks.spawn(kept::run(keeper, watched, inputs, metrics.clone(), tell));
    tasks.spawn(api_watch::run(client, settings.watched(), watched_sender, observed, metrics));
}

/// Tells of backend overrides that no Service of the first world answers to. The Service may come
/// later, so that it is no mistake yet.
fn doubt_overrides(
    settings: &Settings,
    first: watch::Receiver<Option<Arc<Inputs>>>,
    tasks: &mut JoinSet<()>,
) {
    let overrides = settings.options.backend_overrides.clone();
    tasks.spawn(async move {
        for problem in overrides::unknown_at_first(&overrides, first).await {
            tracing::warn!(problem, "backend override without a Service");
        }
    });
}

/// What the data plane says, in the words of the controller.
fn applied_state(
    mut applied: watch::Receiver<Applied>,
    tasks: &mut JoinSet<()>,
) -> watch::Receiver<AppliedState> {
    let (sender, receiver) = watch::channel(AppliedState::default());
    tasks.spawn(async move {
        loop {
            let state = applied.borrow_and_update().clone();
            let problem = state
                .failures
                .first()
                .map(|failure| format!("listener {}: {}", failure.listener, failure.message));
            sender.send_replace(AppliedState { revision: state.revision, problem });
            if applied.changed().await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// Reads folders again when they change. Problems are told, and the last good state stays.
async fn follow(
    paths: Vec<PathBuf>,
    inputs: Inputs,
    sender: watch::Sender<Option<Arc<Inputs>>>,
    metrics: ControllerMetrics,
) {
    let count = |result| metrics.file_loads.get_or_create(&ResultLabel { result }).inc();
    count("good");
    let mut follow = Follow::new(paths, environment, inputs);
    loop {
        match follow.next().await {
            FollowEvent::Good(loaded) => {
                count("good");
                tracing::info!(routes = loaded.inputs.routes.len(), "manifests loaded");
                sender.send_replace(Some(Arc::new(loaded.inputs)));
            }
            FollowEvent::Bad(errors) => {
                count("bad");
                for problem in &errors.problems {
                    tracing::error!(%problem, "manifest refused, the last good state stays");
                }
            }
        }
    }
}

/// Without a cluster nobody reads status: what does not serve is told in the log.
async fn tell_problems(mut compiled: watch::Receiver<Option<Arc<fairway_controller::Compiled>>>) {
    let mut told = std::collections::BTreeSet::new();
    loop {
        let current = compiled.borrow_and_update().clone();
        let statuses = current.iter().flat_map(|compiled| compiled.statuses.values());
        let mut now = std::collections::BTreeSet::new();
        for diagnostic in statuses.flat_map(|status| &status.diagnostics) {
            let text = diagnostic.to_string();
            let key = (diagnostic.object.clone(), text.clone());
            if !told.contains(&key) {
                let (object, reason) = (&diagnostic.object, diagnostic.reason);
                tracing::warn!(%object, %reason, problem = text, "route problem");
            }
            now.insert(key);
        }
        told = now;
        if compiled.changed().await.is_err() {
            return;
        }
    }
}

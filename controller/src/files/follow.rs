//! Following a folder: it is read again when something in it changes.
//!
//! File events tell at once. What they do not tell (a folder that was deleted and made anew, some
//! network file systems) a look at names, sizes and times every second finds.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout, timeout_at};

use super::documents::manifests;
use super::{FileProblem, LoadErrors, Loaded, load};
use crate::Inputs;

/// A change is taken when nothing has happened for so long: an editor writes in several steps.
const QUIET: Duration = Duration::from_millis(50);
/// It is taken at the latest after so long.
const LATEST: Duration = Duration::from_millis(500);
/// How often names, sizes and times are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What a folder that is followed tells.
#[derive(Debug)]
pub enum FollowEvent {
    /// A new good state.
    Good(Box<Loaded>),
    /// A state with problems; the last good one stays.
    Bad(LoadErrors),
}

/// A folder that is followed.
pub struct Follow<E> {
    paths: Vec<PathBuf>,
    environment: E,
    inputs: Inputs,
    problems: Option<Vec<FileProblem>>,
    /// What names, sizes and times were before the last load; `None` before the first of our own.
    /// It is taken before reading, so that an edit while it is read counts as one after it.
    fingerprint: Option<u64>,
    /// Kept for its life: dropping it ends the events.
    watcher: Option<RecommendedWatcher>,
    events: UnboundedReceiver<()>,
}

impl<E: Fn(&str) -> Option<String>> Follow<E> {
    /// Follows `paths`, which were loaded as `inputs` before. They are read once more at the first
    /// [`Self::next`], for they may have changed since.
    pub fn new(paths: Vec<PathBuf>, environment: E, inputs: Inputs) -> Self {
        let (sender, events) = unbounded_channel();
        let roots = paths.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is an event too, and the folder above has neighbours.
            let ours = |event: &notify::Event| {
                let paths = event.paths.iter();
                paths
                    .flat_map(|path| roots.iter().map(move |root| (path, root)))
                    .any(|(path, root)| path.starts_with(root) || parent(root) == parent(path))
            };
            if event.is_ok_and(|event| !event.kind.is_access() && ours(&event)) {
                let _ = sender.send(());
            }
        });
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(%error, "no file events, looking every second");
        });
        let mut follow = Self {
            paths,
            environment,
            inputs,
            problems: None,
            fingerprint: None,
            watcher: watcher.ok(),
            events,
        };
        follow.arm();
        follow
    }

    /// (Re)watches the folders: one that was made anew has lost its watch.
    fn arm(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for path in &self.paths {
            let folder = if path.is_dir() { path.as_path() } else { parent(path) };
            for folder in [folder, parent(folder)] {
                let _ = watcher.watch(folder, RecursiveMode::NonRecursive);
            }
        }
    }

    /// Waits for the next state that differs from the one before.
    pub async fn next(&mut self) -> FollowEvent {
        loop {
            self.wait().await;
            self.arm();
            self.fingerprint = Some(fingerprint(&self.paths));
            match load(&self.paths, &self.environment) {
                Ok(mut loaded) => {
                    loaded.reuse(&self.inputs);
                    let recovered = self.problems.take().is_some();
                    let differs = !same(&loaded.inputs, &self.inputs);
                    if differs || recovered {
                        self.inputs = loaded.inputs.clone();
                        return FollowEvent::Good(Box::new(loaded));
                    }
                }
                Err(errors) => {
                    if self.problems.as_ref() != Some(&errors.problems) {
                        self.problems = Some(errors.problems.clone());
                        return FollowEvent::Bad(errors);
                    }
                }
            }
        }
    }

    /// Waits until something may have changed and then nothing for a moment.
    async fn wait(&mut self) {
        while let Some(known) = self.fingerprint {
            match timeout(LOOK, self.events.recv()).await {
                Ok(Some(())) => break,
                Ok(None) => tokio::time::sleep(LOOK).await,
                Err(_) => {}
            }
            if fingerprint(&self.paths) != known {
                break;
            }
        }
        let latest = Instant::now() + LATEST;
        while let Ok(Some(())) =
            timeout_at(latest.min(Instant::now() + QUIET), self.events.recv()).await
        {}
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether two loads hold the same objects.
fn same(a: &Inputs, b: &Inputs) -> bool {
    a.routes == b.routes
        && a.services == b.services
        && a.grants == b.grants
        && a.secrets == b.secrets
        && a.config_maps == b.config_maps
}

/// Names, sizes and times of everything that is read.
fn fingerprint(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        let files =
            if path.is_dir() { manifests(path).unwrap_or_default() } else { vec![path.clone()] };
        let folder = if path.is_dir() { path.as_path() } else { parent(path) };
        for file in files.into_iter().chain([folder.join(".env")]) {
            file.hash(&mut hasher);
            if let Ok(metadata) = std::fs::metadata(&file) {
                metadata.len().hash(&mut hasher);
                metadata.modified().ok().hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}

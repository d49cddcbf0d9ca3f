//! Following the settings file: what a running gateway can take up is live soon after a change,
//! and what needs a restart is told by name.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fairway_controller::Inputs;
use fairway_controller::compile::CompileOptions;
use fairway_controller::metrics::{ControllerMetrics, ResultLabel};
use fairway_dataplane::telemetry::access_log::LogSwitch;
use tokio::sync::watch;

use crate::overrides;
use crate::settings::{Mistakes, SettingArgs, Settings, key, live};

/// How often the file is read. It is small; and a mounted ConfigMap, whose folder is swapped
/// behind a link, gives no event that every file system tells.
const LOOK: Duration = Duration::from_millis(500);
/// A change is taken when two looks this far apart see the same: a file that is being written may
/// be cut anywhere, and the half of it may be good settings.
const QUIET: Duration = Duration::from_millis(100);

/// What sets the level of the log.
pub(crate) type SetLevel = Box<dyn Fn(&str) + Send + Sync>;

/// The parts of a running gateway that take changes up.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) options: watch::Sender<Arc<CompileOptions>>,
    pub(crate) inputs: watch::Receiver<Option<Arc<Inputs>>>,
    pub(crate) access_log: LogSwitch,
    pub(crate) metrics: ControllerMetrics,
}

/// The settings file of a running gateway.
pub(crate) struct Reload {
    args: SettingArgs,
    file: PathBuf,
    parts: Live,
    set_level: SetLevel,
    /// What is in force: of settings that need a restart what was read at the start, of the others
    /// what was read last.
    in_force: BTreeMap<&'static str, Vec<String>>,
    /// What the options keep from the start.
    first: Arc<CompileOptions>,
    admin_token: Option<String>,
    /// Settings that wait for a restart, as they were told last.
    pending: BTreeSet<String>,
}

/// What a new file asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    live: BTreeSet<&'static str>,
    restart: BTreeSet<String>,
}

impl Reload {
    /// Follows the file that `settings` were read from, when they were read from one.
    pub(crate) fn new(
        args: SettingArgs,
        settings: &Settings,
        parts: Live,
        set_level: SetLevel,
    ) -> Option<Self> {
        Some(Self {
            args,
            file: settings.file.clone()?,
            parts,
            set_level,
            in_force: values(settings),
            first: Arc::new(settings.options.clone()),
            admin_token: settings.config.admin_token.clone(),
            pending: BTreeSet::new(),
        })
    }

    /// Runs for as long as the gateway does.
    pub(crate) async fn run(mut self) {
        let mut known = None;
        let mut told: Vec<String> = Vec::new();
        loop {
            known = Some(self.next(known).await);
            let result = match Settings::load(&self.args) {
                Ok(settings) => {
                    told.clear();
                    self.take(&settings);
                    "good"
                }
                Err(Mistakes(mistakes)) => {
                    for problem in mistakes.iter().filter(|problem| !told.contains(problem)) {
                        tracing::error!(%problem, "settings refused, the last good ones stay");
                    }
                    told = mistakes;
                    "bad"
                }
            };
            self.parts.metrics.settings_loads.get_or_create(&ResultLabel { result }).inc();
        }
    }

    /// The text of the file once it differs from `known`, and nobody writes it any more. No text
    /// means that it cannot be read; loading tells why.
    async fn next(&self, known: Option<Option<String>>) -> Option<String> {
        let read = || async { tokio::fs::read_to_string(&self.file).await.ok() };
        let mut seen = read().await;
        while known.as_ref() == Some(&seen) {
            tokio::time::sleep(LOOK).await;
            seen = read().await;
        }
        loop {
            tokio::time::sleep(QUIET).await;
            let again = read().await;
            if again == seen {
                return seen;
            }
            seen = again;
        }
    }

    /// Takes up what can change, and tells what cannot.
    fn take(&mut self, settings: &Settings) {
        let changes = self.changes(settings);
        if !changes.live.is_empty() {
            self.apply(settings);
            let names: Vec<String> = changes.live.iter().map(|name| key(name)).collect();
            tracing::info!(settings = names.join(", "), "settings taken up");
            let mut now = values(settings);
            for name in changes.live {
                self.in_force.insert(name, now.remove(name).unwrap_or_default());
            }
        }
        if changes.restart != self.pending {
            let names: Vec<&str> = changes.restart.iter().map(String::as_str).collect();
            if names.is_empty() {
                tracing::info!("no setting waits for a restart any more");
            } else {
                tracing::warn!(settings = names.join(", "), "settings wait for a restart");
            }
            let count = i64::try_from(names.len()).unwrap_or(i64::MAX);
            self.parts.metrics.settings_pending.set(count);
            self.pending = changes.restart;
        }
    }

    fn apply(&self, settings: &Settings) {
        (self.set_level)(&settings.log_level);
        self.parts.access_log.set(settings.config.access_log);
        let options = CompileOptions {
            class: self.first.class.clone(),
            unknown_service: self.first.unknown_service,
            // The resolver of the data plane holds them too, and both must agree.
            addresses: self.first.addresses.clone(),
            ..settings.options.clone()
        };
        if let Some(inputs) = self.parts.inputs.borrow().as_deref() {
            for problem in overrides::unknown(&options.backend_overrides, inputs) {
                tracing::warn!(problem, "backend override without a Service");
            }
        }
        self.parts.options.send_if_modified(|current| {
            let differs = **current != options;
            if differs {
                *current = Arc::new(options);
            }
            differs
        });
    }

    /// The settings whose values differ from those in force.
    fn changes(&self, settings: &Settings) -> Changes {
        let now = values(settings);
        let mut changes = Changes::default();
        let differs = |name: &&&'static str| self.in_force.get(**name) != now.get(**name);
        let names: BTreeSet<&&'static str> = self.in_force.keys().chain(now.keys()).collect();
        for name in names.iter().filter(|name| differs(name)) {
            if live(name) {
                changes.live.insert(name);
            } else {
                changes.restart.insert(key(name));
            }
        }
        // Its value is never shown.
        if settings.config.admin_token != self.admin_token {
            changes.restart.insert(key("admin-token"));
        }
        changes
    }
}

/// The value of each setting as text; of backends there are several.
fn values(settings: &Settings) -> BTreeMap<&'static str, Vec<String>> {
    let mut values: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for shown in &settings.shown {
        values.entry(shown.setting).or_default().push(shown.value.clone());
    }
    values
}

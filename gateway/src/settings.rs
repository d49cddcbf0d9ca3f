//! Settings of the gateway: flags, then environment, then one YAML file. All mistakes of all
//! sources are told in one list before anything starts.

mod backends;
mod flags;
mod hint;
mod host_policy;
mod limits;
mod listeners;
mod parse;
mod policies;
mod source;
pub(crate) mod table;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use fairway_controller::compile::{CompileOptions, ExternalHosts, UnknownService};
use fairway_controller::pod::Pod;
use fairway_controller::watch::Watched;
use fairway_dataplane::Config;
use fairway_snapshot::AddressPolicy;
use fairway_snapshot::ObjectId;

use backends::Override;
pub(crate) use flags::SettingArgs;
pub(crate) use source::{Raw, SourceName};
use table::SETTINGS;
pub(crate) use table::{key, live};
pub(crate) use values::duration;

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) options: CompileOptions,
    /// Folders or files; none means a cluster.
    pub(crate) manifests: Vec<PathBuf>,
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) context: Option<String>,
    pub(crate) namespaces: Vec<String>,
    /// The pod that this is; none means that there are no other replicas.
    pub(crate) pod: Option<Pod>,
    /// Where the last good objects are kept.
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) log_level: String,
    pub(crate) log_json: Option<bool>,
    /// The settings file, when there is one.
    pub(crate) file: Option<PathBuf>,
    /// Each setting with its value as text and where it came from, in the order of the table.
    pub(crate) shown: Vec<Shown>,
}

/// A setting as `--print-config` shows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Shown {
    pub(crate) setting: &'static str,
    pub(crate) value: String,
    pub(crate) source: SourceName,
}

/// Mistakes in settings, all of them.
#[derive(Debug, thiserror::Error)]
#[error("settings:\n  {}", .0.join("\n  "))]
pub(crate) struct Mistakes(pub(crate) Vec<String>);

impl Settings {
    /// Settings from the arguments of this process, its environment, and the file that either
    /// names.
    pub(crate) fn load(args: &SettingArgs) -> Result<Self, Mistakes> {
        Self::from_sources(args, std::env::vars_os())
    }

    pub(crate) fn from_sources(
        args: &SettingArgs,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let environment = source::ours(environment, &mut mistakes);
        let raw = source::collect(args, environment, &mut mistakes);
        let settings = Self::read(&raw, &mut mistakes);
        if mistakes.is_empty() { Ok(settings) } else { Err(Mistakes(mistakes)) }
    }

    /// What of a cluster is watched.
    pub(crate) fn watched(&self) -> Watched {
        Watched { namespaces: self.namespaces.clone(), secrets: self.options.secrets }
    }

    fn read(raw: &Raw, mistakes: &mut Vec<String>) -> Self {
        let defaults = Config::default();
        let mut reader = parse::Reader { raw, mistakes };
        let manifests: Vec<PathBuf> = reader.list("manifests", |text| Ok(PathBuf::from(text)));
        let from_files = !manifests.is_empty();
        let mut options = CompileOptions {
            class: reader.one("class", values::name).unwrap_or_else(|| "fairway".to_owned()),
            ..CompileOptions::default()
        };
        reader.listeners(&mut options.listeners);
        if let Some(discovery) = reader.one("discovery", str::parse) {
            options.discovery = discovery;
        }
        if let Some(template) = reader.one("service-dns", values::service_dns) {
            options.service_dns = template;
        }
        options.secrets = reader.or("secrets", values::switch, options.secrets);
        let overrides = reader.backends();
        options.backend_overrides =
            overrides.iter().map(|(id, given)| (id.clone(), given.upstream.clone())).collect();
        let hosts = reader.list("allow-external-hosts", values::host_pattern);
        options.external_hosts = ExternalHosts::Only(hosts);
        let except = reader.list("allow-addresses", values::network);
        options.addresses = AddressPolicy::NotReserved { except };
        if from_files {
            options = of_files(options);
        }
        options.host_policy = reader.host_policy();
        options.defaults = reader.policy("defaults");
        options.overrides = reader.policy("overrides");
        let defaults = reader.limits(defaults);
        let config = Config {
            workers: reader.or("workers", values::workers, defaults.workers),
            status: reader.or("status", values::address, defaults.status),
            admin: reader.or("admin", values::address, defaults.admin),
            admin_token: reader.token(),
            access_log: reader.or("access-log", values::switch, defaults.access_log),
            redaction: reader.redaction(),
            process_time: reader.or("process-time", values::switch, defaults.process_time),
            server_timing: reader.or("server-timing", values::switch, defaults.server_timing),
            dns: reader.dns(),
            addresses: options.addresses.clone(),
            trust: reader.trust(),
            drain_delay: reader.or("drain-delay", values::duration, defaults.drain_delay),
            drain_deadline: reader.or("drain-deadline", values::duration, defaults.drain_deadline),
            certificates: reader.list("certificates", values::folder),
            upgrades: reader.upgrades(&defaults.upgrades),
            takeover: reader.or("takeover", values::switch, defaults.takeover),
            ..defaults
        };
        reader.fit_together(&options.listeners, &config, options.secrets);
        Self {
            config,
            options,
            manifests,
            kubeconfig: reader.one("kubeconfig", |text| Ok(PathBuf::from(text))),
            context: reader.one("context", |text| Ok(text.to_owned())),
            namespaces: reader.list("namespaces", values::name),
            pod: reader.pod(),
            state_dir: reader.one("state-dir", values::folder),
            log_level: reader
                .one("log-level", values::log_level)
                .unwrap_or_else(|| "info".to_owned()),
            log_json: reader.one("log-format", values::log_format),
            file: raw.file.clone(),
            shown: show(raw, &overrides),
        }
    }
}

/// For manifests that nobody applied to a cluster: they are the operator's own, and the Services
/// that they name need not be described.
pub(crate) fn of_files(options: CompileOptions) -> CompileOptions {
    CompileOptions {
        addresses: AddressPolicy::Any,
        unknown_service: UnknownService::TakeAsNamed,
        external_hosts: ExternalHosts::All,
        ..options
    }
}

/// Every setting with its value and source; secrets are not shown. Each override of a Service has
/// a row and a source of its own.
fn show(raw: &Raw, overrides: &BTreeMap<ObjectId, Override>) -> Vec<Shown> {
    let mut shown = Vec::new();
    for setting in SETTINGS {
        if setting.name == "backend" && !overrides.is_empty() {
            shown.extend(overrides.values().map(|given| Shown {
                setting: setting.name,
                value: given.text.clone(),
                source: given.source.clone(),
            }));
            continue;
        }
        let given = raw.get(setting.name);
        let value = match given {
            Some(_) if setting.secret => "(set)".to_owned(),
            Some(given) => given.text(),
            None => setting.default.to_owned(),
        };
        let source = given.map_or(SourceName::Default, |given| given.source.clone());
        shown.push(Shown { setting: setting.name, value, source });
    }
    shown
}

//! Settings of the gateway: flags, then environment, then one YAML file. All mistakes of all
//! sources are told in one list before anything starts.

mod parse;
mod source;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use fairway_controller::compile::{CompileOptions, ExternalHosts, UnknownService};
use fairway_dataplane::Config;

pub(crate) use source::{Raw, SettingArgs, SourceName};
use table::SETTINGS;

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
    pub(crate) log_level: String,
    pub(crate) log_json: Option<bool>,
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
        Self::from_sources(args, std::env::vars().collect())
    }

    pub(crate) fn from_sources(
        args: &SettingArgs,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let raw = source::collect(args, environment, &mut mistakes);
        let settings = Self::read(&raw, &mut mistakes);
        if mistakes.is_empty() { Ok(settings) } else { Err(Mistakes(mistakes)) }
    }

    fn read(raw: &Raw, mistakes: &mut Vec<String>) -> Self {
        let defaults = Config::default();
        let mut reader = parse::Reader { raw, mistakes };
        let manifests: Vec<PathBuf> = reader.list("manifests", |text| Ok(PathBuf::from(text)));
        let from_files = !manifests.is_empty();
        let mut options = CompileOptions {
            class: reader.one("class", parse::name).unwrap_or_else(|| "fairway".to_owned()),
            ..CompileOptions::default()
        };
        reader.listeners(&mut options.listeners);
        if let Some(template) = reader.one("service-dns", parse::service_dns) {
            options.service_dns = template;
        }
        options.backend_overrides = reader.backends();
        let hosts = reader.list("allow-external-hosts", parse::host_pattern);
        options.external_hosts = ExternalHosts::Only(hosts);
        if from_files {
            options.unknown_service = UnknownService::TakeAsNamed;
            options.external_hosts = ExternalHosts::All;
        }
        options.defaults = reader.policy("defaults");
        options.overrides = reader.policy("overrides");
        let config = Config {
            workers: reader.one("workers", parse::workers).unwrap_or(defaults.workers),
            status: reader.one("status", parse::address).unwrap_or(defaults.status),
            admin: reader.one("admin", parse::address).unwrap_or(defaults.admin),
            admin_token: reader.token(),
            access_log: reader.one("access-log", parse::switch).unwrap_or(defaults.access_log),
            process_time: reader
                .one("process-time", parse::switch)
                .unwrap_or(defaults.process_time),
            server_timing: reader
                .one("server-timing", parse::switch)
                .unwrap_or(defaults.server_timing),
            dns: reader.dns(),
            drain_delay: reader.one("drain-delay", parse::duration).unwrap_or(defaults.drain_delay),
            drain_deadline: reader
                .one("drain-deadline", parse::duration)
                .unwrap_or(defaults.drain_deadline),
            client_idle: reader.one("client-idle", parse::duration).unwrap_or(defaults.client_idle),
            client_head: reader.one("client-head", parse::duration).unwrap_or(defaults.client_head),
            client_head_bytes: reader
                .one("client-head-bytes", parse::head_bytes)
                .unwrap_or(defaults.client_head_bytes),
            upstream_idle: reader
                .one("upstream-idle", parse::duration)
                .unwrap_or(defaults.upstream_idle),
            upstream_idle_connections: reader
                .one("upstream-idle-connections", parse::count)
                .unwrap_or(defaults.upstream_idle_connections),
            takeover: reader.one("takeover", parse::switch).unwrap_or(defaults.takeover),
        };
        reader.admin_needs_token(&config);
        Self {
            config,
            options,
            manifests,
            kubeconfig: reader.one("kubeconfig", |text| Ok(PathBuf::from(text))),
            context: reader.one("context", |text| Ok(text.to_owned())),
            namespaces: reader.list("namespaces", parse::name),
            log_level: reader
                .one("log-level", parse::log_level)
                .unwrap_or_else(|| "info".to_owned()),
            log_json: reader.one("log-format", parse::log_format),
            shown: show(raw),
        }
    }
}

/// Every setting with its value and source; secrets are not shown.
fn show(raw: &Raw) -> Vec<Shown> {
    SETTINGS
        .iter()
        .map(|setting| {
            let given = raw.get(setting.name);
            let value = match given {
                Some(_) if setting.secret => "(set)".to_owned(),
                Some(given) => given.text(),
                None => setting.default.to_owned(),
            };
            let source = given.map_or(SourceName::Default, |given| given.source.clone());
            Shown { setting: setting.name, value, source }
        })
        .collect()
}

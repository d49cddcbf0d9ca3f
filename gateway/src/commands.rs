//! The commands, each in a file of its own.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod crds;
pub(crate) mod demo;
pub(crate) mod routes;
pub(crate) mod run;

use std::path::Path;

use anyhow::{Context, anyhow};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::output;
use crate::settings::Settings;

/// The runtime of the control work. Traffic has threads of its own.
fn control_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .context("cannot start a runtime")
}

/// A client for the cluster that the settings name.
async fn client(settings: &Settings) -> anyhow::Result<Client> {
    let options =
        KubeConfigOptions { context: settings.context.clone(), ..KubeConfigOptions::default() };
    let made = |mut config: kube::Config| {
        // Watches and writes try again by themselves, soon after the API server is back; the
        // client's own retries would make them wait for longer.
        config.default_retry = false;
        Client::try_from(config).context("cannot make a client")
    };
    let config = match &settings.kubeconfig {
        Some(file) => {
            let read = Kubeconfig::read_from(file)
                .map_err(|error| anyhow!("kubeconfig {}: {error}", file.display()))?;
            kube::Config::from_custom_kubeconfig(read, &options).await
        }
        None => match kube::Config::incluster() {
            Ok(config) => return made(config),
            Err(_) => kube::Config::from_kubeconfig(&options).await,
        },
    };
    let config = config.map_err(|error| {
        let tried = match (&settings.kubeconfig, std::env::var_os("KUBECONFIG")) {
            (Some(file), _) => file.display().to_string(),
            (None, Some(file)) => {
                format!("the service account of a pod, KUBECONFIG={}", file.display())
            }
            (None, None) => "the service account of a pod, ~/.kube/config".to_owned(),
        };
        anyhow!(
            "no cluster to serve (tried {tried}): {error}; name one with --kubeconfig FILE, or serve a folder with --manifests DIR"
        )
    })?;
    made(config)
}

/// Variables for manifests. One that is not text counts as not set, and that is told: a default
/// in a manifest would otherwise take its place without a word.
pub(crate) fn environment(name: &str) -> Option<String> {
    match std::env::var(name) {
        Ok(value) => Some(value),
        Err(std::env::VarError::NotPresent) => None,
        Err(std::env::VarError::NotUnicode(_)) => {
            if tracing::dispatcher::has_been_set() {
                tracing::warn!(variable = name, "variable is not UTF-8 and counts as not set");
            } else {
                output::warning(&format!("variable {name} is not UTF-8 and counts as not set"));
            }
            None
        }
    }
}

/// A path as a person would write it.
fn shown(path: &Path, line: usize, column: usize) -> String {
    if line > 0 {
        format!("{}:{line}:{column}", path.display())
    } else {
        path.display().to_string()
    }
}

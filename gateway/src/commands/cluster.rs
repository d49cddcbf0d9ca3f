//! The cluster that the settings name: how it is reached, and what to write when it is not.

#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, anyhow};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::settings::Settings;

/// A client for the cluster that the settings name: the one of the kubeconfig, else the one
/// whose pod this is, else the one of the usual kubeconfig.
pub(super) async fn client(settings: &Settings) -> anyhow::Result<Client> {
    let mut config = match &settings.kubeconfig {
        Some(file) => read(Some(file), settings.context.as_deref()).await?,
        None => match kube::Config::incluster() {
            Ok(config) => config,
            Err(_) => read(None, settings.context.as_deref()).await?,
        },
    };
    // Watches and writes try again by themselves, soon after the API server is back; the
    // client's own retries would make them wait for longer.
    config.default_retry = false;
    Client::try_from(config).context("cannot make a client")
}

async fn read(file: Option<&Path>, context: Option<&str>) -> anyhow::Result<kube::Config> {
    let place = place(file);
    let told = |problem: String| anyhow!("{place}: {problem}");
    let read = file.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let kubeconfig = read.map_err(|error| told(describe(&error, &[])))?;
    let contexts: Vec<String> =
        kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let options =
        KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|error| told(describe(&error, &contexts)))
}

/// Where a kubeconfig was looked for.
fn place(file: Option<&Path>) -> String {
    match (file, std::env::var_os("KUBECONFIG")) {
        (Some(file), _) => format!("kubeconfig {}", file.display()),
        (None, Some(files)) => format!("not in a pod, and KUBECONFIG={}", files.display()),
        (None, None) => "not in a pod, and kubeconfig ~/.kube/config".to_owned(),
    }
}

/// What is wrong with a kubeconfig, and what to write instead.
fn describe(error: &KubeconfigError, contexts: &[String]) -> String {
    let advice = "write --kubeconfig FILE, or serve a folder with --manifests DIR";
    match error {
        KubeconfigError::ReadConfig(error, _) => {
            let why = match error.kind() {
                ErrorKind::NotFound => "no such file".to_owned(),
                ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
                ErrorKind::IsADirectory => "it is a folder".to_owned(),
                _ => error.to_string(),
            };
            format!("{why}: {advice}")
        }
        KubeconfigError::LoadContext(name) if !contexts.is_empty() => {
            let contexts = contexts.join(", ");
            format!("it has no context {name}: write --context NAME with one of {contexts}")
        }
        KubeconfigError::CurrentContextNotSet if !contexts.is_empty() => {
            let contexts = contexts.join(", ");
            format!("it names no current context: write --context NAME with one of {contexts}")
        }
        other => format!("{other}: {advice}"),
    }
}

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
    let told = |error: &KubeconfigError, contexts: &[String]| {
        anyhow!("{}: {}", place(file, error), describe(error, contexts))
    };
    let read = file.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let kubeconfig = read.map_err(|error| told(&error, &[]))?;
    let contexts: Vec<String> =
        kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let options =
        KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|error| told(&error, &contexts))
}

/// Which kubeconfig was looked at; of several that `KUBECONFIG` names, the one that is wrong.
fn place(file: Option<&Path>, error: &KubeconfigError) -> String {
    if let Some(file) = file {
        return format!("kubeconfig {}", file.display());
    }
    match (error, std::env::var_os("KUBECONFIG")) {
        (KubeconfigError::ReadConfig(_, file), _) => {
            format!("not in a pod, and kubeconfig {}", file.display())
        }
        (_, Some(files)) => format!("not in a pod, and KUBECONFIG={}", files.display()),
        (_, None) => "not in a pod, and kubeconfig ~/.kube/config".to_owned(),
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

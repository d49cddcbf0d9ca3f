//! Where commands that explain get a snapshot from: files, a cluster, or a running gateway.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::{Context, bail};
use fairway_controller::files::load;
use fairway_controller::metrics::ControllerMetrics;
use fairway_controller::watch::{self, ObservedObjects};
use fairway_controller::{Compilation, Inputs, Memo, compile};
use fairway_snapshot::Snapshot;
use serde::de::DeserializeOwned;

use super::cluster::client;
use super::environment;
use crate::settings::Settings;

/// The snapshot of the manifests that the settings name, or of the cluster.
pub(crate) async fn snapshot(settings: &Settings) -> anyhow::Result<Snapshot> {
    Ok(compiled(settings).await?.snapshot)
}

/// What compiling them gives.
pub(crate) async fn compiled(settings: &Settings) -> anyhow::Result<Compilation> {
    let inputs = if settings.manifests.is_empty() {
        cluster(settings).await?
    } else {
        match load(&settings.manifests, &environment) {
            Ok(loaded) => loaded.inputs,
            Err(errors) => bail!("manifests:\n{errors}"),
        }
    };
    Ok(compile(&inputs, &settings.options, &mut Memo::default()))
}

/// Everything that an API server holds, once.
pub(crate) async fn cluster(settings: &Settings) -> anyhow::Result<Inputs> {
    let client = client(settings).await?;
    // A first question, so that a server that cannot be reached is told at once.
    client.apiserver_version().await.context("the API server cannot be asked")?;
    let (sender, mut receiver) = tokio::sync::watch::channel(None);
    let observed = Arc::new(ObservedObjects::default());
    let metrics = ControllerMetrics::default();
    let task = tokio::spawn(watch::run(client, settings.watched(), sender, observed, metrics));
    let first = tokio::time::timeout(
        std::time::Duration::from_secs(30),
        receiver.wait_for(Option::is_some),
    );
    let inputs = first.await.context("the API server did not answer within 30 s; is the CRD installed? (fairway crds | kubectl apply -f -)")??;
    let inputs = inputs.as_deref().cloned().unwrap_or_default();
    task.abort();
    Ok(inputs)
}

/// What the admin port of a running gateway answers.
pub(crate) async fn told<T: DeserializeOwned>(
    request: reqwest::RequestBuilder,
    settings: &Settings,
) -> anyhow::Result<T> {
    let request = match settings.config.admin_token.as_deref() {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let request = request.build()?;
    let url = request.url().clone();
    let response = reqwest::Client::new().execute(request).await;
    let response = response.with_context(|| format!("{url} cannot be asked"))?;
    let status = response.status();
    if !status.is_success() {
        bail!("{url} answered {status}: {}", response.text().await.unwrap_or_default().trim());
    }
    response.json().await.with_context(|| format!("{url} is not the admin port of a gateway"))
}

/// What the admin port of `--from` tells: an address alone is meant as http.
pub(crate) fn admin_url(from: &str, what: &str) -> Result<reqwest::Url, String> {
    let wrong = || {
        format!("--from {from:?} is not the address of an admin port: write http://127.0.0.1:9902")
    };
    let whole = if from.contains("://") { from.to_owned() } else { format!("http://{from}") };
    let mut url: reqwest::Url = whole.parse().map_err(|_| wrong())?;
    if url.scheme() != "http" || !url.has_host() || url.query().is_some() {
        return Err(wrong());
    }
    let path = url.path().trim_end_matches('/');
    // Whoever copied the address of the routes means the same.
    let path = format!("{}/{what}", path.strip_suffix("/routes").unwrap_or(path));
    url.set_path(&path);
    Ok(url)
}

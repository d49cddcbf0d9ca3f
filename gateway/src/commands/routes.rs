//! `fairway routes`: the routes in the order in which they are tried, from files, from a cluster,
//! or of a running gateway.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::{Context, bail};
use comfy_table::{ContentArrangement, Table, presets};
use fairway_controller::files::load;
use fairway_controller::metrics::ControllerMetrics;
use fairway_controller::watch::{self, ObservedObjects};
use fairway_controller::{Inputs, Memo, compile};
use fairway_snapshot::dump::{BackendView, RouteView, RoutesView, limit};

use super::cluster::client;
use super::{control_runtime, environment};
use crate::args::{Output, RoutesArgs};
use crate::output;
use crate::settings::Settings;

pub(crate) fn main(args: &RoutesArgs) -> anyhow::Result<u8> {
    let settings = Settings::load(&args.settings)?;
    let view = control_runtime()?.block_on(view(args, &settings))?;
    if args.output == Output::Json {
        output::json(&view)?;
    } else {
        output::line(&table(&view, args.output == Output::Wide));
    }
    Ok(0)
}

async fn view(args: &RoutesArgs, settings: &Settings) -> anyhow::Result<RoutesView> {
    if let Some(url) = &args.from {
        return running(url, settings.config.admin_token.as_deref()).await;
    }
    let inputs = if settings.manifests.is_empty() {
        Arc::new(cluster(settings).await?)
    } else {
        match load(&settings.manifests, &environment) {
            Ok(loaded) => Arc::new(loaded.inputs),
            Err(errors) => bail!("manifests:\n{errors}"),
        }
    };
    let compilation = compile(&inputs, &settings.options, &mut Memo::default());
    Ok(RoutesView::new(&compilation.snapshot))
}

/// Everything that an API server holds, once.
async fn cluster(settings: &Settings) -> anyhow::Result<Inputs> {
    let client = client(settings).await?;
    // A first question, so that a server that cannot be reached is told at once.
    client.apiserver_version().await.context("the API server cannot be asked")?;
    let (sender, mut receiver) = tokio::sync::watch::channel(None);
    let observed = Arc::new(ObservedObjects::default());
    let metrics = ControllerMetrics::default();
    let task =
        tokio::spawn(watch::run(client, settings.namespaces.clone(), sender, observed, metrics));
    let first = tokio::time::timeout(
        std::time::Duration::from_secs(30),
        receiver.wait_for(Option::is_some),
    );
    let inputs = first.await.context("the API server did not answer within 30 s; is the CRD installed? (fairway crds | kubectl apply -f -)")??;
    let inputs = inputs.as_deref().cloned().unwrap_or_default();
    task.abort();
    Ok(inputs)
}

async fn running(from: &str, token: Option<&str>) -> anyhow::Result<RoutesView> {
    let url = routes_url(from).map_err(anyhow::Error::msg)?;
    let mut request = reqwest::Client::new().get(url.clone());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.with_context(|| format!("{url} cannot be asked"))?;
    let status = response.status();
    if !status.is_success() {
        bail!("{url} answered {status}: {}", response.text().await.unwrap_or_default().trim());
    }
    response.json().await.with_context(|| format!("{url} is not the admin port of a gateway"))
}

/// Where the admin port of `--from` tells routes: an address alone is meant as http.
fn routes_url(from: &str) -> Result<reqwest::Url, String> {
    let wrong = || {
        format!("--from {from:?} is not the address of an admin port: write http://127.0.0.1:9902")
    };
    let whole = if from.contains("://") { from.to_owned() } else { format!("http://{from}") };
    let mut url: reqwest::Url = whole.parse().map_err(|_| wrong())?;
    if url.scheme() != "http" || !url.has_host() || url.query().is_some() {
        return Err(wrong());
    }
    let path = url.path().trim_end_matches('/');
    // Whoever copied the address of the routes themselves means the same.
    let path = format!("{}/routes", path.strip_suffix("/routes").unwrap_or(path));
    url.set_path(&path);
    Ok(url)
}

/// The routes as a table.
pub(crate) fn table(view: &RoutesView, wide: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    // A column that is mostly empty is shown where somebody uses it.
    let mut routes = view.listeners.iter().flat_map(|listener| &listener.routes);
    let conditional = routes.any(|route| !conditions(route).is_empty());
    let mut header = vec!["LISTENER", "HOST", "PATH", "METHODS"];
    header.extend(conditional.then_some("CONDITIONS"));
    header.extend(["ROUTE", "RULE", "BACKENDS"]);
    if wide {
        header.extend(["REWRITE", "RESPONSE", "REQUEST", "ATTEMPT", "CONNECT", "IDLE", "REQUESTS"]);
    }
    table.set_header(header);
    for listener in &view.listeners {
        for route in &listener.routes {
            table.add_row(row(&listener.name, route, conditional, wide));
        }
    }
    if view.listeners.iter().all(|listener| listener.routes.is_empty()) {
        return "no routes".to_owned();
    }
    table.trim_fmt()
}

/// What a route asks beside path and method, the query as it would stand in a URL.
fn conditions(route: &RouteView) -> String {
    let query = route.query.iter().map(|one| format!("?{one}"));
    route.headers.iter().cloned().chain(query).collect::<Vec<_>>().join(" ")
}

fn row(listener: &str, route: &RouteView, conditional: bool, wide: bool) -> Vec<String> {
    let methods = if route.methods.is_empty() { "*".to_owned() } else { route.methods.join(",") };
    let backends = match &route.invalid {
        Some(problem) => format!("500: {problem}"),
        None if route.answer.is_some() => route.answer.clone().unwrap_or_default(),
        None => route.backends.iter().map(backend).collect::<Vec<_>>().join(", "),
    };
    let mut row = vec![listener.to_owned(), route.host.clone(), route.path.clone(), methods];
    row.extend(conditional.then(|| conditions(route)));
    row.extend([format!("{}/{}", route.namespace, route.route), route.rule.clone(), backends]);
    if wide {
        row.push(route.rewrite.clone().unwrap_or_default());
        let timeouts = &route.timeouts;
        for value in [
            &timeouts.response,
            &timeouts.request,
            &timeouts.attempt,
            &timeouts.connect,
            &timeouts.idle,
        ] {
            row.push(limit(value));
        }
        row.push(route.counts.map_or_else(String::new, |counts| counts.requests.to_string()));
    }
    row
}

fn backend(backend: &BackendView) -> String {
    let weight = if backend.weight == 1 { String::new() } else { format!(" x{}", backend.weight) };
    match &backend.invalid {
        Some(reason) => format!("{}{weight} (500: {reason})", backend.reference),
        None => format!("{}{weight}", backend.reference),
    }
}

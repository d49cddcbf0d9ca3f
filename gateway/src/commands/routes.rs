//! `fairway routes`: the routes in the order in which they are tried, from files, from a cluster,
//! or of a running gateway.

#[cfg(test)]
mod tests;

use comfy_table::{ContentArrangement, Table, presets};
use fairway_snapshot::dump::{BackendView, MirrorView, RouteView, RoutesView, limit};

use super::control_runtime;
use super::source::{admin_url, snapshot, told};
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
    if let Some(from) = &args.from {
        let url = admin_url(from, "routes").map_err(anyhow::Error::msg)?;
        return told(reqwest::Client::new().get(url), settings).await;
    }
    Ok(RoutesView::new(&snapshot(settings).await?))
}

/// The routes as a table.
pub(crate) fn table(view: &RoutesView, wide: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    // A column that is mostly empty is shown where somebody uses it.
    let routes = || view.listeners.iter().flat_map(|listener| &listener.routes);
    let conditional = routes().any(|route| !conditions(route).is_empty());
    let mirrored = routes().any(|route| !route.mirrors.is_empty());
    let mut header = vec!["LISTENER", "HOST", "PATH", "METHODS"];
    header.extend(conditional.then_some("CONDITIONS"));
    header.extend(["ROUTE", "RULE", "BACKENDS"]);
    header.extend(mirrored.then_some("MIRRORS"));
    if wide {
        header.extend(["REWRITE", "RESPONSE", "REQUEST", "ATTEMPT", "CONNECT", "IDLE", "REQUESTS"]);
    }
    table.set_header(header);
    for listener in &view.listeners {
        for route in &listener.routes {
            table.add_row(row(&listener.name, route, (conditional, mirrored), wide));
        }
    }
    if view.listeners.iter().all(|listener| listener.routes.is_empty()) {
        return "no routes".to_owned();
    }
    table.trim_fmt()
}

/// What a route asks beside path and method, the query as it would stand in a URL.
pub(crate) fn conditions(route: &RouteView) -> String {
    let query = route.query.iter().map(|one| format!("?{one}"));
    let version = route.version.iter().map(|version| format!("version={version}"));
    route.headers.iter().cloned().chain(version).chain(query).collect::<Vec<_>>().join(" ")
}

/// The methods of a route; `*` is every method.
pub(crate) fn methods(route: &RouteView) -> String {
    if route.methods.is_empty() { "*".to_owned() } else { route.methods.join(",") }
}

fn row(
    listener: &str,
    route: &RouteView,
    (conditional, mirrored): (bool, bool),
    wide: bool,
) -> Vec<String> {
    let backends = match &route.invalid {
        Some(problem) => format!("500: {problem}"),
        None if route.answer.is_some() => route.answer.clone().unwrap_or_default(),
        None => route.backends.iter().map(backend).collect::<Vec<_>>().join(", "),
    };
    let mut row = vec![listener.to_owned(), route.host.clone(), route.path.clone(), methods(route)];
    row.extend(conditional.then(|| conditions(route)));
    row.extend([format!("{}/{}", route.namespace, route.route), route.rule.clone(), backends]);
    row.extend(mirrored.then(|| route.mirrors.iter().map(mirror).collect::<Vec<_>>().join(", ")));
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

fn mirror(mirror: &MirrorView) -> String {
    let reason = mirror.invalid.as_ref().map(|reason| format!(", {reason}"));
    format!("{} {}{}", mirror.reference, mirror.percent, reason.unwrap_or_default())
}

fn backend(backend: &BackendView) -> String {
    let weight = if backend.weight == 1 { String::new() } else { format!(" x{}", backend.weight) };
    match &backend.invalid {
        Some(reason) => format!("{}{weight} (500: {reason})", backend.reference),
        None => format!("{}{weight}", backend.reference),
    }
}

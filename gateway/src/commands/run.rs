//! `fairway run`: serve traffic until a signal ends it.

use std::io::IsTerminal;

use anyhow::bail;
use comfy_table::{Table, presets};
use fairway_controller::files::load;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{EnvFilter, reload};

use super::cluster::client;
use super::{control_runtime, environment};
use crate::args::{Output, RunArgs};
use crate::reload::{Reload, SetLevel};
use crate::settings::{SettingArgs, Settings};
use crate::wiring::{Gateway, Source};
use crate::{COULD_NOT_RUN, output, overrides};

/// Who is not heard at any level: see [`filter`].
const SILENT: &str = "kube_client::client";

pub(crate) fn main(args: &RunArgs) -> anyhow::Result<u8> {
    let settings = Settings::load(&args.settings)?;
    if args.print_config {
        return print_config(&settings, args.output);
    }
    let set_level = start_log(&settings);
    let runtime = control_runtime()?;
    let code = runtime.block_on(run(&settings, &args.settings, set_level));
    // Reading a folder or asking for a name may still block a thread; nobody waits for it.
    runtime.shutdown_background();
    code
}

async fn run(settings: &Settings, args: &SettingArgs, set_level: SetLevel) -> anyhow::Result<u8> {
    for (service, upstream) in &settings.options.backend_overrides {
        tracing::info!(%service, address = %upstream.id(), "backend override");
    }
    let source = source(settings).await?;
    // Before anything starts, so that no signal is lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut gateway = Gateway::start(settings, source).await?;
    if let Some(reload) = Reload::new(args.clone(), settings, gateway.live.clone(), set_level) {
        gateway.spawn(reload.run());
    }
    tracing::info!(address = %gateway.plane.status_address(), "status listening");
    tracing::info!(address = %gateway.plane.admin_address(), "admin listening");
    tokio::select! {
        applied = gateway.first_applied() => {
            // At the start a port that is taken is a mistake of whoever starts; later it is waited for.
            if !applied.failures.is_empty() {
                for failure in &applied.failures {
                    output::error(&format!("listener {}: {}", failure.listener, failure.message));
                }
                output::error("name another address with --listen, or stop the other process");
                return Ok(COULD_NOT_RUN);
            }
            tracing::info!(revision = applied.revision, "ready");
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining, a second signal ends at once");
    tokio::select! {
        () = gateway.shutdown() => tracing::info!("ended"),
        _ = terminate.recv() => tracing::warn!("ended at once"),
        _ = interrupt.recv() => tracing::warn!("ended at once"),
    }
    Ok(0)
}

/// Loads the folders, or makes a client.
async fn source(settings: &Settings) -> anyhow::Result<Source> {
    if settings.manifests.is_empty() {
        return Ok(Source::Cluster(client(settings).await?));
    }
    let loaded = match load(&settings.manifests, &environment) {
        Ok(loaded) => loaded,
        Err(errors) => bail!("manifests:\n{errors}"),
    };
    for note in &loaded.notes {
        tracing::info!(%note, "document skipped");
    }
    let overrides = &settings.options.backend_overrides;
    let unknown = overrides::unknown(overrides, &loaded.inputs);
    if !unknown.is_empty() {
        bail!("backends:\n  {}", unknown.join("\n  "));
    }
    Ok(Source::Files { paths: settings.manifests.clone(), inputs: loaded.inputs })
}

fn print_config(settings: &Settings, format: Output) -> anyhow::Result<u8> {
    if format == Output::Json {
        output::json(&settings.shown)?;
        return Ok(0);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["SETTING", "VALUE", "SOURCE"]);
    for shown in &settings.shown {
        table.add_row([shown.setting, shown.value.as_str(), shown.source.as_str()]);
    }
    output::line(&table.trim_fmt());
    Ok(0)
}

/// Logs to stderr: text for people, JSON for collectors. Stdout belongs to the access log. Gives
/// what sets the level later.
pub(crate) fn start_log(settings: &Settings) -> SetLevel {
    let filter = filter(&settings.log_level).unwrap_or_else(|| EnvFilter::new("info"));
    let json = settings.log_json.unwrap_or_else(|| !std::io::stderr().is_terminal());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        let builder = builder.json().flatten_event(true).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.init();
        setter(handle)
    } else {
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let builder = builder.with_ansi(colours).with_target(false).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.init();
        setter(handle)
    }
}

/// What is told at a level. Never what the client of Kubernetes tells of answers that it cannot read,
/// for it tells them whole, and they may hold Secrets.
fn filter(level: &str) -> Option<EnvFilter> {
    EnvFilter::try_new(format!("{level},{SILENT}=off")).ok()
}

fn setter<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> SetLevel {
    Box::new(move |level| {
        // The settings have been checked, and the log lives as long as the process.
        if let Some(filter) = filter(level) {
            let _ = handle.reload(filter);
        }
    })
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;
    use tracing::{Level, enabled};
    use tracing_subscriber::layer::SubscriberExt;

    use super::filter;

    #[test]
    fn the_client_of_kubernetes_shows_no_answers_at_any_level() {
        for level in ["trace", "warn,kube_client=trace", "kube_client::client=trace"] {
            let subscriber = tracing_subscriber::registry().with(filter(level).unwrap());
            with_default(subscriber, || {
                assert!(!enabled!(target: "kube_client::client", Level::WARN), "{level}");
                assert!(!enabled!(target: "kube_client::client::body", Level::WARN), "{level}");
                let others = !level.starts_with("kube_client::");
                assert_eq!(enabled!(target: "kube_client::api", Level::WARN), others, "{level}");
            });
        }
        assert!(filter("fairway=loud").is_none());
    }
}

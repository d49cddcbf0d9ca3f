//! `fairway demo`: three small services behind a gateway, in one command.

pub(super) mod services;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use fairway_controller::Inputs;
use fairway_controller::files::load;
use fairway_dataplane::bind_message;
use fairway_snapshot::dump::RoutesView;
use fairway_snapshot::{ListenerName, ObjectId, Target, Upstream};
use tokio::signal::unix::{SignalKind, signal};

use super::{control_runtime, routes, run};
use crate::COULD_NOT_RUN;
use crate::args::DemoArgs;
use crate::output::{self, BOLD, GREEN};
use crate::settings::{SettingArgs, Settings};
use crate::wiring::{Gateway, Source};

/// The manifests of the quickstart; they work in a cluster too.
const MANIFESTS: [(&str, &str); 3] = [
    ("finance.yaml", include_str!("../../../deploy/samples/quickstart/finance.yaml")),
    ("stock.yaml", include_str!("../../../deploy/samples/quickstart/stock.yaml")),
    ("esg.yaml", include_str!("../../../deploy/samples/quickstart/esg.yaml")),
];

/// The status and the admin port, where people look for them.
const CONTROL_PORTS: [u16; 2] = [9901, 9902];

/// A folder that is removed at the end when we made it.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    ours: bool,
    /// Manifests that were there before, and are served as they are.
    kept: Vec<&'static str>,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

pub(crate) fn main(args: &DemoArgs) -> anyhow::Result<u8> {
    let runtime = control_runtime()?;
    let code = runtime.block_on(demo(args));
    runtime.shutdown_background();
    code
}

async fn demo(args: &DemoArgs) -> anyhow::Result<u8> {
    // Before anything is written or started, so that this is all that is told.
    if let Some(problem) = taken(args.port) {
        output::error(&problem);
        return Ok(COULD_NOT_RUN);
    }
    let folder = write_manifests(args.dir.as_deref())?;
    let services = services::start().await.context("the sample services cannot start")?;
    let settings = settings(args.port, &folder.path, &services)?;
    let inputs = match load(&settings.manifests, &|_| None) {
        Ok(loaded) => loaded.inputs,
        Err(errors) => return Err(anyhow!("manifests in {}:\n{errors}", folder.path.display())),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Until here whatever goes wrong is told in one sentence, which a log would only repeat.
    let _ = run::start_log(&settings);
    let source =
        Source::Files { paths: settings.manifests.clone(), inputs: Inputs::clone(&inputs) };
    let gateway = Gateway::start(&settings, source).await?;
    let applied = gateway.first_applied().await;
    if let Some(failure) = applied.failures.first() {
        output::error(&format!("{}; {}", failure.message, another(args.port)));
        return Ok(COULD_NOT_RUN);
    }
    welcome(&gateway, &folder);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    gateway.shutdown().await;
    output::line("bye");
    Ok(0)
}

/// What to tell when the port cannot be served on.
fn taken(port: u16) -> Option<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let error = TcpListener::bind(address).err()?;
    Some(format!("{}; {}", bind_message(address, &error), another(port)))
}

/// The advice to take the next port that is free.
fn another(port: u16) -> String {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    // What follows a port that needs privileges needs them too.
    let near = (port.max(1023).saturating_add(1)..=u16::MAX)
        .take(100)
        .filter(|port| !CONTROL_PORTS.contains(port))
        .find(free);
    // Port 0 is whatever is free.
    format!("try: fairway demo --port {}", near.unwrap_or(0))
}

/// Writes the manifests that are not there yet: what somebody changed is theirs.
fn write_manifests(dir: Option<&Path>) -> anyhow::Result<Folder> {
    let mut folder = match dir {
        Some(dir) => Folder { path: dir.to_owned(), ours: false, kept: Vec::new() },
        None => {
            let name = format!("fairway-demo-{}", std::process::id());
            Folder { path: std::env::temp_dir().join(name), ours: true, kept: Vec::new() }
        }
    };
    std::fs::create_dir_all(&folder.path)
        .with_context(|| format!("cannot make {}", folder.path.display()))?;
    for (name, text) in MANIFESTS {
        let file = folder.path.join(name);
        let written = File::create_new(&file).and_then(|mut new| new.write_all(text.as_bytes()));
        match written {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => folder.kept.push(name),
            written => written.with_context(|| format!("cannot write {}", file.display()))?,
        }
    }
    Ok(folder)
}

/// The settings of the demo: the port that was asked for, and control ports that are free.
fn settings(
    port: u16,
    folder: &Path,
    services: &BTreeMap<&'static str, SocketAddr>,
) -> anyhow::Result<Settings> {
    let mut given: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    given.insert("manifests", vec![folder.display().to_string()]);
    given.insert("listen", vec![format!("http=127.0.0.1:{port}")]);
    given.insert("status", vec![free_or_any(CONTROL_PORTS[0], port)]);
    given.insert("admin", vec![free_or_any(CONTROL_PORTS[1], port)]);
    given.insert("access-log", vec!["false".to_owned()]);
    given.insert("log-level", vec!["warn".to_owned()]);
    given.insert("drain-delay", vec!["0s".to_owned()]);
    given.insert("drain-deadline", vec!["5s".to_owned()]);
    let args = SettingArgs { given, config: None };
    let mut settings = Settings::from_sources(&args, [])?;
    for (name, address) in services {
        let port = NonZeroU16::new(address.port()).context("a service has no port")?;
        let upstream = Upstream::new(Target::Address(address.ip()), port);
        settings.options.backend_overrides.insert(ObjectId::new("market", *name), upstream);
    }
    Ok(settings)
}

/// The usual control port, or any when it is not free or is the one to serve on.
fn free_or_any(port: u16, served: u16) -> String {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let port = if port != served && TcpListener::bind(usual).is_ok() { port } else { 0 };
    SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()
}

fn welcome(gateway: &Gateway, folder: &Folder) {
    let address = gateway.plane.listener_address(&ListenerName::from("http"));
    let base = address.map_or_else(String::new, |address| format!("http://{address}"));
    let published = gateway.published.borrow().clone();
    let view = published.map(|published| RoutesView::new(&published.snapshot)).unwrap_or_default();
    let rename = rename_line(&folder.path);
    let kept = if folder.kept.is_empty() {
        String::new()
    } else {
        format!("\n           kept as they were: {}", folder.kept.join(", "))
    };
    output::line(&format!(
        "{GREEN}Fairway serves three services on {base}{GREEN:#}\n\n{}\n",
        routes::table(&view, false)
    ));
    output::line(&format!(
        "{BOLD}Try{BOLD:#}\n  \
         curl -i {base}/e/fin/quotes/NVDA\n  \
         curl -i {base}/e/stock/of/NVDA\n  \
         {rename} && sleep 1 && curl -i {base}/e/price/NVDA\n\n\
         {BOLD}Manifests{BOLD:#}  {} (a change is live at once){kept}\n\
         {BOLD}Live page{BOLD:#}  http://{}/\n\
         {BOLD}Metrics{BOLD:#}    http://{}/metrics\n\n\
         Ctrl-C ends it.",
        folder.path.display(),
        gateway.plane.admin_address(),
        gateway.plane.status_address(),
    ));
}

/// The line that moves a route. The suffix stands at the option, as both GNU and BSD read it; the
/// copy that it leaves is no manifest.
fn rename_line(folder: &Path) -> String {
    let manifest = folder.join("stock.yaml").display().to_string();
    // A quote ends the quotation, stands by itself, and begins it again.
    let quoted = manifest.replace('\'', r"'\''");
    format!("sed -i.bak 's#/e/stock/of/#/e/price/#' '{quoted}'")
}

//! `fairway demo`: three small services behind a gateway, in one command.

mod services;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use fairway_controller::Inputs;
use fairway_controller::files::load;
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

/// A folder that is removed at the end when we made it.
struct Folder {
    path: PathBuf,
    ours: bool,
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
    let folder = write_manifests(args.dir.as_deref())?;
    let services = services::start().await.context("the sample services cannot start")?;
    let settings = settings(args.port, &folder.path, &services)?;
    run::start_log(&settings);
    let inputs = match load(&settings.manifests, &|_| None) {
        Ok(loaded) => loaded.inputs,
        Err(errors) => return Err(anyhow!("manifests in {}:\n{errors}", folder.path.display())),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let source =
        Source::Files { paths: settings.manifests.clone(), inputs: Inputs::clone(&inputs) };
    let gateway = Gateway::start(&settings, source).await?;
    let applied = gateway.first_applied().await;
    if let Some(failure) = applied.failures.first() {
        output::error(&format!("{}; try: fairway demo --port 8081", failure.message));
        return Ok(COULD_NOT_RUN);
    }
    welcome(&gateway, &folder.path);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    gateway.shutdown().await;
    output::line("bye");
    Ok(0)
}

fn write_manifests(dir: Option<&Path>) -> anyhow::Result<Folder> {
    let folder = match dir {
        Some(dir) => Folder { path: dir.to_owned(), ours: false },
        None => {
            let name = format!("fairway-demo-{}", std::process::id());
            Folder { path: std::env::temp_dir().join(name), ours: true }
        }
    };
    std::fs::create_dir_all(&folder.path)
        .with_context(|| format!("cannot make {}", folder.path.display()))?;
    for (name, text) in MANIFESTS {
        let file = folder.path.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
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
    given.insert("status", vec![free_or_any(9901)]);
    given.insert("admin", vec![free_or_any(9902)]);
    given.insert("access-log", vec!["false".to_owned()]);
    given.insert("log-level", vec!["warn".to_owned()]);
    given.insert("drain-delay", vec!["0s".to_owned()]);
    given.insert("drain-deadline", vec!["5s".to_owned()]);
    let args = SettingArgs { given, config: None };
    let mut settings = Settings::from_sources(&args, [])?;
    for (name, address) in services {
        let port = NonZeroU16::new(address.port()).context("a service has no port")?;
        let upstream = Upstream { target: Target::Address(address.ip()), port };
        settings.options.backend_overrides.insert(ObjectId::new("market", *name), upstream);
    }
    Ok(settings)
}

/// The usual control port, or any that is free.
fn free_or_any(port: u16) -> String {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let port = if std::net::TcpListener::bind(usual).is_ok() { port } else { 0 };
    SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()
}

fn welcome(gateway: &Gateway, folder: &Path) {
    let address = gateway.plane.listener_address(&ListenerName::from("http"));
    let base = address.map_or_else(String::new, |address| format!("http://{address}"));
    let published = gateway.published.borrow().clone();
    let view = published.map(|published| RoutesView::new(&published.snapshot)).unwrap_or_default();
    let manifest = folder.join("stock.yaml");
    let manifest = manifest.display();
    output::line(&format!(
        "{GREEN}Fairway serves three services on {base}{GREEN:#}\n\n{}\n",
        routes::table(&view, false)
    ));
    output::line(&format!(
        "{BOLD}Try{BOLD:#}\n  \
         curl -i {base}/e/fin/quotes/NVDA\n  \
         curl -i {base}/e/stock/of/NVDA\n  \
         sed -i 's#/e/stock/of/#/e/price/#' {manifest} && sleep 1 && curl -i {base}/e/price/NVDA\n\n\
         {BOLD}Manifests{BOLD:#}  {} (a change is live at once)\n\
         {BOLD}Live page{BOLD:#}  http://{}/\n\
         {BOLD}Metrics{BOLD:#}    http://{}/metrics\n\n\
         Ctrl-C ends it.",
        folder.display(),
        gateway.plane.admin_address(),
        gateway.plane.status_address(),
    ));
}

//! A data plane in this process, fed with manifests as text.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use fairway_controller::compile::{ExternalHosts, UnknownService};
use fairway_controller::files::load;
use fairway_controller::{CompileOptions, Memo, compile};
use fairway_dataplane::{Config, DataPlane, DnsServers};
use fairway_snapshot::{ListenerName, Published, Snapshot};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::eventually::eventually;

/// A data plane on free ports.
pub struct Gateway {
    pub plane: DataPlane,
    pub options: CompileOptions,
    publisher: watch::Sender<Option<Arc<Published>>>,
    memo: Memo,
}

/// Settings for tests: free ports, short times, one worker.
pub fn config() -> Config {
    Config {
        workers: NonZeroUsize::MIN,
        status: SocketAddr::from(([127, 0, 0, 1], 0)),
        admin: SocketAddr::from(([127, 0, 0, 1], 0)),
        access_log: false,
        drain_delay: Duration::ZERO,
        drain_deadline: Duration::from_secs(5),
        ..Config::default()
    }
}

/// Compile options for tests: one listener on a free port, every host allowed.
pub fn options() -> CompileOptions {
    let mut options = CompileOptions {
        unknown_service: UnknownService::TakeAsNamed,
        external_hosts: ExternalHosts::All,
        ..CompileOptions::default()
    };
    for listener in options.listeners.values_mut() {
        listener.bind = SocketAddr::from(([127, 0, 0, 1], 0));
    }
    options
}

/// The rules of one ServiceRoute as a whole manifest.
pub fn route(rules: &str) -> String {
    manifest(&format!(
        "rules:\n{}",
        rules.lines().map(|line| format!("  {line}\n")).collect::<String>()
    ))
}

/// A manifest with this spec.
pub fn manifest(spec: &str) -> String {
    let mut text = "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: test, namespace: default}\nspec:\n".to_owned();
    for line in spec.lines() {
        text.push_str("  ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// One rule for every request, with one backend.
pub fn everything_to(address: SocketAddr) -> String {
    route(&format!("- backends: [{{host: {}, port: {}}}]", address.ip(), address.port()))
}

impl Gateway {
    /// Starts a data plane with these manifests.
    pub async fn start(manifests: &str) -> Self {
        Self::start_with(manifests, config(), options()).await
    }

    /// The same with a DNS server.
    pub async fn start_with_dns(manifests: &str, dns: SocketAddr) -> Self {
        let config = Config { dns: DnsServers::These(vec![dns]), ..config() };
        Self::start_with(manifests, config, options()).await
    }

    /// The same with settings.
    pub async fn start_with(manifests: &str, config: Config, options: CompileOptions) -> Self {
        let (publisher, published) = watch::channel(None);
        let plane = DataPlane::start(config, published, Registry::default()).await.unwrap();
        let mut gateway = Self { plane, options, publisher, memo: Memo::default() };
        gateway.apply(manifests).await;
        gateway
    }

    /// Compiles manifests as the controller does.
    pub fn compile(&mut self, manifests: &str) -> Snapshot {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("test.yaml"), manifests).unwrap();
        let loaded = load(&[folder.path().to_owned()], &|_| None).unwrap();
        compile(&loaded.inputs, &self.options, &mut self.memo).snapshot
    }

    /// Replaces the manifests and waits until they are live.
    pub async fn apply(&mut self, manifests: &str) {
        let snapshot = self.compile(manifests);
        let before = self.publisher.borrow().as_ref().map_or(0, |published| published.revision);
        let revision = before + 1;
        self.publisher.send_replace(Some(Arc::new(Published { revision, snapshot })));
        let mut applied = self.plane.applied();
        applied.wait_for(|applied| applied.revision == revision).await.unwrap();
    }

    /// Where the listener `http` listens.
    pub fn address(&self) -> SocketAddr {
        self.plane.listener_address(&ListenerName::from("http")).expect("the listener is bound")
    }

    /// Where a listener listens.
    pub fn address_of(&self, name: &str) -> SocketAddr {
        self.plane.listener_address(&ListenerName::from(name)).expect("the listener is bound")
    }

    /// Every metric as it is scraped, with its labels.
    pub async fn metrics(&self) -> BTreeMap<String, f64> {
        let body = crate::http::get(self.plane.status_address(), "/metrics").await.body;
        let text = String::from_utf8(body).unwrap();
        let values = text.lines().filter(|line| !line.starts_with('#'));
        values
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect()
    }

    /// Waits until a metric has a value.
    pub async fn metric(&self, name: &str, expected: f64) {
        eventually(&format!("{name} is {expected}"), || async {
            let value = self.metrics().await.get(name).copied();
            (value == Some(expected)).then_some(())
        })
        .await;
    }
}

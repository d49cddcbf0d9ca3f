//! What a changed file takes effect on, setting by setting.

use std::path::Path;
use std::sync::{Arc, Mutex};

use fairway_controller::compile::Discovery;
use fairway_dataplane::telemetry::access_log::LogWriter;
use fairway_dataplane::telemetry::metrics::Metrics;
use tokio::sync::watch;

use super::{Live, Reload};
use crate::settings::table::SETTINGS;
use crate::settings::{SettingArgs, Settings};

struct World {
    reload: Reload,
    options: watch::Receiver<Arc<fairway_controller::compile::CompileOptions>>,
    level: Arc<Mutex<String>>,
}

const FIRST: &str = "class: a\nworkers: 2\nadminToken: fedcba9876543210\n";

fn args(file: &Path) -> SettingArgs {
    SettingArgs { config: Some(file.to_owned()), ..SettingArgs::default() }
}

fn read(file: &Path, text: &str) -> Settings {
    std::fs::write(file, text).unwrap();
    Settings::from_sources(&args(file), []).unwrap()
}

fn world(file: &Path, text: &str) -> World {
    let settings = read(file, text);
    let (sender, options) = watch::channel(Arc::new(settings.options.clone()));
    let (_, inputs) = watch::channel(None);
    let access_log = LogWriter::to(std::io::sink(), Arc::new(Metrics::new(1))).switch();
    let live = Live { options: sender, inputs, access_log, metrics: Default::default() };
    let level = Arc::new(Mutex::new(String::new()));
    let set = Arc::clone(&level);
    let set_level = Box::new(move |text: &str| *set.lock().unwrap() = text.to_owned());
    let reload = Reload::new(args(file), &settings, live, set_level).unwrap();
    World { reload, options, level }
}

#[test]
fn what_can_change_is_taken_up_and_the_rest_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fairway.yaml");
    let mut world = world(&file, FIRST);
    let new = "class: b\nworkers: 3\nallowAddresses: [127.0.0.0/8]\nadminToken: 0123456789abcdef\ndefaults: {timeouts: {response: 7s}}\nbackends: {market/finance: 10.0.0.1:80}\nallowExternalHosts: [a.example]\nlisteners: {web: 127.0.0.1:8082}\nserviceDns: '{service}.'\ndiscovery: endpoints\nlogLevel: debug\n";
    world.reload.take(&read(&file, new));
    let options = world.options.borrow_and_update().clone();
    assert_eq!(options.class, "a", "needs a restart");
    assert_eq!(
        options.addresses,
        Settings::from_sources(&SettingArgs::default(), []).unwrap().options.addresses
    );
    assert_eq!(options.defaults.timeouts.as_ref().unwrap().response.as_deref(), Some("7s"));
    assert_eq!(options.backend_overrides.len(), 1);
    assert_eq!(options.service_dns, "{service}.");
    assert_eq!(options.discovery, Discovery::Endpoints);
    let names: Vec<&str> =
        options.listeners.keys().map(fairway_snapshot::ListenerName::as_str).collect();
    assert_eq!(names, ["web"]);
    assert_eq!(*world.level.lock().unwrap(), "debug");
    let pending: Vec<&str> = world.reload.pending.iter().map(String::as_str).collect();
    assert_eq!(pending, ["adminToken", "allowAddresses", "class", "workers"]);

    // The same again wakes nobody; taken back, nothing waits.
    world.reload.take(&read(&file, new));
    assert!(!world.options.has_changed().unwrap());
    world.reload.take(&read(&file, FIRST));
    assert!(world.reload.pending.is_empty());
    assert_eq!(world.options.borrow_and_update().backend_overrides.len(), 0);

    // A level of the log is no reason to compile.
    world.reload.take(&read(&file, &format!("{FIRST}logLevel: warn\n")));
    assert_eq!(*world.level.lock().unwrap(), "warn");
    assert!(!world.options.has_changed().unwrap());
}

#[test]
fn the_chart_restarts_pods_for_what_needs_it() {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/fairway/templates");
    let text = std::fs::read_to_string(chart.join("_settings.tpl")).unwrap();
    let (live, restart) = text.split_once("fairway.restartSettings").unwrap();
    // Of a process outside of a cluster, secret, or told by the pod's environment.
    let others = [
        "manifests",
        "kubeconfig",
        "context",
        "takeover",
        "admin-token",
        "pod-name",
        "pod-namespace",
        "pod-uid",
    ];
    for setting in SETTINGS {
        let line = format!("\n{}:", setting.key());
        let place = (live.contains(&line), restart.contains(&line));
        let expected = (setting.live, !setting.live && !others.contains(&setting.name));
        assert_eq!(
            place, expected,
            "{}: in its half of _settings.tpl, and only there",
            setting.name
        );
    }
}

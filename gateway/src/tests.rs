//! What docs and samples say is what the program takes.

use std::path::{Path, PathBuf};

use fairway_controller::compile::{ExternalHosts, UnknownService};
use fairway_controller::files::load;
use fairway_controller::{CompileOptions, Memo, compile};
use serde_json::Value;

use crate::settings::{SettingArgs, Settings};

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The blocks of a page that are fenced as `language`.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = page.split(&fence).skip(1);
    after.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_settings_of_the_docs_are_read() {
    let page = std::fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let blocks = blocks(&page, "yaml");
    assert!(!blocks.is_empty(), "the page shows a settings file");
    for block in blocks {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &block).unwrap();
        let args = SettingArgs { config: Some(file.path().to_owned()), ..SettingArgs::default() };
        let settings = Settings::from_sources(&args, []).expect(&block);
        let binds: Vec<String> =
            settings.options.listeners.values().map(|listener| listener.bind.to_string()).collect();
        assert_eq!(binds, ["0.0.0.0:8080", "127.0.0.1:8081"], "{block}");
    }
}

#[test]
fn the_host_policy_of_the_docs_is_read_as_the_page_explains_it() {
    let page = std::fs::read_to_string(repository().join("docs/host-policy.md")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &blocks(&page, "yaml")[0]).unwrap();
    let args = SettingArgs { config: Some(file.path().to_owned()), ..SettingArgs::default() };
    let policy = Settings::from_sources(&args, []).unwrap().options.host_policy.unwrap();
    let of = |namespace: &str| -> Vec<String> {
        policy.of(namespace).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        of("market"),
        ["api.example.com with /e/fin/*, /e/stock/*", "market.example.com"],
        "{page}"
    );
    assert_eq!(of("team-a"), ["*.teams.example.com"]);
    assert_eq!(of("edge"), ["every host"]);
    assert!(of("other").is_empty());
}

#[test]
fn the_manifests_of_policies_and_backends_are_taken_without_a_word() {
    let of = |page: &str| {
        let page = std::fs::read_to_string(repository().join("docs").join(page)).unwrap();
        blocks(&page, "yaml")
    };
    // The others of this page need what is only in a cluster.
    let mut secured = of("backends.md");
    secured.retain(|block| block.contains("tls:"));
    let blocks = [of("policies.md"), secured];
    assert_eq!(blocks.each_ref().map(Vec::len), [3, 1]);
    for block in blocks.concat() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), &block).unwrap();
        let inputs = load(&[folder.path().to_owned()], &|_| None).expect(&block).inputs;
        let unknown_service = UnknownService::TakeAsNamed;
        let external_hosts = ExternalHosts::All;
        let options =
            CompileOptions { unknown_service, external_hosts, ..CompileOptions::default() };
        let statuses = compile(&inputs, &options, &mut Memo::default()).statuses;
        assert_eq!(statuses.len(), 1);
        for status in statuses.values() {
            assert_eq!(status.diagnostics, [], "{block}");
        }
    }
}

#[test]
fn compose_has_a_container_for_each_backend() {
    let sample = repository().join("deploy/samples/compose");
    let text = std::fs::read_to_string(sample.join("docker-compose.yaml")).unwrap();
    let compose: Value = serde_saphyr::from_str(&text).unwrap();
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        // An image without an owner is one that nobody can pull.
        let pulled = service["image"].as_str().is_some_and(|image| image.contains('/'));
        assert!(pulled || service["build"].is_object(), "{name}");
    }
    let routes = load(&[sample.join("routes")], &|_| None).unwrap().inputs.routes;
    let backends: Vec<_> = routes
        .values()
        .flat_map(|route| route.spec().unwrap().rules)
        .flat_map(|rule| rule.backends)
        .collect();
    assert!(!backends.is_empty());
    for backend in backends {
        let name = backend.service.as_deref().or(backend.host.as_deref()).unwrap();
        let port = serde_json::to_value(&backend.port).unwrap().to_string();
        let exposed = services[name]["expose"].as_array().unwrap();
        assert_eq!(exposed, &[Value::from(port)], "{name}");
    }
}

//! What operators may have decided, beside what they decide when they say nothing.

use fairway_controller::CompileOptions;
use fairway_controller::compile::{
    Allowed, Discovery, ExternalHosts, HostPolicy, HostPolicyEntry, UnknownService,
};
use fairway_snapshot::normalize::{EmptySegments, Keep, Normalization};
use fairway_snapshot::{AddressPolicy, HostPattern, ListenerName, PathPattern};

/// Namespaces may use some hosts and paths, and endpoints are told.
pub(super) fn strict() -> CompileOptions {
    let mut options = CompileOptions { discovery: Discovery::Endpoints, ..Default::default() };
    let entry = |namespace: &str, allow| HostPolicyEntry {
        namespaces: vec![namespace.parse().expect("it is a pattern")],
        allow,
    };
    let hosts: Vec<HostPattern> = ["api.example.com", "*.finance.example"]
        .map(|host| host.parse().expect("it is a host"))
        .into();
    let paths: Vec<PathPattern> = vec!["/e/fin/*".parse().expect("it is a path")];
    let entries = vec![
        entry("mark*", vec![Allowed { hosts, paths }, Allowed::default()]),
        entry("*", vec![]),
    ];
    options.host_policy = Some(HostPolicy { entries });
    options.external_hosts = ExternalHosts::Only(vec!["*.example.com".parse().expect("a host")]);
    options
}

/// From a folder of manifests: Services are taken as named, on two listeners.
pub(super) fn of_a_folder() -> CompileOptions {
    let mut options = CompileOptions {
        unknown_service: UnknownService::TakeAsNamed,
        external_hosts: ExternalHosts::All,
        addresses: AddressPolicy::Any,
        ..CompileOptions::default()
    };
    let mut inner = options.listeners.values().next().expect("there is one").clone();
    inner.normalization = Normalization {
        empty_segments: EmptySegments::Keep,
        encoded_slash: Keep::Reject,
        ..Normalization::default()
    };
    options.listeners.insert(ListenerName::from("inner"), inner);
    options
}

//! What the operator decides about compiling.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;

use super::HostPolicy;
use fairway_crds::Policy;
use fairway_snapshot::{
    AddressPolicy, HostPattern, ListenerName, Normalization, ObjectId, Protocol, Upstream,
};

/// What the operator decides about compiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileOptions {
    /// The class whose objects are served.
    pub class: String,
    /// The listeners by name.
    pub listeners: BTreeMap<ListenerName, ListenerSettings>,
    /// Policy where neither listener, spec nor rule says anything.
    pub defaults: Policy,
    /// Policy that wins over all others.
    pub overrides: Policy,
    /// The DNS name of a Service, with `{service}` and `{namespace}` as holes.
    pub service_dns: String,
    /// Where the endpoints of a Service are learnt when its backend does not say.
    pub discovery: Discovery,
    /// What becomes of a Service that nobody described.
    pub unknown_service: UnknownService,
    /// Addresses that replace those of a Service.
    pub backend_overrides: BTreeMap<ObjectId, Upstream>,
    /// Which hosts and paths each namespace may use; everything when there is none.
    pub host_policy: Option<HostPolicy>,
    /// Whether routes may name Secrets.
    pub secrets: bool,
    /// Which hosts outside the cluster a backend may name.
    pub external_hosts: ExternalHosts,
    /// Which addresses a backend may have.
    pub addresses: AddressPolicy,
}

/// A row of the operator's table of listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// The address to bind.
    pub bind: SocketAddr,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Whether each connection begins with the PROXY protocol.
    pub proxy_protocol: bool,
    /// How paths are normalised.
    pub normalization: Normalization,
    /// Policy for the rules that this listener serves.
    pub policy: Policy,
}

/// Where the endpoints of a Service are learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// From the addresses of its name: the cluster chooses the pod.
    #[default]
    Dns,
    /// From its EndpointSlices: the gateway chooses the pod.
    Endpoints,
}

/// What becomes of a Service that nobody described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownService {
    /// It does not exist: in a cluster every Service is known.
    Refuse,
    /// It is taken as named, and DNS will tell: from a folder of manifests. Its port must be a
    /// number, since nobody says what a name stands for.
    TakeAsNamed,
}

/// Which hosts outside the cluster a backend may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalHosts {
    /// Every host: the manifests are the operator's own.
    All,
    /// Those that match one of these.
    Only(Vec<HostPattern>),
}

impl FromStr for Discovery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dns" => Ok(Self::Dns),
            "endpoints" => Ok(Self::Endpoints),
            other => Err(format!("{other:?}: {}", fairway_crds::names::DISCOVERY)),
        }
    }
}

impl CompileOptions {
    /// Whether somebody tells the endpoints of Services: an API server does, a folder of manifests
    /// does not, and there DNS is asked whatever a backend wants.
    #[must_use]
    pub fn endpoints_told(&self) -> bool {
        self.unknown_service == UnknownService::Refuse
    }

    /// The DNS names of Services in a cluster with the usual domain; absolute, so that no search
    /// list is tried.
    pub const SERVICE_DNS: &str = "{service}.{namespace}.svc.cluster.local.";
}

/// In a cluster, with one listener `http` on port 8080.
impl Default for CompileOptions {
    fn default() -> Self {
        let http = ListenerSettings {
            bind: SocketAddr::from(([0, 0, 0, 0], 8080)),
            protocol: Protocol::Http,
            proxy_protocol: false,
            normalization: Normalization::default(),
            policy: Policy::default(),
        };
        Self {
            class: fairway_crds::DEFAULT_CLASS.to_owned(),
            listeners: BTreeMap::from([(ListenerName::from("http"), http)]),
            defaults: Policy::default(),
            overrides: Policy::default(),
            service_dns: Self::SERVICE_DNS.to_owned(),
            discovery: Discovery::default(),
            unknown_service: UnknownService::Refuse,
            backend_overrides: BTreeMap::new(),
            host_policy: None,
            secrets: true,
            external_hosts: ExternalHosts::Only(Vec::new()),
            addresses: AddressPolicy::NotReserved { except: Vec::new() },
        }
    }
}

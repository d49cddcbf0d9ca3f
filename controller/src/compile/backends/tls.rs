//! What is spoken with a backend, and how it is secured.

use std::net::IpAddr;
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_crds::{BackendRef, BackendTls};
use fairway_snapshot::{ObjectId, Resource, ResourceId, Speaks, UpstreamTls};
use rustls::pki_types::ServerName;

use super::{Problem, Resolver};
use crate::compile::names;
use crate::inputs::{CA_LABEL, NamedAuthorities};

/// What a backend, or the port of a Service, says that is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    /// HTTP/2 or HTTP/1.1 over TLS, as the backend chooses.
    Https,
    /// HTTP/1.1 over TLS, for WebSocket.
    Wss,
    /// HTTP/2 without TLS.
    H2c,
    /// HTTP/2.
    Grpc,
}

/// What is spoken, and the name by which the backend is known unless it says another.
pub(super) struct Spoken<'a> {
    pub(super) speaks: Speaks,
    /// Whether over TLS.
    pub(super) tls: Option<&'a BackendTls>,
}

/// What a backend without `tls` says where its protocol has it.
static DEFAULT: BackendTls =
    BackendTls { server_name: None, ca_config_map: None, ca_secret: None, client_secret: None };

impl Protocol {
    /// What the backend says itself.
    pub(super) fn of_backend(written: &BackendRef) -> Result<Option<Self>, Problem> {
        let Some(given) = &written.protocol else { return Ok(None) };
        Ok(Some(match given.as_str() {
            "http" => Self::Http,
            "https" => Self::Https,
            "h2c" => Self::H2c,
            "grpc" => Self::Grpc,
            _ => {
                let message = format!("{given:?}: {}", fairway_crds::names::PROTOCOL);
                return Err(Problem::new(".protocol", Reason::InvalidRule, message));
            }
        }))
    }

    /// What `appProtocol` of a port says. Words that we do not know are those of others.
    pub(super) fn of_port(said: &str) -> Option<Self> {
        match said {
            "https" => Some(Self::Https),
            "kubernetes.io/wss" => Some(Self::Wss),
            "kubernetes.io/h2c" => Some(Self::H2c),
            "grpc" => Some(Self::Grpc),
            _ => None,
        }
    }
}

impl<'a> Spoken<'a> {
    /// What the backend says counts before what the port says.
    pub(super) fn new(
        written: &'a BackendRef,
        named: Option<Protocol>,
        port: Option<Protocol>,
    ) -> Result<Self, Problem> {
        let given = written.tls.as_ref();
        let (speaks, tls) = match named.or(port) {
            None if given.is_some() => (Speaks::Either, given),
            None | Some(Protocol::Http) => (Speaks::Http1, given),
            Some(Protocol::Https) => (Speaks::Either, Some(given.unwrap_or(&DEFAULT))),
            Some(Protocol::Wss) => (Speaks::Http1, Some(given.unwrap_or(&DEFAULT))),
            Some(Protocol::H2c) if given.is_some() => {
                let message = fairway_crds::names::PROTOCOL_OF_TLS.to_owned();
                return Err(Problem::new(".tls", Reason::InvalidRule, message));
            }
            Some(Protocol::H2c | Protocol::Grpc) => (Speaks::Http2, given),
        };
        Ok(Self { speaks, tls })
    }
}

impl Resolver<'_> {
    /// How a backend is secured that is known by `name` unless it says another.
    pub(super) fn secured(
        &mut self,
        spoken: &Spoken<'_>,
        name: &str,
    ) -> Result<Option<Arc<UpstreamTls>>, Problem> {
        let Some(tls) = spoken.tls else { return Ok(None) };
        let authorities = self.authorities(tls)?;
        let identity = self.identity(tls)?;
        let server_name = server_name(tls.server_name.as_deref().unwrap_or(name))?;
        Ok(Some(Arc::new(UpstreamTls { server_name, authorities, identity })))
    }

    /// Who vouches for it; none are those that the system trusts.
    fn authorities(&mut self, tls: &BackendTls) -> Result<Option<ResourceId>, Problem> {
        let named = match (&tls.ca_config_map, &tls.ca_secret) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let message = fairway_crds::names::ONE_CA.to_owned();
                return Err(Problem::new(".tls", Reason::InvalidRule, message));
            }
            (Some(name), None) => self.of_config_map(name)?,
            (None, Some(name)) => self.of_secret(name)?,
        };
        let NamedAuthorities { id, authorities } = named;
        self.resource(&id, || Resource::Authorities(authorities));
        Ok(Some(id))
    }

    fn of_secret(&mut self, name: &str) -> Result<NamedAuthorities, Problem> {
        const FIELD: &str = ".tls.caSecret";
        let secret = self.secret(name).map_err(|problem| Problem { field: FIELD, ..problem })?;
        let pem = secret.authorities().unwrap_or_default();
        NamedAuthorities::read(pem).map_err(|wrong| self.wrong_secret(FIELD, name, &wrong))
    }

    /// What is shown of ourselves; none is nothing.
    fn identity(&mut self, tls: &BackendTls) -> Result<Option<ResourceId>, Problem> {
        const FIELD: &str = ".tls.clientSecret";
        let Some(name) = &tls.client_secret else { return Ok(None) };
        let secret = self.secret(name).map_err(|problem| Problem { field: FIELD, ..problem })?;
        let read = secret.certificate().map_err(|wrong| self.wrong_secret(FIELD, name, wrong))?;
        let secret = ObjectId::new(Arc::clone(&self.object.namespace), name.as_str());
        let (id, certificate) = self.shared.certificate(secret, read);
        self.resource(&id, || Resource::Certificate(certificate));
        Ok(Some(id))
    }

    fn wrong_secret(&self, field: &'static str, name: &str, wrong: &str) -> Problem {
        let message = format!("Secret {}/{name}: {wrong}", self.object.namespace);
        Problem::new(field, Reason::InvalidCertificate, message)
    }

    fn of_config_map(&mut self, name: &str) -> Result<NamedAuthorities, Problem> {
        const FIELD: &str = ".tls.caConfigMap";
        if let Some(message) = names::config_map(name) {
            return Err(Problem::new(FIELD, Reason::InvalidRule, message));
        }
        let id = ObjectId::new(Arc::clone(&self.object.namespace), name);
        if !self.config_maps.contains(&id) {
            self.config_maps.push(id.clone());
        }
        let Some(bundle) = self.inputs.config_maps.get(&id) else {
            let (label, value) = CA_LABEL;
            let message = format!(
                "ConfigMap {id} does not exist, or has no label {label}: create it, or write kubectl label --namespace {} configmap {name} {label}={value}",
                id.namespace
            );
            return Err(Problem::new(FIELD, Reason::ConfigMapNotFound, message));
        };
        bundle.authorities().cloned().map_err(|wrong| {
            Problem::new(FIELD, Reason::InvalidCertificate, format!("ConfigMap {id}: {wrong}"))
        })
    }

    /// Notes a resource that an upstream refers to.
    fn resource(&mut self, id: &ResourceId, made: impl FnOnce() -> Resource) {
        if !self.resources.iter().any(|(known, _)| known == id) {
            self.resources.push((id.clone(), made()));
        }
    }
}

/// The name that certificates must be for.
fn server_name(name: &str) -> Result<Arc<str>, Problem> {
    let bare = name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let bare = bare.to_ascii_lowercase();
    // One form of each address, as the id of an upstream has it.
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address.to_string().into());
    }
    if ServerName::try_from(bare.as_str()).is_err() {
        let message = format!("{name:?}: {}", fairway_crds::names::SERVER_NAME);
        return Err(Problem::new(".tls.serverName", Reason::InvalidRule, message));
    }
    Ok(bare.into())
}

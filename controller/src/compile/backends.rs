//! The backends of a rule: references, resolved against the Services that there are.

mod ports;
mod secrets;
mod tls;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_crds::{BackendRef, DEFAULT_WEIGHT, MAX_WEIGHT};
use fairway_snapshot::{
    Backend, HostPattern, InvalidReason, ObjectId, Resource, ResourceId, Target, Upstream,
    UpstreamId,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::interned::Interned;
use super::{CompileOptions, Discovery, ExternalHosts, Severity, UnknownService, names};
use crate::Inputs;
use crate::endpoints::Wanted;
use crate::inputs::{NoSecret, Secret, ServiceKind};
use ports::{Port, number, port_of, undescribed_port};
use tls::{Protocol, Spoken};

/// Resolves the backends of one object.
pub(super) struct Resolver<'a> {
    pub(super) object: &'a ObjectId,
    pub(super) inputs: &'a Inputs,
    pub(super) options: &'a CompileOptions,
    /// The upstreams that were found.
    pub(super) upstreams: Vec<(UpstreamId, Arc<Upstream>)>,
    /// What they refer to.
    pub(super) resources: Vec<(ResourceId, Resource)>,
    /// What all objects share.
    pub(super) shared: &'a mut Interned,
    /// The upstreams whose endpoints must be told, and which those are.
    pub(super) wanted: BTreeMap<UpstreamId, Wanted>,
    /// Every Service that was asked for, found or not.
    pub(super) asked: Vec<ObjectId>,
    /// Every ConfigMap that was asked for, found or not.
    pub(super) config_maps: Vec<ObjectId>,
    /// Every Service of another namespace that was named, and whether a grant permits it.
    pub(super) grants: Vec<(ObjectId, bool)>,
    /// Every Secret that was asked for, with what was found.
    pub(super) secrets: Vec<(ObjectId, Result<Arc<Secret>, NoSecret>)>,
    /// The names of all Services of the namespace, when a message was made from them.
    pub(super) neighbours: Option<Vec<Arc<str>>>,
}

impl<'a> Resolver<'a> {
    /// One that has looked at nothing yet.
    pub(super) const fn new(
        object: &'a ObjectId,
        inputs: &'a Inputs,
        options: &'a CompileOptions,
        shared: &'a mut Interned,
    ) -> Self {
        Self {
            object,
            inputs,
            options,
            upstreams: Vec::new(),
            resources: Vec::new(),
            shared,
            wanted: BTreeMap::new(),
            asked: Vec::new(),
            config_maps: Vec::new(),
            grants: Vec::new(),
            secrets: Vec::new(),
            neighbours: None,
        }
    }
}

/// A problem of a backend: the field below it, the reason, the message, and whether the rule as a
/// whole is wrong rather than the reference.
pub(super) struct Problem {
    pub(super) field: &'static str,
    pub(super) reason: Reason,
    pub(super) severity: Severity,
    pub(super) message: String,
}

impl Problem {
    fn new(field: &'static str, reason: Reason, message: String) -> Self {
        Self { field, reason, severity: Severity::Error, message }
    }

    /// How the data plane names it; `None` when the backend makes no sense at all.
    fn invalid(&self) -> Option<InvalidReason> {
        match self.reason {
            Reason::BackendNotFound => Some(InvalidReason::BackendNotFound),
            Reason::PortNotFound => Some(InvalidReason::PortNotFound),
            Reason::RefNotPermitted => Some(InvalidReason::RefNotPermitted),
            Reason::ExternalHostNotAllowed => Some(InvalidReason::ExternalHostNotAllowed),
            Reason::UnsupportedValue => Some(InvalidReason::UnsupportedValue),
            Reason::ConfigMapNotFound => Some(InvalidReason::ConfigMapNotFound),
            Reason::SecretNotFound => Some(InvalidReason::SecretNotFound),
            Reason::InvalidCertificate => Some(InvalidReason::InvalidCertificate),
            Reason::Accepted
            | Reason::InvalidRule
            | Reason::ListenerNotFound
            | Reason::HostNotAllowed
            | Reason::ResolvedRefs
            | Reason::Programmed
            | Reason::Pending
            | Reason::PartiallyInvalid
            | Reason::AddressInUse
            | Reason::NoWeight
            | Reason::Unreachable
            | Reason::PartlyTaken
            | Reason::CertificateNotShown
            | Reason::TakesFromAnother
            | Reason::TestsPassed
            | Reason::TestFailed => None,
        }
    }
}

impl Resolver<'_> {
    /// The backend, invalid or not; `None` when it makes no sense and the rule answers 500.
    pub(super) fn backend(
        &mut self,
        written: &BackendRef,
        mut problem: impl FnMut(Problem),
    ) -> Option<Backend> {
        let weight = written.weight.unwrap_or(DEFAULT_WEIGHT);
        if weight > MAX_WEIGHT {
            let message = format!("{weight} is too much: write a weight from 0 to {MAX_WEIGHT}");
            problem(Problem::new(".weight", Reason::InvalidRule, message));
            return None;
        }
        let reference = self.reference(written);
        let reference = self.shared.word(&reference);
        let resolved = match (&written.service, &written.host) {
            (Some(service), None) => self.service(written, service),
            (None, Some(host)) => self.host(written, host),
            (Some(_), Some(_)) | (None, None) => Err(Problem::new(
                "",
                Reason::InvalidRule,
                fairway_crds::names::ONE_BACKEND.to_owned(),
            )),
        };
        match resolved {
            Ok(upstream) => {
                if let Some(doubt) = self.doubt(written) {
                    problem(doubt);
                }
                let upstream = self.found(upstream);
                Some(Backend::Upstream { upstream, reference, weight })
            }
            Err(wrong) => {
                let reason = wrong.invalid();
                problem(wrong);
                reason.map(|reason| Backend::Invalid { reference, weight, reason })
            }
        }
    }

    /// Notes an upstream.
    fn found(&mut self, upstream: Upstream) -> UpstreamId {
        let (id, upstream) = self.shared.upstream(upstream);
        if !self.upstreams.iter().any(|(known, _)| *known == id) {
            self.upstreams.push((id.clone(), upstream));
        }
        id
    }

    /// The reference as the user wrote it: `market/finance:8000`, `api.example.com:443`.
    fn reference(&self, written: &BackendRef) -> String {
        let namespace = written.namespace.as_deref().unwrap_or(&self.object.namespace);
        let name = match (&written.service, &written.host) {
            (Some(service), _) => format!("{namespace}/{service}"),
            (None, Some(host)) => host.clone(),
            (None, None) => String::new(),
        };
        match &written.port {
            Some(IntOrString::Int(port)) => format!("{name}:{port}"),
            Some(IntOrString::String(port)) => format!("{name}:{port}"),
            None => name,
        }
    }

    fn service(&mut self, written: &BackendRef, name: &str) -> Result<Upstream, Problem> {
        let namespace = written.namespace.as_deref().unwrap_or(&self.object.namespace);
        let id = ObjectId::new(namespace, name);
        let invalid = |field, message: String| Problem::new(field, Reason::InvalidRule, message);
        if let Some(message) = names::service(name) {
            return Err(invalid(".service", message));
        }
        if let Some(message) = written.namespace.as_deref().and_then(names::namespace) {
            return Err(invalid(".namespace", message));
        }
        let discovery = match written.discovery.as_deref().map(str::parse) {
            None => self.options.discovery,
            Some(read) => read.map_err(|message| invalid(".discovery", message))?,
        };
        if *namespace != *self.object.namespace {
            let permitted = self.inputs.permitted(&self.object.namespace, &id);
            self.grants.push((id.clone(), permitted));
            if !permitted {
                return Err(self.not_permitted(&id));
            }
        }
        let known = self.inputs.services.get_key_value(&id);
        // The names of one that is there are held already.
        let id = known.map_or(id, |(known, _)| known.clone());
        let known = known.map(|(_, service)| service);
        if !self.asked.contains(&id) {
            self.asked.push(id.clone());
        }
        if known.is_none() && self.options.unknown_service == UnknownService::Refuse {
            return Err(self.not_found(&id));
        }
        let named = Protocol::of_backend(written)?;
        let name = format!("{}.{}.svc", id.name, id.namespace);
        if let Some(upstream) = self.options.backend_overrides.get(&id) {
            let spoken = Spoken::new(written, named, None)?;
            let tls = self.secured(&spoken, &name)?;
            return Ok(upstream.clone().speaking(spoken.speaks).secured(tls));
        }
        let Port { number: port, name: port_name, said } = match known {
            Some(service) => port_of(service, written.port.as_ref(), &id)?,
            None => undescribed_port(written.port.as_ref(), &id)?,
        };
        let spoken = Spoken::new(written, named, said)?;
        let kind = known.map(|service| &service.kind);
        if let Some(ServiceKind::ExternalName(target)) = kind {
            self.allowed(target, ".service")?;
            let tls = self.secured(&spoken, target)?;
            let upstream = Upstream::new(Target::Name(absolute(target)), port);
            return Ok(upstream.speaking(spoken.speaks).secured(tls));
        }
        let tls = self.secured(&spoken, &name)?;
        let told = self.options.endpoints_told() && !self.inputs.kept;
        if discovery == Discovery::Endpoints && kind.is_some() && told {
            let name = format!("{}.{}", id.name, id.namespace).into();
            let upstream = Upstream::new(Target::Told(name), port);
            let upstream = upstream.speaking(spoken.speaks).secured(tls);
            self.wanted.insert(upstream.id(), Wanted { service: id, port: port_name });
            return Ok(upstream);
        }
        let name = self
            .options
            .service_dns
            .replace("{service}", &id.name)
            .replace("{namespace}", &id.namespace);
        let target = match name.parse::<IpAddr>() {
            Ok(address) => Target::Address(address),
            Err(_) => Target::Name(name.into()),
        };
        Ok(Upstream::new(target, port).speaking(spoken.speaks).secured(tls))
    }

    /// Whether the name of a Service that nobody described is probably a described one, misspelt.
    /// Names that differ in digits only are versions beside each other.
    fn doubt(&mut self, written: &BackendRef) -> Option<Problem> {
        if written.namespace.as_deref().is_some_and(|other| *other != *self.object.namespace) {
            return None;
        }
        let id = ObjectId::new(&*self.object.namespace, written.service.as_deref()?);
        let given = self.options.backend_overrides.contains_key(&id);
        if given || self.inputs.services.contains_key(&id) {
            return None;
        }
        let neighbours = neighbours(self.inputs, &id.namespace);
        let names: Vec<&str> = neighbours.iter().map(|name| &**name).collect();
        let letters = |name: &str| name.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let near = nearest(&id.name, &names).filter(|near| letters(near) != letters(&id.name));
        let message = near.map(|near| format!("no document describes {id}; did you mean {near}?"));
        self.neighbours = Some(neighbours);
        let problem = Problem::new(".service", Reason::BackendNotFound, message?);
        Some(Problem { severity: Severity::Warning, ..problem })
    }

    /// Whether the Service exists is the other namespace's affair until it permits the reference.
    fn not_permitted(&self, id: &ObjectId) -> Problem {
        let ObjectId { namespace, name } = id;
        let own = &self.object.namespace;
        let message = format!(
            "Service {id} is in another namespace, and no ReferenceGrant there permits ServiceRoutes of {own}: who owns {namespace} may apply {{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {{name: {own}-to-{name}, namespace: {namespace}}}, spec: {{from: [{{group: fairway.dev, kind: ServiceRoute, namespace: {own}}}], to: [{{group: \"\", kind: Service, name: {name}}}]}}}}"
        );
        Problem::new(".namespace", Reason::RefNotPermitted, message)
    }

    fn not_found(&mut self, id: &ObjectId) -> Problem {
        if id.namespace != self.object.namespace {
            // What else is there is not told to other namespaces.
            let message = format!("Service {id} does not exist: create it, or correct the name");
            return Problem::new(".service", Reason::BackendNotFound, message);
        }
        let neighbours = neighbours(self.inputs, &id.namespace);
        let names: Vec<&str> = neighbours.iter().map(|name| &**name).collect();
        let advice = match nearest(&id.name, &names) {
            Some(near) => format!("did you mean {near}?"),
            None if names.is_empty() => {
                format!(
                    "namespace {} has no Services; create it, or correct the name",
                    id.namespace
                )
            }
            None => {
                let shown = names.iter().take(8).copied().collect::<Vec<_>>().join(", ");
                let more = if names.len() > 8 { ", ..." } else { "" };
                format!("namespace {} has {shown}{more}", id.namespace)
            }
        };
        let message = format!("Service {id} does not exist: {advice}");
        self.neighbours = Some(neighbours);
        Problem::new(".service", Reason::BackendNotFound, message)
    }

    fn host(&mut self, written: &BackendRef, host: &str) -> Result<Upstream, Problem> {
        let invalid = |field, message: String| Problem::new(field, Reason::InvalidRule, message);
        if written.namespace.is_some() {
            return Err(invalid(".namespace", fairway_crds::names::NAMESPACE_OF_HOST.to_owned()));
        }
        if written.discovery.is_some() {
            return Err(invalid(".discovery", fairway_crds::names::DISCOVERY_OF_HOST.to_owned()));
        }
        let spoken = Spoken::new(written, Protocol::of_backend(written)?, None)?;
        let port = match &written.port {
            Some(IntOrString::Int(port)) => number(*port),
            Some(IntOrString::String(_)) | None => None,
        };
        let Some(port) = port else {
            let needs = "a backend with host needs a port from 1 to 65535: write port: 443";
            let message = match &written.port {
                Some(IntOrString::Int(port)) => format!("{port} is not a port: {needs}"),
                Some(IntOrString::String(port)) => format!("{port:?} is not a number: {needs}"),
                None => needs.to_owned(),
            };
            return Err(invalid(".port", message));
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            self.allowed(host, ".host")?;
            let tls = self.secured(&spoken, host)?;
            let upstream = Upstream::new(Target::Address(address), port);
            return Ok(upstream.speaking(spoken.speaks).secured(tls));
        }
        if let Err(error) = host.parse::<HostPattern>() {
            return Err(invalid(".host", error.to_string()));
        }
        if host.contains('*') {
            let message =
                format!("{host:?} is a pattern: write one host, for example api.example.com");
            return Err(invalid(".host", message));
        }
        self.allowed(host, ".host")?;
        // The name of a single label may need the search list, as in a compose file.
        let name = if host.contains('.') { absolute(host) } else { host.into() };
        let tls = self.secured(&spoken, host)?;
        Ok(Upstream::new(Target::Name(name), port).speaking(spoken.speaks).secured(tls))
    }

    /// Whether the operator lets a backend name this host.
    fn allowed(&self, host: &str, field: &'static str) -> Result<(), Problem> {
        let ExternalHosts::Only(patterns) = &self.options.external_hosts else { return Ok(()) };
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let refused = |address| !self.options.addresses.allows(address);
        let reserved = bare.parse::<IpAddr>().is_ok_and(refused);
        if !reserved && patterns.iter().any(|pattern| pattern.matches(&name)) {
            return Ok(());
        }
        let advice = if reserved {
            "no backend in a cluster may have a loopback, link-local or metadata address, unless the operator names it in --allow-addresses"
        } else {
            "ask the operator to add it to --allow-external-hosts"
        };
        let message = format!("host {host} is not allowed: {advice}");
        Err(Problem::new(field, Reason::ExternalHostNotAllowed, message))
    }
}

/// The names of all Services of a namespace, sorted.
pub(super) fn neighbours(inputs: &Inputs, namespace: &str) -> Vec<Arc<str>> {
    let first = ObjectId::new(namespace, "");
    let from = inputs.services.range(first..).take_while(|(id, _)| *id.namespace == *namespace);
    from.map(|(id, _)| Arc::clone(&id.name)).collect()
}

/// A name with dots is absolute, so that no search list is tried.
fn absolute(name: &str) -> Arc<str> {
    if name.ends_with('.') { name.into() } else { format!("{name}.").into() }
}

/// The name that is near enough to be what was meant.
pub(crate) fn nearest<'n>(wanted: &str, names: &[&'n str]) -> Option<&'n str> {
    let scored = names.iter().map(|name| (strsim::damerau_levenshtein(wanted, name), *name));
    let best = scored.min()?;
    let tolerance = (wanted.len() / 3).clamp(1, 3);
    (best.0 <= tolerance).then_some(best.1)
}

//! The backends of a rule: references, resolved against the Services that there are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_crds::{BackendRef, DEFAULT_WEIGHT, MAX_WEIGHT};
use fairway_snapshot::{
    Backend, HostPattern, InvalidReason, ObjectId, Target, Upstream, UpstreamId,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{CompileOptions, ExternalHosts, Severity, UnknownService, names};
use crate::Inputs;
use crate::inputs::{Service, ServiceKind, ServicePort};

/// Resolves the backends of one object.
pub(super) struct Resolver<'a> {
    pub(super) object: &'a ObjectId,
    pub(super) inputs: &'a Inputs,
    pub(super) options: &'a CompileOptions,
    /// The upstreams that were found.
    pub(super) upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    /// Every Service that was asked for, found or not.
    pub(super) asked: Vec<ObjectId>,
    /// Every Service of another namespace that was named, and whether a grant permits it.
    pub(super) grants: Vec<(ObjectId, bool)>,
    /// The names of all Services of the namespace, when a message was made from them.
    pub(super) neighbours: Option<Vec<Arc<str>>>,
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
            Reason::Accepted
            | Reason::InvalidRule
            | Reason::ListenerNotFound
            | Reason::ResolvedRefs
            | Reason::Programmed
            | Reason::Pending
            | Reason::PartiallyInvalid
            | Reason::AddressInUse => None,
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
        let reference: Arc<str> = self.reference(written).into();
        let resolved = match (&written.service, &written.host) {
            (Some(service), None) => self.service(written, service),
            (None, Some(host)) => self.host(written, host),
            (Some(_), Some(_)) | (None, None) => Err(Problem::new(
                "",
                Reason::InvalidRule,
                "a backend has either service or host: write service: finance for a Service, or host: api.example.com with a port".to_owned(),
            )),
        };
        match resolved {
            Ok(upstream) => {
                if let Some(doubt) = self.doubt(written) {
                    problem(doubt);
                }
                let id = upstream.id();
                self.upstreams.entry(id.clone()).or_insert_with(|| Arc::new(upstream));
                Some(Backend::Upstream { upstream: id, reference, weight })
            }
            Err(wrong) => {
                let reason = wrong.invalid();
                problem(wrong);
                reason.map(|reason| Backend::Invalid { reference, weight, reason })
            }
        }
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
        if *namespace != *self.object.namespace {
            let permitted = self.inputs.permitted(&self.object.namespace, &id);
            self.grants.push((id.clone(), permitted));
            if !permitted {
                return Err(self.not_permitted(&id));
            }
        }
        self.asked.push(id.clone());
        let known = self.inputs.services.get(&id);
        if known.is_none() && self.options.unknown_service == UnknownService::Refuse {
            return Err(self.not_found(&id));
        }
        if let Some(upstream) = self.options.backend_overrides.get(&id) {
            return Ok(upstream.clone());
        }
        let port = match known {
            Some(service) => port_of(service, written.port.as_ref(), &id)?,
            None => undescribed_port(written.port.as_ref(), &id)?,
        };
        if let Some(ServiceKind::ExternalName(target)) = known.map(|service| &service.kind) {
            self.allowed(target, ".service")?;
            return Ok(Upstream { target: Target::Name(absolute(target)), port });
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
        Ok(Upstream { target, port })
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

    fn host(&self, written: &BackendRef, host: &str) -> Result<Upstream, Problem> {
        let invalid = |field, message: String| Problem::new(field, Reason::InvalidRule, message);
        if written.namespace.is_some() {
            let message = "namespace goes with service: remove it beside host".to_owned();
            return Err(invalid(".namespace", message));
        }
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
            return Ok(Upstream { target: Target::Address(address), port });
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
        Ok(Upstream { target: Target::Name(name), port })
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

fn number(port: i32) -> Option<NonZeroU16> {
    u16::try_from(port).ok().and_then(NonZeroU16::new)
}

/// The port of a Service that is known.
fn port_of(
    service: &Service,
    written: Option<&IntOrString>,
    id: &ObjectId,
) -> Result<NonZeroU16, Problem> {
    let problem = |message: String| Problem::new(".port", Reason::PortNotFound, message);
    let ports = describe(&service.ports);
    let found = match written {
        Some(IntOrString::Int(wanted)) => {
            service.ports.iter().find(|port| i32::from(port.port) == *wanted)
        }
        Some(IntOrString::String(wanted)) => service
            .ports
            .iter()
            .find(|port| port.name.as_deref() == Some(wanted) || wanted.parse() == Ok(port.port)),
        None => match service.ports.as_slice() {
            [only] => Some(only),
            _ => {
                return Err(problem(format!(
                    "Service {id} has {} ports: write one of {ports}",
                    service.ports.len()
                )));
            }
        },
    };
    // A Service of type ExternalName may have no ports; then the number is taken as written.
    if let (None, Some(IntOrString::Int(wanted)), ServiceKind::ExternalName(_)) =
        (found, written, &service.kind)
        && service.ports.is_empty()
        && let Some(port) = number(*wanted)
    {
        return Ok(port);
    }
    let Some(found) = found else {
        let wanted = match written {
            Some(IntOrString::Int(port)) => port.to_string(),
            Some(IntOrString::String(port)) => format!("{port:?}"),
            None => String::new(),
        };
        return Err(problem(format!("Service {id} has no port {wanted}: write one of {ports}")));
    };
    check_protocol(found, id)?;
    NonZeroU16::new(found.port).ok_or_else(|| problem(format!("Service {id} has port 0")))
}

/// The port of a Service that nobody described.
fn undescribed_port(written: Option<&IntOrString>, id: &ObjectId) -> Result<NonZeroU16, Problem> {
    let problem = |message: String| Problem::new(".port", Reason::PortNotFound, message);
    match written {
        Some(IntOrString::Int(port)) => number(*port).ok_or_else(|| {
            problem(format!("{port} is not a port: write a number from 1 to 65535"))
        }),
        Some(IntOrString::String(name)) => match name.parse::<NonZeroU16>() {
            Ok(port) => Ok(port),
            Err(_) => Err(problem(format!(
                "port {name:?} is a name, and no Service document says which number it is: write the number, or add the document of Service {id}"
            ))),
        },
        None => Err(problem(format!(
            "no Service document says which port {id} has: write the number, or add the document of the Service"
        ))),
    }
}

fn check_protocol(port: &ServicePort, id: &ObjectId) -> Result<(), Problem> {
    let unsupported = ["https", "kubernetes.io/h2c", "kubernetes.io/wss", "grpc"];
    match port.app_protocol.as_deref() {
        Some(protocol) if unsupported.contains(&protocol) => Err(Problem::new(
            ".port",
            Reason::UnsupportedValue,
            format!(
                "port {} of Service {id} speaks {protocol}, which is not supported yet: choose a port that speaks http",
                port.port
            ),
        )),
        _ => Ok(()),
    }
}

fn describe(ports: &[ServicePort]) -> String {
    let shown = ports.iter().take(8).map(|port| match &port.name {
        Some(name) => format!("{} ({name})", port.port),
        None => port.port.to_string(),
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "none: it has no ports".to_owned() } else { shown.join(", ") }
}

/// The name that is near enough to be what was meant.
pub(crate) fn nearest<'n>(wanted: &str, names: &[&'n str]) -> Option<&'n str> {
    let scored = names.iter().map(|name| (strsim::damerau_levenshtein(wanted, name), *name));
    let best = scored.min()?;
    let tolerance = (wanted.len() / 3).clamp(1, 3);
    (best.0 <= tolerance).then_some(best.1)
}

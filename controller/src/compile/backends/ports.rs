//! The port of a Service that a backend means: by number, by name, or the only one.

use std::num::NonZeroU16;
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_snapshot::ObjectId;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Problem;
use super::tls::Protocol;
use crate::inputs::{Service, ServiceKind, ServicePort};

/// A port of a Service.
pub(super) struct Port {
    pub(super) number: NonZeroU16,
    /// Its name, by which endpoints know it; a single port may have none.
    pub(super) name: Option<Arc<str>>,
    /// What is said to be spoken there.
    pub(super) said: Option<Protocol>,
}

pub(super) fn number(port: i32) -> Option<NonZeroU16> {
    u16::try_from(port).ok().and_then(NonZeroU16::new)
}

/// The port of a Service that is known.
pub(super) fn port_of(
    service: &Service,
    written: Option<&IntOrString>,
    id: &ObjectId,
) -> Result<Port, Problem> {
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
        return Ok(Port { number: port, name: None, said: None });
    }
    let Some(found) = found else {
        let wanted = match written {
            Some(IntOrString::Int(port)) => port.to_string(),
            Some(IntOrString::String(port)) => format!("{port:?}"),
            None => String::new(),
        };
        return Err(problem(format!("Service {id} has no port {wanted}: write one of {ports}")));
    };
    let said = found.app_protocol.as_deref().and_then(Protocol::of_port);
    match NonZeroU16::new(found.port) {
        Some(number) => Ok(Port { number, name: found.name.clone(), said }),
        None => Err(problem(format!("Service {id} has port 0"))),
    }
}

/// The port of a Service that nobody described.
pub(super) fn undescribed_port(
    written: Option<&IntOrString>,
    id: &ObjectId,
) -> Result<Port, Problem> {
    let problem = |message: String| Problem::new(".port", Reason::PortNotFound, message);
    let unnamed = |number| Port { number, name: None, said: None };
    match written {
        Some(IntOrString::Int(port)) => number(*port).map(unnamed).ok_or_else(|| {
            problem(format!("{port} is not a port: write a number from 1 to 65535"))
        }),
        Some(IntOrString::String(name)) => match name.parse::<NonZeroU16>() {
            Ok(port) => Ok(unnamed(port)),
            Err(_) => Err(problem(format!(
                "port {name:?} is a name, and no Service document says which number it is: write the number, or add the document of Service {id}"
            ))),
        },
        None => Err(problem(format!(
            "no Service document says which port {id} has: write the number, or add the document of the Service"
        ))),
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

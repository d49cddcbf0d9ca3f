//! The table of listeners, and the ports that all parts of a gateway share.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use fairway_controller::compile::ListenerSettings;
use fairway_crds::Policy;
use fairway_dataplane::{Config, certificate_message};
use fairway_snapshot::{ListenerName, Normalization, Protocol};
use serde_json::{Map, Value};

use super::hint::did_you_mean_or_all;
use super::parse::Reader;
use super::{policies, values};

/// The listener that there is beside `http` once there is a certificate.
const HTTPS: &str = "https";
const BUILT_IN_HTTPS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443);

impl Reader<'_> {
    /// The table of listeners; one that is given replaces the built-in one.
    pub(super) fn listeners(&mut self, listeners: &mut BTreeMap<ListenerName, ListenerSettings>) {
        let Some(given) = self.raw.get("listen") else {
            if self.raw.get("certificates").is_some() {
                listeners.insert(ListenerName::from(HTTPS), plain(HTTPS, BUILT_IN_HTTPS));
            }
            return;
        };
        let mut read = BTreeMap::new();
        if let Some(Value::Object(entries)) = &given.tree {
            for (name, written) in entries {
                let place = format!("{}.{name}", given.place);
                if let Some((name, settings)) = listener(&place, name, written, self.mistakes) {
                    read.insert(name, settings);
                }
            }
        } else {
            for text in &given.values {
                match values::listener(text) {
                    Ok((name, bind)) => {
                        if read.insert(name.clone(), plain(name.as_str(), bind)).is_some() {
                            let problem =
                                format!("{}: {text:?}: this name stands twice", given.place);
                            self.mistakes.push(problem);
                        }
                    }
                    Err(problem) => self.mistakes.push(format!("{}: {problem}", given.place)),
                }
            }
        }
        if !read.is_empty() {
            *listeners = read;
        }
    }

    /// What only several settings together say.
    pub(super) fn fit_together(
        &mut self,
        listeners: &BTreeMap<ListenerName, ListenerSettings>,
        config: &Config,
        secrets: bool,
    ) {
        self.admin_needs_token(config);
        self.ports_differ(listeners, config);
        self.certificates_are_there(listeners, config, secrets);
        self.announced_by_known_peers(listeners, config);
    }

    /// Whoever may say whose a connection is can claim to be anybody: it must be said who may.
    fn announced_by_known_peers(
        &mut self,
        listeners: &BTreeMap<ListenerName, ListenerSettings>,
        config: &Config,
    ) {
        // Networks that cannot be read are told already.
        let none = config.trust.networks.is_empty() && self.raw.get("trusted-cidrs").is_none();
        for (name, _) in listeners.iter().filter(|(_, settings)| settings.proxy_protocol && none) {
            self.mistakes.push(format!(
                "listener {name} has proxyProtocol, and nobody is trusted to speak it: write --trusted-cidrs and the networks of the load balancers in front of it, for example 10.0.0.0/8"
            ));
        }
    }

    /// What speaks TLS has a certificate.
    fn certificates_are_there(
        &mut self,
        listeners: &BTreeMap<ListenerName, ListenerSettings>,
        config: &Config,
        secrets: bool,
    ) {
        let secured = |settings: &ListenerSettings| settings.protocol == Protocol::Https;
        let without = listeners.iter().filter(|(_, settings)| secured(settings));
        // Folders that cannot be used are told already.
        let none = config.certificates.is_empty() && self.raw.get("certificates").is_none();
        // Secrets come and go; what a listener lacks is told when it is bound.
        let none = none && !secrets;
        for (name, _) in without.filter(|_| none) {
            self.mistakes.push(certificate_message(name));
        }
    }

    /// Every port belongs to one part of the gateway: whichever bound it second would fail.
    fn ports_differ(
        &mut self,
        listeners: &BTreeMap<ListenerName, ListenerSettings>,
        config: &Config,
    ) {
        let mut all: Vec<(String, SocketAddr)> = listeners
            .iter()
            .map(|(name, settings)| (format!("listener {name}"), settings.bind))
            .collect();
        all.push(("status".to_owned(), config.status));
        all.push(("admin".to_owned(), config.admin));
        for (index, (name, address)) in all.iter().enumerate() {
            for (other, taken) in &all[..index] {
                if overlap(*address, *taken) {
                    self.mistakes.push(format!(
                        "{other} ({taken}) and {name} ({address}) want the same port: write another port for one of them"
                    ));
                }
            }
        }
    }
}

/// Whether two sockets cannot be bound at once. `0.0.0.0` is every IPv4 address, `[::]` every
/// address at all; port 0 is a free port, whichever that is.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let covers = |all: IpAddr, one: IpAddr| match all {
        IpAddr::V4(all) => all.is_unspecified() && one.is_ipv4(),
        IpAddr::V6(all) => all.is_unspecified(),
    };
    let (ip, other) = (a.ip().to_canonical(), b.ip().to_canonical());
    a.port() != 0 && a.port() == b.port() && (ip == other || covers(ip, other) || covers(other, ip))
}

/// What a listener speaks where nobody says it: one that is called https, HTTPS.
fn usual(name: &str) -> Protocol {
    if name == HTTPS { Protocol::Https } else { Protocol::Http }
}

fn plain(name: &str, bind: SocketAddr) -> ListenerSettings {
    ListenerSettings {
        bind,
        protocol: usual(name),
        proxy_protocol: false,
        normalization: Normalization::default(),
        policy: Policy::default(),
    }
}

/// A listener in the file: its address alone, or a table with `bind`.
fn listener(
    place: &str,
    name: &str,
    written: &Value,
    mistakes: &mut Vec<String>,
) -> Option<(ListenerName, ListenerSettings)> {
    let before = mistakes.len();
    if let Err(problem) = values::name(name) {
        mistakes.push(format!("{place}: {problem}"));
    }
    let mut settings = None;
    match written {
        Value::Object(fields) => {
            settings = table(place, name, fields, mistakes);
        }
        Value::String(text) => match values::address(text) {
            Ok(bind) => settings = Some(plain(name, bind)),
            Err(problem) => mistakes.push(format!("{place}: {problem}")),
        },
        other => mistakes.push(format!(
            "{place} is {other}: write an address, for example {name}: 0.0.0.0:8080"
        )),
    }
    let settings = settings.filter(|_| mistakes.len() == before)?;
    Some((ListenerName::from(name), settings))
}

fn table(
    place: &str,
    name: &str,
    fields: &Map<String, Value>,
    mistakes: &mut Vec<String>,
) -> Option<ListenerSettings> {
    let (mut bind, mut protocol) = (None, None);
    let mut proxy_protocol = false;
    let mut normalization = Normalization::default();
    let mut policy = Policy::default();
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let place = format!("{place}.{key}");
        match key.as_str() {
            "bind" => match value.as_str().map(values::address) {
                Some(Ok(address)) => bind = Some(address),
                Some(Err(problem)) => mistakes.push(format!("{place}: {problem}")),
                None => mistakes.push(format!("{place} is {value}: write 0.0.0.0:8080")),
            },
            "protocol" => match value.as_str() {
                Some("HTTP") => protocol = Some(Protocol::Http),
                Some("HTTPS") => protocol = Some(Protocol::Https),
                _ => mistakes.push(format!("{place} is {value}: write HTTP or HTTPS")),
            },
            "proxyProtocol" => match value.as_bool() {
                Some(given) => proxy_protocol = given,
                None => mistakes.push(format!("{place} is {value}: write true or false")),
            },
            "normalization" => match serde_json::from_value(value.clone()) {
                Ok(read) => normalization = read,
                Err(error) => mistakes.push(format!("{place}: {error}")),
            },
            "policy" => policy = policies::read(&place, value.clone(), mistakes),
            _ => {
                let known = ["bind", "normalization", "policy", "protocol", "proxyProtocol"];
                let advice = did_you_mean_or_all(key, &known);
                mistakes.push(format!("{place} is not known: {advice}"));
            }
        }
    }
    if fields.get("bind").is_none_or(Value::is_null) {
        mistakes.push(format!("{place}.bind is missing: write bind: 0.0.0.0:8080"));
    }
    let protocol = protocol.unwrap_or_else(|| usual(name));
    let bind = bind?;
    Some(ListenerSettings { bind, protocol, proxy_protocol, normalization, policy })
}

//! Reading values: each either gives a value or says what to write instead.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

use fairway_controller::compile::{ListenerSettings, policy_problems};
use fairway_crds::Policy;
use fairway_dataplane::{Config, DnsServers};
use fairway_snapshot::{
    HostPattern, ListenerName, Normalization, ObjectId, Protocol, Target, Upstream,
};
use serde::Deserialize;
use serde_json::Value;

use super::source::Raw;

/// Reads settings one by one and collects mistakes.
pub(super) struct Reader<'a> {
    pub(super) raw: &'a Raw,
    pub(super) mistakes: &'a mut Vec<String>,
}

/// A listener in the file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenListener {
    bind: SocketAddr,
    #[serde(default)]
    normalization: Normalization,
    #[serde(default)]
    policy: Policy,
}

impl Reader<'_> {
    /// One value; a mistake counts as not given.
    pub(super) fn one<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = self.raw.get(name)?;
        let [value] = given.values.as_slice() else {
            self.mistakes.push(format!("{}: write one value", given.place));
            return None;
        };
        match parse(value) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.mistakes.push(format!("{}: {problem}", given.place));
                None
            }
        }
    }

    /// All values that can be read.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        mut parse: impl FnMut(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(given) = self.raw.get(name) else { return Vec::new() };
        let mut all = Vec::new();
        for value in &given.values {
            match parse(value) {
                Ok(value) => all.push(value),
                Err(problem) => self.mistakes.push(format!("{}: {problem}", given.place)),
            }
        }
        all
    }

    /// The table of listeners; one that is given replaces the built-in one.
    pub(super) fn listeners(&mut self, listeners: &mut BTreeMap<ListenerName, ListenerSettings>) {
        let Some(given) = self.raw.get("listen") else { return };
        let mut read = BTreeMap::new();
        if let Some(Value::Object(entries)) = &given.tree {
            for (name, value) in entries {
                let place = format!("{}: {name}", given.place);
                match serde_json::from_value::<WrittenListener>(value.clone()) {
                    Ok(written) => {
                        check_policy(&place, &written.policy, self.mistakes);
                        let WrittenListener { bind, normalization, policy } = written;
                        let settings = ListenerSettings {
                            bind,
                            protocol: Protocol::Http,
                            normalization,
                            policy,
                        };
                        read.insert(ListenerName::from(name.as_str()), settings);
                    }
                    Err(error) => self.mistakes.push(format!("{place}: {error}")),
                }
            }
        } else {
            for text in &given.values {
                match listener(text) {
                    Ok((name, bind)) => {
                        let settings = ListenerSettings {
                            bind,
                            protocol: Protocol::Http,
                            normalization: Normalization::default(),
                            policy: Policy::default(),
                        };
                        if read.insert(name, settings).is_some() {
                            let problem =
                                format!("{}: {text:?}: this name stands twice", given.place);
                            self.mistakes.push(problem);
                        }
                    }
                    Err(problem) => self.mistakes.push(format!("{}: {problem}", given.place)),
                }
            }
        }
        self.ports_differ(&read);
        if !read.is_empty() {
            *listeners = read;
        }
    }

    fn ports_differ(&mut self, listeners: &BTreeMap<ListenerName, ListenerSettings>) {
        let mut seen: BTreeMap<SocketAddr, &ListenerName> = BTreeMap::new();
        for (name, settings) in listeners {
            if settings.bind.port() != 0
                && let Some(other) = seen.insert(settings.bind, name)
            {
                let address = settings.bind;
                self.mistakes.push(format!("listeners {other} and {name} both want {address}"));
            }
        }
    }

    /// Addresses that replace those of Services, from all sources.
    pub(super) fn backends(&mut self) -> BTreeMap<ObjectId, Upstream> {
        let mut texts: Vec<(String, String)> = Vec::new();
        if let Some(given) = self.raw.get("backend") {
            match &given.tree {
                Some(Value::Object(entries)) => {
                    for (name, value) in entries {
                        let value = value.as_str().unwrap_or_default();
                        texts.push((given.place.clone(), format!("{name}={value}")));
                    }
                }
                _ => texts.extend(given.values.iter().map(|v| (given.place.clone(), v.clone()))),
            }
        }
        texts.extend(self.raw.backends.iter().cloned());
        let mut backends = BTreeMap::new();
        for (place, text) in texts {
            match backend(&text) {
                Ok((id, upstream)) => {
                    backends.insert(id, upstream);
                }
                Err(problem) => self.mistakes.push(format!("{place}: {problem}")),
            }
        }
        backends
    }

    /// A policy of the operator.
    pub(super) fn policy(&mut self, name: &str) -> Policy {
        let Some(given) = self.raw.get(name) else { return Policy::default() };
        let tree = given.tree.clone().unwrap_or(Value::Null);
        match serde_json::from_value::<Policy>(tree) {
            Ok(policy) => {
                check_policy(&given.place, &policy, self.mistakes);
                policy
            }
            Err(error) => {
                self.mistakes.push(format!("{}: {error}", given.place));
                Policy::default()
            }
        }
    }

    pub(super) fn token(&mut self) -> Option<String> {
        self.one("admin-token", |text| {
            let visible = text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_graphic());
            if visible {
                Ok(text.to_owned())
            } else {
                Err("write a token of at least 16 visible characters".to_owned())
            }
        })
    }

    pub(super) fn dns(&mut self) -> DnsServers {
        let servers = self.list("dns", |text| {
            let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
            bare.or_else(|_| text.parse::<SocketAddr>()).map_err(|_| {
                format!("{text:?} is not an address: write 10.96.0.10 or 127.0.0.1:5353")
            })
        });
        if servers.is_empty() { DnsServers::System } else { DnsServers::These(servers) }
    }

    pub(super) fn admin_needs_token(&mut self, config: &Config) {
        if !config.admin.ip().is_loopback() && config.admin_token.is_none() {
            self.mistakes.push(format!(
                "the admin port {} is not on loopback and has no token: set FAIRWAY_ADMIN_TOKEN, or write --admin 127.0.0.1:9902",
                config.admin
            ));
        }
    }
}

fn check_policy(place: &str, policy: &Policy, mistakes: &mut Vec<String>) {
    for (field, problem) in policy_problems(policy) {
        mistakes.push(format!("{place}: {field}: {problem}"));
    }
}

fn listener(text: &str) -> Result<(ListenerName, SocketAddr), String> {
    let (label, bind) =
        text.split_once('=').ok_or_else(|| format!("{text:?}: write http=0.0.0.0:8080"))?;
    Ok((ListenerName::from(name(label)?), address(bind)?))
}

fn backend(text: &str) -> Result<(ObjectId, Upstream), String> {
    let wrong = || format!("{text:?}: write market/finance=127.0.0.1:9001");
    let (id, target) = text.split_once('=').ok_or_else(wrong)?;
    let (namespace, service) = id.split_once('/').ok_or_else(wrong)?;
    let (host, port) = target.rsplit_once(':').ok_or_else(wrong)?;
    let port: NonZeroU16 = port.parse().map_err(|_| wrong())?;
    let (namespace, service) = (name(namespace)?, name(service)?);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let target = match bare.parse::<IpAddr>() {
        Ok(address) => Target::Address(address),
        Err(_) => match host.parse::<HostPattern>().map_err(|error| error.to_string())? {
            HostPattern::Exact(host) => Target::Name(host),
            HostPattern::Wildcard(_) | HostPattern::Any => return Err(wrong()),
        },
    };
    Ok((ObjectId::new(namespace, service), Upstream { target, port }))
}

/// A name as Kubernetes has them.
pub(super) fn name(text: &str) -> Result<String, String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a name: write lower case letters, digits and -"))
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an address with a port: write 0.0.0.0:8080 or [::]:8080")
    })
}

pub(super) fn host_pattern(text: &str) -> Result<HostPattern, String> {
    text.parse::<HostPattern>().map_err(|error| error.to_string())
}

pub(super) fn service_dns(text: &str) -> Result<String, String> {
    if text.contains("{service}") {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} lacks {{service}}: write {{service}}.{{namespace}}.svc.cluster.local."
        ))
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{text:?}: write true or false")),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    fairway_controller::compile::duration(text).map(Option::unwrap_or_default)
}

pub(super) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    let workers: Option<NonZeroUsize> = text.parse().ok();
    workers
        .filter(|workers| workers.get() <= 256)
        .ok_or_else(|| format!("{text:?}: write a number from 1 to 256"))
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text:?}: write a whole number"))
}

pub(super) fn head_bytes(text: &str) -> Result<usize, String> {
    let bytes = count(text)?;
    if (8192..=1024 * 1024).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!("{text}: write a number from 8192 to 1048576"))
    }
}

pub(super) fn log_level(text: &str) -> Result<String, String> {
    match text.parse::<tracing_subscriber::EnvFilter>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{text:?}: {error}: write info or debug")),
    }
}

pub(super) fn log_format(text: &str) -> Result<bool, String> {
    match text {
        "json" => Ok(true),
        "text" => Ok(false),
        _ => Err(format!("{text:?}: write text or json")),
    }
}

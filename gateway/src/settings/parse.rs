//! Reading settings: each is looked up in what was given, and what is wrong with it is collected.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use fairway_controller::compile::{ListenerSettings, policy_problems};
use fairway_crds::Policy;
use fairway_dataplane::{Config, DnsServers};
use fairway_snapshot::{ListenerName, Normalization, Protocol};
use serde::Deserialize;
use serde_json::Value;

use super::source::Raw;
use super::values;

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
                match values::listener(text) {
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

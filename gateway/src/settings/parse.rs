//! Reading settings: each is looked up in what was given, and what is wrong with it is collected.

use std::net::{IpAddr, SocketAddr};

use fairway_controller::pod::Pod;
use fairway_dataplane::{Config, DnsServers, Trust};
use fairway_snapshot::Redaction;

use super::source::Raw;
use super::values;

/// Reads settings one by one and collects mistakes.
pub(super) struct Reader<'a> {
    pub(super) raw: &'a Raw,
    pub(super) mistakes: &'a mut Vec<String>,
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

    /// One value, or the default.
    pub(super) fn or<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        default: T,
    ) -> T {
        self.one(name, parse).unwrap_or(default)
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

    /// Whose word about clients is taken.
    pub(super) fn trust(&mut self) -> Trust {
        let hops = self.or("trusted-hops", values::hops, 0);
        Trust { hops, networks: self.list("trusted-cidrs", values::network) }
    }

    /// Protocols to switch to; `none` says that there are none.
    pub(super) fn upgrades(&mut self, default: &[String]) -> Vec<String> {
        if self.raw.get("upgrades").is_none() {
            return default.to_vec();
        }
        let named = self.list("upgrades", values::upgrade);
        named.into_iter().filter(|name| name != "none").collect()
    }

    /// Names of credentials; `none` says that only those that are named are hidden.
    pub(super) fn redaction(&mut self) -> Redaction {
        let named = self.list("redact", values::secret);
        let built_in = !named.iter().any(|name| name == "none");
        let named: Vec<String> = named.into_iter().filter(|name| name != "none").collect();
        Redaction::new(built_in, &named)
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

    /// The pod, when its namespace is given.
    pub(super) fn pod(&mut self) -> Option<Pod> {
        let name = self.one("pod-name", values::object);
        let uid = self.one("pod-uid", values::uid);
        let namespace = self.one("pod-namespace", values::name)?;
        if name.is_none() && self.raw.get("pod-name").is_none() {
            self.mistakes.push(format!(
                "the pod namespace {namespace} is given and no name: set FAIRWAY_POD_NAME, or write --pod-name fairway-0"
            ));
        }
        Some(Pod { namespace, name: name?, uid })
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

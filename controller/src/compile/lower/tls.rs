//! The certificate of an object's hosts, and that its rules are for clients that come by HTTPS.

use std::collections::BTreeSet;
use std::sync::Arc;

use fairway_certificates::covers;
use fairway_crds::conditions::Reason;
use fairway_snapshot::{
    Certificate, HostPattern, ListenerName, ObjectId, PathMatch, Protocol, ResourceId,
};

use super::super::CertificateEnd;
use super::super::diagnostic::{Diagnostic, Severity};
use super::super::host_policy::advice;
use super::Lowering;

const FIELD: &str = "spec.tls.secretName";

/// A certificate, and for which names an object asks to show it.
#[derive(Debug)]
pub(in super::super) struct Shown {
    pub(in super::super) id: ResourceId,
    pub(in super::super) certificate: Arc<Certificate>,
    /// As certificates have them: exact ones, and ones with `*` for the first label.
    pub(in super::super) names: BTreeSet<Arc<str>>,
    /// When the object was created, in seconds since 1970.
    pub(in super::super) created: i64,
}

impl Shown {
    /// When the certificate ends.
    pub(super) fn end(&self) -> CertificateEnd {
        let Certificate { secret, not_after, .. } = &*self.certificate;
        CertificateEnd { secret: secret.clone(), not_after: *not_after }
    }
}

impl Lowering<'_> {
    /// The listeners that serve the object. With `tls` those that speak HTTP send clients to HTTPS,
    /// unless the object names one of them.
    pub(super) fn with_https(&mut self, mut named: Vec<ListenerName>) -> Vec<ListenerName> {
        if self.spec.tls.is_none() || named.is_empty() {
            return named;
        }
        let known = &self.options.listeners;
        let speaks = |protocol: Protocol| {
            move |name: &&ListenerName| {
                known.get(*name).is_some_and(|settings| settings.protocol == protocol)
            }
        };
        let by_name = !self.spec.listeners.is_empty();
        if by_name && named.iter().any(|name| speaks(Protocol::Http)(&name)) {
            return named;
        }
        self.to_https = true;
        let others = known.keys().filter(speaks(Protocol::Http));
        let others: Vec<_> = others.filter(|name| !named.contains(name)).cloned().collect();
        named.extend(others);
        if !named.iter().any(|name| speaks(Protocol::Https)(&name)) {
            let message = "no listener speaks HTTPS: unless somebody in front of the gateway ends TLS and is trusted, every client is sent to where nobody listens; ask the operator for a listener with HTTPS";
            self.diagnostics.push(Diagnostic {
                object: (*self.object).clone(),
                rule: None,
                field: "spec.tls".to_owned(),
                reason: Reason::ListenerNotFound,
                severity: Severity::Warning,
                message: message.to_owned(),
            });
        }
        named
    }

    /// The certificate that the object names, for those of its hosts that it is for.
    pub(super) fn certificate(&mut self, hosts: &[HostPattern]) -> Option<Shown> {
        let name = &self.spec.tls.as_ref()?.secret_name;
        let secret = match self.resolver.secret(name) {
            Ok(secret) => secret,
            Err(problem) => {
                self.tell(None, FIELD.to_owned(), problem.reason, problem.message);
                return None;
            }
        };
        let secret_id = ObjectId::new(Arc::clone(&self.object.namespace), name.as_str());
        let read = match secret.certificate() {
            Ok(read) => read,
            Err(problem) => {
                let message = format!("Secret {secret_id} cannot be used: {problem}");
                self.tell(None, FIELD.to_owned(), Reason::InvalidCertificate, message);
                return None;
            }
        };
        let mut names = BTreeSet::new();
        for host in hosts {
            if self.is_shared(host) {
                continue;
            }
            let of_host = names_under(&read.names, host);
            if of_host.is_empty() {
                self.not_covered(host, &secret_id, &read.names);
            }
            names.extend(of_host);
        }
        let (id, certificate) = self.resolver.shared.certificate(secret_id, read);
        Some(Shown { id, certificate, names, created: self.created })
    }

    /// Whether the namespace may use some paths of a host only: then its certificate is not for those
    /// who use the others.
    fn is_shared(&mut self, host: &HostPattern) -> bool {
        let Some(policy) = &self.options.host_policy else { return false };
        let allowed = policy.of(&self.object.namespace);
        let everything = PathMatch::everything();
        let mut whole = allowed.iter().filter(|allowed| allowed.covers_host(host));
        if whole.any(|allowed| allowed.covers_path(&everything)) {
            return false;
        }
        let message = format!(
            "a certificate for {host} is for whoever may use all of it, and {}",
            advice(allowed)
        );
        self.tell(None, FIELD.to_owned(), Reason::HostNotAllowed, message);
        true
    }

    fn not_covered(&mut self, host: &HostPattern, secret: &ObjectId, names: &[Arc<str>]) {
        let written = self.spec.hosts.iter().position(|text| text.parse().as_ref() == Ok(host));
        let field =
            written.map_or_else(|| FIELD.to_owned(), |index| format!("spec.hosts[{index}]"));
        let message = if names.is_empty() {
            format!(
                "the certificate of Secret {secret} is for no name: write the host into its subjectAltName, for clients do not look at its subject"
            )
        } else {
            format!(
                "the certificate of Secret {secret} is for {}, and not for \"{host}\": take one that has the name, or give the host an object of its own",
                names.join(", ")
            )
        };
        self.tell(None, field, Reason::InvalidCertificate, message);
    }
}

/// The names under a host that a certificate is for.
fn names_under(names: &[Arc<str>], host: &HostPattern) -> Vec<Arc<str>> {
    match host {
        HostPattern::Any => names.to_vec(),
        HostPattern::Exact(host) => names
            .iter()
            .any(|name| covers(name, host))
            .then(|| Arc::clone(host))
            .into_iter()
            .collect(),
        HostPattern::Wildcard(suffix) => {
            let below = |name: &&Arc<str>| {
                let bare = name.strip_prefix('*').unwrap_or(name);
                bare.ends_with(&**suffix) && (bare.len() < name.len() || bare.len() > suffix.len())
            };
            names.iter().filter(below).cloned().collect()
        }
    }
}

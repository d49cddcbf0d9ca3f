//! Values that the compiled forms of many objects have in common, each held once.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_certificates::Certificate as ReadCertificate;
use fairway_snapshot::{Certificate, ObjectId, Policy, ResourceId, Upstream, UpstreamId};

use crate::inputs::digest;
use crate::shared::Shared;

/// Values of all objects.
#[derive(Debug, Default)]
pub(super) struct Interned {
    upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    certificates: BTreeMap<ResourceId, Arc<Certificate>>,
    policies: Shared<Policy>,
    /// Names of rules and of backends.
    words: Shared<str>,
}

impl Interned {
    /// An upstream and its id.
    pub(super) fn upstream(&mut self, upstream: Upstream) -> (UpstreamId, Arc<Upstream>) {
        let id = upstream.id();
        if let Some((id, known)) = self.upstreams.get_key_value(&id) {
            return (id.clone(), Arc::clone(known));
        }
        let upstream = Arc::new(upstream);
        self.upstreams.insert(id.clone(), Arc::clone(&upstream));
        (id, upstream)
    }

    /// The certificate of a Secret under an id that says all of its content.
    pub(super) fn certificate(
        &mut self,
        secret: ObjectId,
        read: &ReadCertificate,
    ) -> (ResourceId, Arc<Certificate>) {
        let parts = read.chain.iter().map(|one| &**one).chain([read.key.bytes()]);
        let id = ResourceId::from(format!("{secret}/{}", digest(parts)));
        let known = self.certificates.entry(id.clone()).or_insert_with(|| {
            Arc::new(Certificate {
                secret,
                names: read.names.clone(),
                not_after: read.not_after,
                chain: read.chain.clone(),
                key: read.key.clone(),
            })
        });
        (id, Arc::clone(known))
    }

    pub(super) fn policy(&mut self, policy: Policy) -> Arc<Policy> {
        self.policies.share(Arc::new(policy))
    }

    pub(super) fn word(&mut self, word: &str) -> Arc<str> {
        self.words.share(word.into())
    }

    /// Forgets the upstreams and certificates that nobody holds; what else is shared forgets by
    /// itself.
    pub(super) fn forget(&mut self) {
        self.certificates.retain(|_, certificate| Arc::strong_count(certificate) > 1);
        self.upstreams.retain(|_, upstream| Arc::strong_count(upstream) > 1);
    }
}

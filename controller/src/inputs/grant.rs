//! What other namespaces permit: a backend leaves the namespace of its route only where a
//! ReferenceGrant (Gateway API, GEP-709) lets it in.

use std::sync::Arc;

use fairway_snapshot::ObjectId;
use serde::{Deserialize, Serialize};

use super::{Inputs, WrittenGrant};

/// What a ReferenceGrant permits ServiceRoutes. It speaks for the namespace that it stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The namespaces whose ServiceRoutes may refer to Services here, sorted.
    pub from: Vec<Arc<str>>,
    /// The Services that they may refer to.
    pub to: Permitted,
}

/// Services of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permitted {
    /// Every one.
    All,
    /// Those with these names, sorted; none of them permits nothing.
    Named(Vec<Arc<str>>),
}

impl Default for Permitted {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Grant {
    fn permits(&self, from: &str, service: &str) -> bool {
        let named = match &self.to {
            Permitted::All => true,
            Permitted::Named(names) => names.iter().any(|name| **name == *service),
        };
        named && self.from.iter().any(|namespace| **namespace == *from)
    }
}

impl Inputs {
    /// Whether ServiceRoutes of namespace `from` may refer to a Service: in their own namespace
    /// always, in another one when a grant there says so.
    #[must_use]
    pub fn permitted(&self, from: &str, service: &ObjectId) -> bool {
        let first = ObjectId::new(Arc::clone(&service.namespace), "");
        let beside = self.grants.range(first..);
        *service.namespace == *from
            || beside
                .take_while(|(id, _)| id.namespace == service.namespace)
                .any(|(_, grant)| grant.permits(from, &service.name))
    }
}

impl From<WrittenGrant> for Grant {
    /// Entries for other kinds are nobody's concern here.
    fn from(written: WrittenGrant) -> Self {
        let routes = written
            .spec
            .from
            .into_iter()
            .filter(|from| from.group == fairway_crds::GROUP && from.kind == "ServiceRoute");
        let mut from: Vec<Arc<str>> = routes.map(|from| from.namespace.into()).collect();
        from.sort();
        from.dedup();
        let services =
            written.spec.to.into_iter().filter(|to| to.group.is_empty() && to.kind == "Service");
        let names: Vec<Option<String>> = services.map(|to| to.name).collect();
        let to = if names.iter().any(Option::is_none) {
            Permitted::All
        } else {
            let mut names: Vec<Arc<str>> = names.into_iter().flatten().map(Into::into).collect();
            names.sort();
            names.dedup();
            Permitted::Named(names)
        };
        Self { from, to }
    }
}

//! How far the watches have come, as versions.

use kube::Resource;
use kube::runtime::watcher::Event;

use crate::versions::Versions;

/// How far the watches of one kind have come.
#[derive(Debug)]
pub(super) struct Progress {
    /// The key of each scope, and while its list is fetched the versions of that so far: a list is
    /// not in the order of versions, so that they count only once it is complete.
    scopes: Vec<(String, Option<Versions>)>,
}

impl Progress {
    /// Watches of `kind` in these namespaces, or in the whole cluster when there are none.
    pub(super) fn new(kind: &str, namespaces: &[String]) -> Self {
        let keys: Vec<String> = if namespaces.is_empty() {
            vec![kind.to_owned()]
        } else {
            namespaces.iter().map(|namespace| format!("{namespace}/{kind}")).collect()
        };
        Self { scopes: keys.into_iter().map(|key| (key, None)).collect() }
    }

    /// Notes what an event says of versions.
    pub(super) fn note<K: Resource>(
        &mut self,
        scope: usize,
        event: &Event<K>,
        seen: &mut Versions,
    ) {
        let (key, listing) = &mut self.scopes[scope];
        let object = match event {
            Event::Init => {
                *listing = Some(Versions::default());
                return;
            }
            Event::InitDone => {
                for version in listing.take().unwrap_or_default().to_map().values() {
                    seen.raise(key, version);
                }
                return;
            }
            Event::InitApply(object) | Event::Apply(object) | Event::Delete(object) => object,
        };
        if let Some(version) = &object.meta().resource_version {
            listing.as_mut().unwrap_or(seen).raise(key, version);
        }
    }
}

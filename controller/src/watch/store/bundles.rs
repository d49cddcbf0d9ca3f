//! What the watches of ConfigMaps tell.

use std::sync::Arc;

use fairway_snapshot::ObjectId;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;

use super::{Kind, Store};
use crate::inputs::Bundle;
use crate::versions::Version;
use crate::watch::Guarded;
use crate::watch::bundles::BundleEvent;

impl Store {
    pub(in crate::watch) fn bundle(&mut self, scope: usize, event: BundleEvent) {
        let kind = Kind {
            scope: |store, scope| &mut store.bundles[scope],
            gone: |store, scope| store.bundles[scope].complete(store.inputs.config_maps.keys()),
            put: Self::put_bundle,
            remove: Self::remove_bundle,
        };
        match event {
            BundleEvent::Told(event) => {
                self.bundles_refused &= !matches!(*event, Event::InitDone);
                self.bundles_progress.note(scope, &event, &mut self.seen);
                self.follow(&kind, scope, *event);
            }
            BundleEvent::Refused => {
                if !std::mem::replace(&mut self.bundles_refused, true) {
                    tracing::warn!(
                        "config maps may not be read, none is known: apply the roles of this version"
                    );
                }
                self.none(&kind, scope);
            }
        }
    }

    fn remove_bundle(&mut self, id: &ObjectId) {
        self.dirty |= self.inputs.config_maps.remove(id).is_some();
        self.inputs.versions.config_maps.remove(id);
    }

    /// Takes a ConfigMap in. One that cannot be read vouches for nobody.
    fn put_bundle(&mut self, object: Guarded<ConfigMap>) -> ObjectId {
        let id = self.name(&object.metadata);
        let version = object.metadata.resource_version.as_deref().map(Version::from);
        match object.content {
            Ok(written) => {
                let bundle = Bundle::from(*written);
                if self.inputs.config_maps.get(&id).is_none_or(|known| **known != bundle) {
                    self.inputs.config_maps.insert(id.clone(), Arc::new(bundle));
                    if let Some(version) = version {
                        self.inputs.versions.config_maps.insert(id.clone(), version);
                    }
                    self.dirty = true;
                }
            }
            Err(raw) => {
                tracing::warn!(config_map = %id, error = %raw.error, "config map not readable, taken as not there");
                self.remove_bundle(&id);
            }
        }
        id
    }
}

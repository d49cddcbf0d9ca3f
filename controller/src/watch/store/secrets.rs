//! Secrets among what the watches have told.

use fairway_snapshot::ObjectId;
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::runtime::watcher::Event;

use super::super::Guarded;
use super::super::secrets::SecretEvent;
use super::{Kind, Store};
use crate::inputs::{SECRET_TYPE, Secret};
use crate::versions::Version;

impl Store {
    pub(in super::super) fn secret(&mut self, scope: usize, event: SecretEvent) {
        let event = match event {
            SecretEvent::Told(event) => *event,
            SecretEvent::Refused => return self.secrets_refused(scope),
        };
        if !matches!(event, Event::Init) {
            self.dirty |= self.inputs.secrets_refused.remove(self.secrets[scope].namespace());
        }
        self.secrets_progress.note(scope, &event, &mut self.seen);
        let kind = Kind {
            scope: |store, scope| &mut store.secrets[scope],
            gone: |store, scope| store.secrets[scope].complete(store.inputs.secrets.keys()),
            put: Self::put_secret,
            remove: Self::remove_secret,
        };
        self.follow(&kind, scope, event);
    }

    /// The world is complete without them. Those that were read before stay: what the API server
    /// does not tell any more may be as it was, and a certificate that is gone would be missed.
    fn secrets_refused(&mut self, scope: usize) {
        let scope = &mut self.secrets[scope];
        self.dirty |= self.inputs.secrets_refused.insert(scope.namespace().into());
        scope.ready = true;
    }

    /// Takes a Secret in. One that cannot be read counts as not there. What the reader says of it
    /// may hold some of it, and is told nobody.
    fn put_secret(&mut self, object: Guarded<KubeSecret>) -> ObjectId {
        let id = self.name(&object.metadata);
        let version = object.metadata.resource_version.as_deref().map(Version::from);
        match object.content {
            Ok(written) if written.type_.as_deref() == Some(SECRET_TYPE) => {
                self.dirty |= self.inputs.put_secret(&id, Secret::from(*written), version);
            }
            Ok(_) => self.remove_secret(&id),
            Err(_) => {
                tracing::warn!(secret = %id, "secret not readable, taken as not there");
                self.remove_secret(&id);
            }
        }
        id
    }

    fn remove_secret(&mut self, id: &ObjectId) {
        self.dirty |= self.inputs.remove_secret(id);
    }
}

//! Secrets that an object names, in its own namespace.

use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_snapshot::ObjectId;

use super::{Problem, Resolver};
use crate::compile::names;
use crate::inputs::{NoSecret, Secret};

impl Resolver<'_> {
    /// A Secret of type `kubernetes.io/tls` of the object's own namespace. The problem says why there
    /// is none; its field is empty.
    pub(in super::super) fn secret(&mut self, name: &str) -> Result<Arc<Secret>, Problem> {
        let not_found = |message: String| Problem::new("", Reason::SecretNotFound, message);
        if let Some(message) = names::secret(name) {
            return Err(Problem::new("", Reason::InvalidRule, message));
        }
        let id = ObjectId::new(Arc::clone(&self.object.namespace), name);
        if !self.options.secrets {
            return Err(not_found(format!(
                "Secret {id} is not looked at: the operator has switched off that Secrets are read (--secrets=false)"
            )));
        }
        let found = self.inputs.secret(&id);
        if !self.secrets.iter().any(|(known, _)| *known == id) {
            self.secrets.push((id.clone(), found.clone()));
        }
        found.map_err(|why| {
            not_found(match why {
                NoSecret::NotFound => format!(
                    "there is no Secret {id} of type kubernetes.io/tls: create it, for example with kubectl create secret tls, or correct the name"
                ),
                NoSecret::Refused => format!(
                    "Secret {id} cannot be read: the gateway has no right to list and watch Secrets there; ask the operator for it"
                ),
            })
        })
    }
}

//! The certificate of an object's hosts.

use super::Lowering;

impl Lowering<'_> {
    /// Looks at the Secret that the object names.
    pub(super) fn tls(&mut self) {
        let Some(written) = &self.spec.tls else { return };
        let field = "spec.tls.secretName".to_owned();
        if let Err(problem) = self.resolver.secret(&written.secret_name) {
            self.tell(None, field, problem.reason, problem.message);
        }
    }
}

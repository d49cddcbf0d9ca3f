//! Where a rule forwards: its backends, each resolved and told what is wrong with it.

use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_crds::{BackendRef, RouteRule};
use fairway_snapshot::{Action, Backend, RuleId};

use super::super::diagnostic::{Diagnostic, Severity};
use super::Lowering;

impl Lowering<'_> {
    /// The backends of a rule.
    pub(super) fn forward(&mut self, id: &RuleId, written: &RouteRule, field: &str) -> Action {
        let mut backends = Vec::with_capacity(written.backends.len());
        let mut senseless: Option<String> = None;
        for (index, backend) in written.backends.iter().enumerate() {
            let field = format!("{field}.backends[{index}]");
            match self.resolved(Some(&id.name), backend, &field) {
                Ok(backend) => backends.push(backend),
                Err(message) => {
                    senseless.get_or_insert(message);
                }
            }
        }
        match senseless {
            Some(message) => Action::Invalid { message: message.into() },
            None => {
                self.warn_unused(id, field, &backends);
                Action::Forward(backends)
            }
        }
    }

    /// A backend, or a mirror, which is found as one; what is wrong with it is told. With a
    /// reference that makes no sense, the first of that.
    pub(super) fn resolved(
        &mut self,
        rule: Option<&Arc<str>>,
        written: &BackendRef,
        field: &str,
    ) -> Result<Backend, String> {
        let mut told = Vec::new();
        let resolved = self.resolver.backend(written, |problem| told.push(problem));
        let first = told.first().map(|problem| problem.message.clone());
        self.diagnostics.extend(told.into_iter().map(|problem| Diagnostic {
            object: (*self.object).clone(),
            rule: rule.cloned(),
            field: format!("{field}{}", problem.field),
            reason: problem.reason,
            severity: problem.severity,
            message: problem.message,
        }));
        resolved.ok_or(first.unwrap_or_default())
    }

    fn warn_unused(&mut self, id: &RuleId, field: &str, backends: &[Backend]) {
        if backends.iter().all(|backend| backend.weight() == 0) {
            self.diagnostics.push(Diagnostic {
                object: (*self.object).clone(),
                rule: Some(Arc::clone(&id.name)),
                field: format!("{field}.backends"),
                reason: Reason::NoWeight,
                severity: Severity::Warning,
                message: "every backend has weight 0, so that every request is answered with 503: give one a weight".to_owned(),
            });
        }
    }
}

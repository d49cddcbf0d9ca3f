//! Which certificate a listener shows for which name, when several objects ask for one.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_snapshot::{ListenerName, ObjectId, Resource, ResourceId};

use super::diagnostic::{Diagnostic, Severity};
use super::lower::{Lowered, Shown};

/// What all listeners show.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    pub(super) resources: BTreeMap<ResourceId, Resource>,
    /// Which objects ask in vain; each pair and name once.
    pub(super) taken: Vec<Taken>,
}

/// A name for which two objects have certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    name: Arc<str>,
    /// Whose certificate is not shown.
    loser: ObjectId,
    winner: ObjectId,
}

impl Certificates {
    /// The certificates of a listener by name. Of two for one name that of the older object is shown;
    /// of two of one age, that of the first by name.
    pub(super) fn of(
        &mut self,
        listener: &ListenerName,
        objects: &BTreeMap<ObjectId, Arc<Lowered>>,
    ) -> BTreeMap<Arc<str>, ResourceId> {
        let serves = |lowered: &Lowered| !lowered.routes_of(listener).is_empty();
        let mut asking: Vec<(&ObjectId, &Shown)> = objects
            .iter()
            .filter_map(|(id, lowered)| {
                let shown = lowered.certificate.as_ref()?;
                serves(lowered).then_some((id, shown))
            })
            .collect();
        // Sorted by id already.
        asking.sort_by_key(|(_, shown)| shown.created);
        let mut names: BTreeMap<Arc<str>, (&ObjectId, &Shown)> = BTreeMap::new();
        for (id, shown) in asking {
            for name in &shown.names {
                let (winner, known) = *names.entry(Arc::clone(name)).or_insert((id, shown));
                // Two Secrets may hold the same.
                if known.certificate.chain != shown.certificate.chain {
                    let (name, loser) = (Arc::clone(name), id.clone());
                    let taken = Taken { name, loser, winner: winner.clone() };
                    if !self.taken.contains(&taken) {
                        self.taken.push(taken);
                    }
                }
            }
        }
        let mut shown = BTreeMap::new();
        for (name, (_, one)) in names {
            let certificate = || Resource::Certificate(Arc::clone(&one.certificate));
            self.resources.entry(one.id.clone()).or_insert_with(certificate);
            shown.insert(name, one.id.clone());
        }
        shown
    }
}

impl Taken {
    /// What both objects are told.
    pub(super) fn told(&self) -> [Diagnostic; 2] {
        let Self { name, loser, winner } = self;
        let told = |object: &ObjectId, reason, message| Diagnostic {
            object: object.clone(),
            rule: None,
            field: "spec.tls.secretName".to_owned(),
            reason,
            severity: Severity::Warning,
            message,
        };
        [
            told(
                loser,
                Reason::CertificateNotShown,
                format!(
                    "for {name} the certificate of {winner} is shown, which is older: take the host out of one of them, or name the same certificate"
                ),
            ),
            told(
                winner,
                Reason::TakesFromAnother,
                format!("for {name} its certificate is shown, and not that of {loser}"),
            ),
        ]
    }
}

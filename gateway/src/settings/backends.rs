//! Addresses that replace those of Services: flag over environment over file, for each Service by
//! itself.

use std::collections::BTreeMap;

use fairway_snapshot::{ObjectId, Upstream};

use super::parse::Reader;
use super::source::SourceName;
use super::values;

/// An address that replaces that of a Service, and who said so.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) upstream: Upstream,
    pub(super) source: SourceName,
    /// As it was written.
    pub(super) text: String,
}

impl Reader<'_> {
    /// The override of each Service from the strongest source that has one. Within one source a
    /// Service has one address: nobody could know which of two was meant.
    pub(super) fn backends(&mut self) -> BTreeMap<ObjectId, Override> {
        let mut backends: BTreeMap<ObjectId, Override> = BTreeMap::new();
        for given in &self.raw.backends {
            let (place, text) = (&given.place, &given.text);
            let (id, upstream) = match values::backend(text) {
                Ok(read) => read,
                Err(problem) => {
                    self.mistakes.push(format!("{place}: {problem}"));
                    continue;
                }
            };
            let read = Override { upstream, source: given.source.clone(), text: text.clone() };
            if let Some(other) = backends.get(&id).filter(|other| other.source == given.source) {
                self.mistakes.push(format!(
                    "{place}: {text:?}: Service {id} has an address already, by {:?}: keep one of them",
                    other.text
                ));
            }
            backends.insert(id, read);
        }
        backends
    }
}

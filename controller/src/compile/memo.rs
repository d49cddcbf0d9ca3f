//! What compiling remembers of the last time. It changes the cost, never the result.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_snapshot::{Host, HostPattern, ListenerName, ObjectId};

use super::CompileOptions;
use super::backends::neighbours;
use super::interned::Interned;
use super::lower::{self, Lowered};
use crate::Inputs;
use crate::inputs::{Route, Service};

/// What compiling remembers of the last time: the lowered form of each object and everything that
/// it was made from, and each host and the objects that it was made from.
#[derive(Debug, Default)]
pub struct Memo {
    options: Option<CompileOptions>,
    /// Whether the inputs were kept ones.
    kept: bool,
    objects: BTreeMap<ObjectId, Remembered>,
    hosts: BTreeMap<(ListenerName, HostPattern), RememberedHost>,
    shared: Interned,
    next_hosts: BTreeMap<(ListenerName, HostPattern), RememberedHost>,
}

#[derive(Debug)]
struct Remembered {
    route: Arc<Route>,
    /// Every Service that was asked for, with what was found.
    services: Vec<(ObjectId, Option<Arc<Service>>)>,
    /// Every Service of another namespace, and whether a grant permitted it.
    grants: Vec<(ObjectId, bool)>,
    /// The names of all Services of its namespace, when a message was made from them.
    neighbours: Option<Vec<Arc<str>>>,
    lowered: Arc<Lowered>,
}

#[derive(Debug)]
struct RememberedHost {
    objects: Vec<Arc<Lowered>>,
    host: Arc<Host>,
}

impl Memo {
    /// Forgets everything when the options are others, or inputs that were kept are replaced.
    pub(super) fn begin(&mut self, options: &CompileOptions, kept: bool) {
        if self.options.as_ref() != Some(options) || self.kept != kept {
            self.objects.clear();
            self.hosts.clear();
            self.options = Some(options.clone());
            self.kept = kept;
        }
        self.next_hosts.clear();
    }

    /// The lowered form of an object, from memory when nothing that it was made from differs.
    pub(super) fn lowered(
        &mut self,
        id: &ObjectId,
        route: &Arc<Route>,
        inputs: &Inputs,
        options: &CompileOptions,
    ) -> Arc<Lowered> {
        if let Some(known) = self.objects.get(id)
            && Arc::ptr_eq(&known.route, route)
            && known.services.iter().all(|(id, found)| inputs.services.get(id) == found.as_ref())
            && known.grants.iter().all(|(to, was)| inputs.permitted(&id.namespace, to) == *was)
            && known
                .neighbours
                .as_ref()
                .is_none_or(|names| *names == neighbours(inputs, &id.namespace))
        {
            return Arc::clone(&known.lowered);
        }
        let (lowered, asked) = lower::lower(id, route, inputs, options, &mut self.shared);
        let lowered = Arc::new(lowered);
        let look = |id: &ObjectId| inputs.services.get(id).cloned();
        let remembered = Remembered {
            route: Arc::clone(route),
            services: asked.services.into_iter().map(|id| (id.clone(), look(&id))).collect(),
            grants: asked.grants,
            neighbours: asked.neighbours,
            lowered: Arc::clone(&lowered),
        };
        self.objects.insert(id.clone(), remembered);
        lowered
    }

    /// The host of the last time, when the same objects speak for it; else the one that `make`
    /// makes, or the last one again when its content is equal.
    pub(super) fn host(
        &mut self,
        listener: &ListenerName,
        pattern: &HostPattern,
        objects: Vec<Arc<Lowered>>,
        make: impl FnOnce(&[Arc<Lowered>]) -> Host,
    ) -> Arc<Host> {
        let key = (listener.clone(), pattern.clone());
        let known = self.hosts.remove(&key);
        let host = match known {
            Some(known) if same(&known.objects, &objects) => known.host,
            Some(known) => {
                let made = make(&objects);
                if *known.host == made { known.host } else { Arc::new(made) }
            }
            None => Arc::new(make(&objects)),
        };
        self.next_hosts.insert(key, RememberedHost { objects, host: Arc::clone(&host) });
        host
    }

    /// Forgets what is gone.
    pub(super) fn end(&mut self, objects: &BTreeMap<ObjectId, Arc<Lowered>>) {
        self.objects.retain(|id, _| objects.contains_key(id));
        self.hosts = std::mem::take(&mut self.next_hosts);
        self.shared.forget();
    }
}

fn same(a: &[Arc<Lowered>], b: &[Arc<Lowered>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b))
}

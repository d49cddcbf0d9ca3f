//! Watching EndpointSlices, for as long as some backend wants to know endpoints: in most clusters
//! none does, and there are as many slices as Services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fairway_snapshot::{AddressSets, ObjectId, UpstreamId};
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

use super::guard::{Guarded, Watched};
use super::scope::Scope;
use super::{Pause, config, tell};
use crate::endpoints::{Slice, Slices, Wanted, address_sets};
use crate::event_loop::Compiled;
use crate::inputs::WrittenSlice;
use crate::metrics::{ControllerMetrics, KindLabel};

const KIND: &str = "EndpointSlice";

impl Watched for EndpointSlice {
    type Content = WrittenSlice;
}

type SliceEvent = Event<Guarded<EndpointSlice>>;
type Events = SelectAll<BoxStream<'static, (usize, watcher::Result<SliceEvent>)>>;

/// Tells the endpoints of what is wanted, until nothing is compiled any more.
pub async fn run(
    client: Client,
    namespaces: Vec<String>,
    mut compiled: watch::Receiver<Option<Arc<Compiled>>>,
    told: watch::Sender<Arc<AddressSets>>,
    metrics: ControllerMetrics,
) {
    loop {
        let wants = |compiled: &Option<Arc<Compiled>>| {
            compiled.as_ref().is_some_and(|compiled| !compiled.wanted.is_empty())
        };
        if compiled.wait_for(wants).await.is_err() {
            return;
        }
        tracing::info!("backends want to know endpoints, their slices are watched");
        let mut events = events(&client, &namespaces);
        let mut known = Known::new(&namespaces);
        loop {
            tokio::select! {
                Some((scope, event)) = events.next() => {
                    known.take(scope, event, &metrics);
                    // What is there already belongs to the same step.
                    while let Some(Some((scope, event))) = events.next().now_or_never() {
                        known.take(scope, event, &metrics);
                    }
                }
                changed = compiled.changed() => if changed.is_err() { return },
            }
            let wanted = compiled.borrow_and_update().as_ref().map(|now| Arc::clone(&now.wanted));
            let wanted = wanted.unwrap_or_default();
            if wanted.is_empty() {
                break;
            }
            known.tell(&wanted, &told);
        }
        tracing::info!("no backend wants to know endpoints any more");
        told.send_replace(Arc::default());
    }
}

fn events(client: &Client, namespaces: &[String]) -> Events {
    let mut all = Events::new();
    let scopes: Vec<Option<&String>> =
        if namespaces.is_empty() { vec![None] } else { namespaces.iter().map(Some).collect() };
    for (scope, namespace) in scopes.into_iter().enumerate() {
        let slices: Api<Guarded<EndpointSlice>> = match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let slices = watcher(slices, config()).backoff(Pause::default());
        all.push(slices.map(move |event| (scope, event)).boxed());
    }
    all
}

/// The slices so far.
struct Known {
    slices: Slices,
    /// The Service that each slice belongs to.
    owners: BTreeMap<ObjectId, ObjectId>,
    scopes: Vec<Scope>,
}

impl Known {
    fn new(namespaces: &[String]) -> Self {
        let scopes = Scope::of(namespaces);
        Self { slices: Slices::new(), owners: BTreeMap::new(), scopes }
    }

    fn take(
        &mut self,
        scope: usize,
        event: watcher::Result<SliceEvent>,
        metrics: &ControllerMetrics,
    ) {
        match event {
            Ok(Event::Init) => self.scopes[scope].listing = Some(BTreeSet::new()),
            Ok(Event::InitApply(object) | Event::Apply(object)) => {
                let id = name(&object);
                self.scopes[scope].saw(&id);
                self.remove(&id);
                self.put(id, object);
            }
            Ok(Event::InitDone) => {
                for id in self.scopes[scope].complete(self.owners.keys()) {
                    self.remove(&id);
                }
            }
            Ok(Event::Delete(object)) => {
                self.remove(&name(&object));
            }
            Err(error) => {
                metrics.watch_errors.get_or_create(&KindLabel { kind: KIND }).inc();
                tell(KIND, &error);
            }
        }
    }

    /// A slice that cannot be read, or belongs to nobody, has no endpoints.
    fn put(&mut self, id: ObjectId, object: Guarded<EndpointSlice>) {
        match object.content {
            Ok(written) => {
                let slice = Slice::from(*written);
                let Some(service) = &slice.service else { return };
                let owner = ObjectId::new(Arc::clone(&id.namespace), Arc::clone(service));
                let beside = self.slices.entry(owner.clone()).or_default();
                beside.insert(Arc::clone(&id.name), slice);
                self.owners.insert(id, owner);
            }
            Err(raw) => {
                tracing::warn!(slice = %id, error = %raw.error, "endpoint slice not readable");
            }
        }
    }

    fn remove(&mut self, id: &ObjectId) {
        let Some(owner) = self.owners.remove(id) else { return };
        if let Some(beside) = self.slices.get_mut(&owner) {
            beside.remove(&id.name);
            if beside.is_empty() {
                self.slices.remove(&owner);
            }
        }
    }

    /// Tells the endpoints, once all slices are known: a part of them would look like too few.
    fn tell(&self, wanted: &BTreeMap<UpstreamId, Wanted>, told: &watch::Sender<Arc<AddressSets>>) {
        if !self.scopes.iter().all(|scope| scope.ready) {
            return;
        }
        let sets = address_sets(wanted, &self.slices, &told.borrow());
        told.send_if_modified(|before| {
            let differs = **before != sets;
            *before = Arc::new(sets);
            differs
        });
    }
}

fn name(object: &Guarded<EndpointSlice>) -> ObjectId {
    ObjectId::new(
        object.metadata.namespace.as_deref().unwrap_or_default(),
        object.metadata.name.as_deref().unwrap_or_default(),
    )
}

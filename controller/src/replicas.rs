//! The other replicas of this class, by what they report of themselves.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fairway_crds::{GatewayReplica, GatewayReplicaSpec};
use fairway_snapshot::ObjectId;
use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::metrics::{ControllerMetrics, KindLabel};
use crate::pod::Pod;
use crate::versions::{Need, covers};
use crate::watch::{Guarded, Pause, tell};

/// How long a replica counts as alive after its report changed. It reports every ten seconds.
pub const ALIVE: Duration = Duration::from_secs(30);
/// How many replicas and no more a message names.
const NAMED: usize = 3;

/// The other replicas that are ready and alive, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replicas(pub BTreeMap<String, GatewayReplicaSpec>);

impl Replicas {
    /// Who does not serve an object as it is, as a message; `None` when everybody does. An object
    /// of which we cannot serve all ourselves (`good` is false) need not be good elsewhere.
    #[must_use]
    pub fn waiting_for(&self, id: &ObjectId, needs: &[Need], good: bool) -> Option<String> {
        let lacks = self.0.iter().filter_map(|(name, report)| {
            let detail = if !has_seen(report, needs) {
                String::new()
            } else if let Some(problem) = &report.problem {
                format!(" ({problem})")
            } else {
                let object = id.to_string();
                let failed = report.failed.iter().find(|failed| failed.object == object);
                format!(" (it cannot serve it: {})", failed.filter(|_| good)?.message)
            };
            Some(format!("{name}{detail}"))
        });
        let lacks: Vec<String> = lacks.collect();
        if lacks.is_empty() {
            return None;
        }
        let all = self.0.len() + 1;
        let more = match lacks.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named = lacks[..lacks.len().min(NAMED)].join(", ");
        Some(format!(
            "applied by {} of {all} replicas: waiting for {named}{more}",
            all - lacks.len()
        ))
    }
}

/// Whether what a replica serves holds these versions. One that cannot be compared counts as held.
fn has_seen(report: &GatewayReplicaSpec, needs: &[Need]) -> bool {
    needs.iter().all(|need| {
        let own = report.applied.get(&format!("{}/{}", need.namespace, need.kind));
        own.or_else(|| report.applied.get(need.kind))
            .is_some_and(|seen| covers(seen, &need.version) != Some(false))
    })
}

/// What was heard of the others, and when by our own clock.
#[derive(Debug, Default)]
struct Heard {
    all: BTreeMap<String, (GatewayReplicaSpec, Instant)>,
    /// The names of the list that is being fetched.
    listing: Option<BTreeSet<String>>,
}

impl Heard {
    fn take(&mut self, event: Event<Guarded<GatewayReplica>>, now: Instant) {
        match event {
            Event::Init => self.listing = Some(BTreeSet::new()),
            Event::InitDone => {
                if let Some(listed) = self.listing.take() {
                    self.all.retain(|name, _| listed.contains(name));
                }
            }
            Event::Delete(object) => {
                self.all.remove(&object.name_any());
            }
            Event::InitApply(object) | Event::Apply(object) => {
                let name = object.name_any();
                if let Some(listing) = &mut self.listing {
                    listing.insert(name.clone());
                }
                // A report that cannot be read is of a version that has other ones.
                let Ok(content) = object.content else { return };
                if self.all.get(&name).is_none_or(|(known, _)| *known != content.spec) {
                    self.all.insert(name, (content.spec, now));
                }
            }
        }
    }

    /// Nobody can be heard now, so that silence says nothing.
    fn deaf(&mut self, now: Instant) {
        for (_, heard) in self.all.values_mut() {
            *heard = now;
        }
    }

    /// Those of a class that are ready and alive, without their heartbeat.
    fn alive(&self, class: &str, own: &str, now: Instant) -> Replicas {
        let alive = self.all.iter().filter(|(name, (report, heard))| {
            report.class == class && report.ready && *name != own && now < *heard + ALIVE
        });
        let still =
            |report: &GatewayReplicaSpec| GatewayReplicaSpec { renewed: None, ..report.clone() };
        Replicas(alive.map(|(name, (report, _))| (name.clone(), still(report))).collect())
    }

    /// When the next one stops to count as alive.
    fn next_end(&self, now: Instant) -> Option<Instant> {
        self.all.values().map(|(_, heard)| *heard + ALIVE).filter(|end| *end > now).min()
    }
}

/// Watches the reports of a class until nobody asks for them.
pub async fn run(
    client: Client,
    pod: Pod,
    class: String,
    replicas: watch::Sender<Arc<Replicas>>,
    metrics: ControllerMetrics,
) {
    const KIND: &str = "GatewayReplica";
    let api: Api<Guarded<GatewayReplica>> = Api::namespaced(client, &pod.namespace);
    let mut events = watcher(api, watcher::Config::default()).backoff(Pause::default()).boxed();
    let mut heard = Heard::default();
    loop {
        let now = Instant::now();
        let end = heard.next_end(now).unwrap_or_else(|| now + Duration::from_secs(3600));
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => heard.take(event, Instant::now()),
                Some(Err(error)) => {
                    metrics.watch_errors.get_or_create(&KindLabel { kind: KIND }).inc();
                    tell(KIND, &error);
                    heard.deaf(Instant::now());
                }
                None => return,
            },
            () = sleep_until(end) => {}
            () = replicas.closed() => return,
        }
        if heard.listing.is_some() {
            continue;
        }
        let alive = heard.alive(&class, &pod.name, Instant::now());
        replicas.send_if_modified(|known| {
            let differs = **known != alive;
            if differs {
                *known = Arc::new(alive);
            }
            differs
        });
    }
}

//! Watching the API server: every ServiceRoute, every Service, every ReferenceGrant, every Secret of
//! type `kubernetes.io/tls` and every ConfigMap with certificates of authorities, kept as one value.
//!
//! A watch survives anything: objects that cannot be read, lost connections, an expired history.
//! Nothing is told before every watch has its first complete list, and a list that is fetched
//! again replaces the old one at once, so that no route is lost or left over in between.

mod bundles;
pub mod endpoints;
mod grants;
mod guard;
mod kinds;
mod observed;
mod progress;
mod scope;
mod secrets;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use fairway_crds::ServiceRoute;
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Service;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, utils::Backoff};
use kube::{Api, Client};
use tokio::sync::watch;

use crate::Inputs;
use crate::metrics::{ControllerMetrics, KindLabel};
use bundles::BundleEvent;
use grants::GrantEvent;
pub(crate) use guard::Guarded;
pub use observed::{Observed, ObservedObjects};
use secrets::SecretEvent;
use store::Store;

/// The longest pause between two attempts to watch.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// Objects in one page of a list.
const PAGE: u32 = 100;

/// An event of any kind.
#[derive(Debug)]
enum Change {
    Route(usize, Event<Guarded<ServiceRoute>>),
    Service(usize, Event<Guarded<Service>>),
    Grant(usize, GrantEvent),
    Secret(usize, SecretEvent),
    Bundle(usize, BundleEvent),
}

type Changes = SelectAll<BoxStream<'static, Result<Change, (&'static str, watcher::Error)>>>;

/// What of a cluster is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// In which namespaces; none is the whole cluster.
    pub namespaces: Vec<String>,
    /// Whether Secrets are; the right to read them is asked for nothing else.
    pub secrets: bool,
}

/// Watches until the receiver of inputs is gone.
pub async fn run(
    client: Client,
    watched: Watched,
    inputs: watch::Sender<Option<Arc<Inputs>>>,
    observed: Arc<ObservedObjects>,
    metrics: ControllerMetrics,
) {
    let mut changes = changes(&client, &watched);
    let mut store = Store::new(&watched, observed);
    loop {
        let next = tokio::select! {
            next = changes.next() => next,
            () = inputs.closed() => return,
        };
        let Some(first) = next else { return };
        take(&mut store, first, &metrics);
        // What is there already belongs to the same step.
        while let Some(Some(more)) = changes.next().now_or_never() {
            take(&mut store, more, &metrics);
        }
        if let Some(world) = store.changed() {
            inputs.send_replace(Some(world));
        }
    }
}

fn take(
    store: &mut Store,
    change: Result<Change, (&'static str, watcher::Error)>,
    metrics: &ControllerMetrics,
) {
    match change {
        Ok(Change::Route(scope, event)) => store.route(scope, event),
        Ok(Change::Service(scope, event)) => store.service(scope, event),
        Ok(Change::Grant(scope, event)) => store.grant(scope, event),
        Ok(Change::Secret(scope, event)) => store.secret(scope, event),
        Ok(Change::Bundle(scope, event)) => store.bundle(scope, event),
        Err((kind, error)) => {
            metrics.watch_errors.get_or_create(&KindLabel { kind }).inc();
            tell(kind, &error);
        }
    }
}

pub(crate) fn tell(kind: &'static str, error: &watcher::Error) {
    let missing = matches!(
        error,
        watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 404
    );
    if missing {
        tracing::error!(
            kind,
            "kind not known to the API server; install it: fairway crds | kubectl apply -f -"
        );
    } else {
        tracing::warn!(kind, %error, "watch failed, trying again");
    }
}

/// Lists come in small pages: what is read of a page is little, but its text is not.
fn config() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

/// The streams of all watches: for each kind one scope, or one for each namespace.
fn changes(client: &Client, watched: &Watched) -> Changes {
    let mut all: Changes = SelectAll::new();
    let namespaces = &watched.namespaces;
    let scopes: Vec<Option<&str>> = if namespaces.is_empty() {
        vec![None]
    } else {
        namespaces.iter().map(|namespace| Some(namespace.as_str())).collect()
    };
    for (scope, namespace) in scopes.iter().enumerate() {
        let routes: Api<Guarded<ServiceRoute>> = match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let services: Api<Guarded<Service>> = match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let routes =
            watcher(routes, config()).backoff(Pause::default()).map(move |event| match event {
                Ok(event) => Ok(Change::Route(scope, event)),
                Err(error) => Err(("ServiceRoute", error)),
            });
        let services =
            watcher(services, config()).backoff(Pause::default()).map(move |event| match event {
                Ok(event) => Ok(Change::Service(scope, event)),
                Err(error) => Err(("Service", error)),
            });
        let grants = grants::grants(client, *namespace).map(move |event| match event {
            Ok(event) => Ok(Change::Grant(scope, event)),
            Err(error) => Err(("ReferenceGrant", error)),
        });
        if watched.secrets {
            let secrets = secrets::secrets(client, *namespace).map(move |event| match event {
                Ok(event) => Ok(Change::Secret(scope, event)),
                Err(error) => Err(("Secret", error)),
            });
            all.push(secrets.boxed());
        }
        let bundles = bundles::bundles(client, *namespace).map(move |event| match event {
            Ok(event) => Ok(Change::Bundle(scope, event)),
            Err(error) => Err(("ConfigMap", error)),
        });
        all.push(bundles.boxed());
        all.push(grants.boxed());
        all.push(routes.boxed());
        all.push(services.boxed());
    }
    all
}

/// Exponential pauses with jitter, never longer than a second: an API server that is back must be
/// seen at once, and one installation is few clients.
#[derive(Debug)]
pub(crate) struct Pause {
    next: Duration,
}

impl Default for Pause {
    fn default() -> Self {
        Self { next: SHORTEST_PAUSE }
    }
}

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.next;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        Some(pause.mul_f64(0.5 + fastrand::f64() / 2.0))
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {
        self.next = SHORTEST_PAUSE;
    }
}

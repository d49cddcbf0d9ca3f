//! ConfigMaps with certificates of authorities are watched by their label: a cluster has thousands of
//! others, of up to a megabyte each, and none of those is sent to us.

use futures::stream::{Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};

use super::grants::code;
use super::guard::{Guarded, Watched};
use super::{Pause, config};
use crate::inputs::{CA_LABEL, WrittenConfigMap};

/// What becomes known of ConfigMaps.
#[derive(Debug)]
pub(super) enum BundleEvent {
    /// The watch told something.
    Told(Box<Event<Guarded<ConfigMap>>>),
    /// We may not read them.
    Refused,
}

impl Watched for ConfigMap {
    type Content = WrittenConfigMap;
}

/// Everything that becomes known of them in a namespace, or in all of them.
pub(super) fn bundles(
    client: &Client,
    namespace: Option<&str>,
) -> impl Stream<Item = watcher::Result<BundleEvent>> + Send + 'static {
    let api: Api<Guarded<ConfigMap>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let (label, value) = CA_LABEL;
    let config = config().labels(&format!("{label}={value}"));
    watcher(api, config).backoff(Pause::default()).map(|told| match told {
        Ok(event) => Ok(BundleEvent::Told(Box::new(event))),
        // An installation whose rights are of an older version serves all the same.
        Err(error) if code(&error) == Some(403) => Ok(BundleEvent::Refused),
        Err(error) => Err(error),
    })
}

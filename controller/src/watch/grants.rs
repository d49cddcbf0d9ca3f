//! ReferenceGrants are watched only where their kind exists: it belongs to the Gateway API, which
//! a cluster may have, get later, or lose.
//!
//! Whether it exists is asked of the API server's own list of kinds, which everybody may read. That
//! is one small answer every few seconds, and no right to read CustomResourceDefinitions.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicResourceScope;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};

use super::guard::{Guarded, Watched};
use super::{Pause, config};
use crate::inputs::WrittenGrant;

const GROUP: &str = "gateway.networking.k8s.io";
/// The versions that mean the same to us, the better one first.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];
/// How often the API server is asked whether the kind is there now.
const ASK: Duration = Duration::from_secs(2);
/// A kind that was there counts as gone when it was missing for so long: an API server that has
/// just started may not know its kinds yet, and grants must not be lost meanwhile. Grants of a
/// kind that is removed are removed one by one before, which the watch tells at once.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// What becomes known of grants.
#[derive(Debug)]
pub(super) enum GrantEvent {
    /// The watch told something.
    Told(Box<Event<Guarded<ReferenceGrant>>>),
    /// There are none: the kind is not there, or we may not read it.
    None,
}

/// The kind, in one of its versions.
#[derive(Clone, Debug)]
pub(crate) enum ReferenceGrant {}

impl Watched for ReferenceGrant {
    type Content = WrittenGrant;
}

impl Resource for ReferenceGrant {
    /// The version.
    type DynamicType = &'static str;
    type Scope = DynamicResourceScope;

    fn kind(_: &Self::DynamicType) -> Cow<'_, str> {
        "ReferenceGrant".into()
    }

    fn group(_: &Self::DynamicType) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version(version: &Self::DynamicType) -> Cow<'_, str> {
        (*version).into()
    }

    fn plural(_: &Self::DynamicType) -> Cow<'_, str> {
        "referencegrants".into()
    }

    fn meta(&self) -> &ObjectMeta {
        match *self {}
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match *self {}
    }
}

type Told = BoxStream<'static, watcher::Result<Event<Guarded<ReferenceGrant>>>>;

/// The watch of one scope, whether its kind is there or not.
struct Grants {
    client: Client,
    namespace: Option<String>,
    /// The watch, while the kind is there.
    told: Option<Told>,
    /// Since when the kind is missing.
    missing: Option<Instant>,
    /// Whether nothing was told yet, so that nothing can be lost.
    fresh: bool,
    /// Whether it was told that there are none, and nothing since.
    none: bool,
    pause: Pause,
}

/// Everything that becomes known of grants in a namespace, or in all of them.
pub(super) fn grants(
    client: &Client,
    namespace: Option<&str>,
) -> impl Stream<Item = watcher::Result<GrantEvent>> + Send + 'static {
    let grants = Grants {
        client: client.clone(),
        namespace: namespace.map(str::to_owned),
        told: None,
        missing: None,
        fresh: true,
        none: false,
        pause: Pause::default(),
    };
    futures::stream::unfold(grants, |mut grants| async {
        let next = grants.next().await;
        Some((next, grants))
    })
}

impl Grants {
    async fn next(&mut self) -> watcher::Result<GrantEvent> {
        loop {
            if let Some(told) = &mut self.told {
                match told.next().await {
                    Some(Ok(event)) => {
                        (self.missing, self.fresh, self.none) = (None, false, false);
                        return Ok(GrantEvent::Told(Box::new(event)));
                    }
                    Some(Err(error)) => match code(&error) {
                        Some(404) => self.told = None,
                        Some(403) if !self.none => {
                            self.none = true;
                            tracing::warn!(%error, "reference grants may not be read, none is known");
                            return Ok(GrantEvent::None);
                        }
                        _ => return Err(error),
                    },
                    None => self.told = None,
                }
            }
            match served(&self.client).await {
                Ok(Some(version)) => self.told = Some(self.watch(version)),
                Ok(None) => {
                    let since = *self.missing.get_or_insert_with(Instant::now);
                    if !self.none && (self.fresh || since.elapsed() >= GONE_AFTER) {
                        self.none = true;
                        return Ok(GrantEvent::None);
                    }
                    tokio::time::sleep(ASK).await;
                }
                Err(error) => {
                    let pause = self.pause.next().unwrap_or(ASK);
                    tokio::time::sleep(pause).await;
                    return Err(watcher::Error::InitialListFailed(error));
                }
            }
        }
    }

    fn watch(&self, version: &'static str) -> Told {
        let api: Api<Guarded<ReferenceGrant>> = match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &version),
            None => Api::all_with(self.client.clone(), &version),
        };
        watcher(api, config()).backoff(Pause::default()).boxed()
    }
}

/// The version in which the kind is there.
async fn served(client: &Client) -> kube::Result<Option<&'static str>> {
    for version in VERSIONS {
        let group = format!("{GROUP}/{version}");
        match client.list_api_group_resources(&group).await {
            Ok(list) if list.resources.iter().any(|known| known.name == "referencegrants") => {
                return Ok(Some(version));
            }
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// What the API server said, when it said no.
pub(super) fn code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => Some(status.code),
        _ => None,
    }
}

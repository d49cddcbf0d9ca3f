//! Secrets of type `kubernetes.io/tls` are watched, and no others: what is not asked for is never in
//! our memory. An API server that does not let us read them must not keep everything else from being
//! served.

use std::time::Duration;

use futures::stream::{BoxStream, Stream, StreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};

use super::grants::code;
use super::guard::Guarded;
use super::{Pause, config};
use crate::inputs::SECRET_TYPE;

/// How long it is waited before Secrets that may not be read are asked for again: whoever gives the
/// right to read them need not restart us for it.
const ASK: Duration = Duration::from_secs(10);

/// What becomes known of Secrets.
#[derive(Debug)]
pub(super) enum SecretEvent {
    /// The watch told something.
    Told(Box<Event<Guarded<Secret>>>),
    /// We may not read them.
    Refused,
}

type Told = BoxStream<'static, watcher::Result<Event<Guarded<Secret>>>>;

/// Everything that becomes known of Secrets in a namespace, or in all of them.
pub(super) fn secrets(
    client: &Client,
    namespace: Option<&str>,
) -> impl Stream<Item = watcher::Result<SecretEvent>> + Send + 'static {
    let api: Api<Guarded<Secret>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let config = config().fields(&format!("type={SECRET_TYPE}"));
    let told = watcher(api, config).backoff(Pause::default()).boxed();
    futures::stream::unfold((told, false), |(mut told, mut refused)| async move {
        let next = next(&mut told, &mut refused).await?;
        Some((next, (told, refused)))
    })
}

async fn next(told: &mut Told, refused: &mut bool) -> Option<watcher::Result<SecretEvent>> {
    loop {
        match told.next().await? {
            Ok(event) => {
                // A list begins before it is known whether it may be read.
                *refused &= matches!(event, Event::Init);
                return Some(Ok(SecretEvent::Told(Box::new(event))));
            }
            Err(error) if code(&error) == Some(403) => {
                if !std::mem::replace(refused, true) {
                    tracing::warn!(%error, "secrets may not be read, routes with tls have no certificate of theirs");
                    return Some(Ok(SecretEvent::Refused));
                }
                tokio::time::sleep(ASK).await;
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

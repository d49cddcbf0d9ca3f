//! The task that keeps one name fresh: it asks when the time to live ends and the name is used.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::net::NetError;

use hickory_resolver::lookup_ip::LookupIp;

use super::{Discovery, EndpointSet, EndpointState, Endpoints, STALE_WAIT};

/// A time to live below this would ask for every request.
const SHORTEST: Duration = Duration::from_secs(1);
/// A time to live above this would keep an address that may be gone for too long.
const LONGEST: Duration = Duration::from_secs(300);
/// How soon a question that failed is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The server says that a name is gone; for so long that may be a server that has just started,
/// and the last good addresses stay.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// Asks for `name` for as long as the task lives.
pub(super) async fn keep_fresh(discovery: Arc<Discovery>, name: Arc<str>, set: Arc<EndpointSet>) {
    let mut gone_since: Option<Instant> = None;
    let mut doubtful = false;
    loop {
        set.used.store(false, Relaxed);
        let answer = unpark_in_time(&set, ask(&discovery, &name, doubtful)).await;
        doubtful = answer.is_err();
        let failed = usize::from(answer.is_err());
        discovery.metrics.lookups[failed].fetch_add(1, Relaxed);
        let pause = match answer {
            Ok(found) => {
                gone_since = None;
                let endpoints = set.found(found.iter(), &discovery.allowed);
                if let EndpointState::Refused { message } = &endpoints.state {
                    tracing::warn!(%name, %message, "addresses of a backend are not allowed");
                }
                set.publish(endpoints);
                found.valid_until().saturating_duration_since(Instant::now())
            }
            Err(error) => {
                tracing::debug!(%name, %error, "name not resolved");
                failure(&set, &error, &mut gone_since);
                AFTER_FAILURE
            }
        };
        tokio::time::sleep(pause.clamp(SHORTEST, LONGEST)).await;
        if !set.used.load(Relaxed) {
            // Nobody asked for it meanwhile: the next who does wakes us, and waits a little.
            set.parked.store(true, Relaxed);
            set.wake.notified().await;
        }
    }
}

/// Asks for the addresses of a name: those of the first family that has any. That a name has none
/// of a family must be said by a server; no answer at all is a failure, whatever the other family
/// has, for else the addresses that serve would be given up for some that may lead nowhere.
async fn ask(discovery: &Discovery, name: &str, doubtful: bool) -> Result<LookupIp, NetError> {
    let permits = if doubtful { &discovery.doubtful } else { &discovery.permits };
    // The semaphore is never closed; without a permit the question is asked all the same.
    let _permit = permits.acquire().await;
    let [v4, v6] = &discovery.resolvers;
    match v4.lookup_ip(name).await {
        Err(error) if error.is_no_records_found() => v6.lookup_ip(name).await,
        answer => answer,
    }
}

/// Requests that woke a name wait for its answer, but not for one that does not come: then they go
/// on with the last good addresses.
async fn unpark_in_time<T>(set: &EndpointSet, answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    if let Ok(answer) = tokio::time::timeout(STALE_WAIT, &mut answer).await {
        return answer;
    }
    set.parked.store(false, Relaxed);
    answer.await
}

/// Keeps the last good addresses, unless the server has said for a while that there are none.
fn failure(set: &EndpointSet, error: &NetError, gone_since: &mut Option<Instant>) {
    let message = error.to_string();
    let empty = error.is_no_records_found();
    let current = set.current.load();
    let gone = if empty {
        gone_since.get_or_insert_with(Instant::now).elapsed() >= GONE_AFTER
    } else {
        *gone_since = None;
        false
    };
    let endpoints = if current.addresses.is_empty() || gone {
        Endpoints { addresses: Vec::new(), state: EndpointState::Failed { message, empty } }
    } else {
        let since = match &current.state {
            EndpointState::LastGood { since, .. } => *since,
            _ => SystemTime::now(),
        };
        let state = EndpointState::LastGood { since, message };
        Endpoints { addresses: current.addresses.clone(), state }
    };
    set.publish(endpoints);
}

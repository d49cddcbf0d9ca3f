//! The connections of a worker to backends of HTTP/2: requests share them, and another one is opened
//! when all are full. Requests that come while one is being opened wait for that one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::{Http2Connection, handshake};
use crate::error::ProxyError;
use crate::upstream::UpstreamRuntime;
use crate::upstream::connect::open;
use crate::upstream::discovery::EndpointSet;
use crate::upstream::pool::MAX_AGE;

/// Open connections, and those that are being opened.
#[derive(Default)]
pub(crate) struct Http2Pool {
    by_endpoint: RefCell<HashMap<(u64, SocketAddr), Vec<Slot>, foldhash::fast::RandomState>>,
}

/// A connection, once it is open.
#[derive(Clone)]
struct Slot {
    connection: Rc<OnceCell<Rc<Http2Connection>>>,
    endpoints: Arc<EndpointSet>,
}

impl Http2Pool {
    /// A connection with room, or a new one, which `count` is told of; `fresh` asks for a new one.
    pub(crate) async fn take(
        &self,
        upstream: &UpstreamRuntime,
        endpoint: SocketAddr,
        limit: Option<Duration>,
        fresh: bool,
        count: impl Fn(Option<ProxyError>),
    ) -> Result<Rc<Http2Connection>, ProxyError> {
        let key = (upstream.number, endpoint);
        let slot = {
            let mut all = self.by_endpoint.borrow_mut();
            let slots = all.entry(key).or_default();
            let known = slots.iter().filter(|_| !fresh).find(|slot| slot.has_room());
            known.cloned().unwrap_or_else(|| {
                let endpoints = Arc::clone(&upstream.endpoints);
                let slot = Slot { connection: Rc::default(), endpoints };
                slots.push(slot.clone());
                slot
            })
        };
        let open = || async {
            let opened = async { handshake(open(endpoint, limit).await?).await }.await;
            count(opened.as_ref().err().copied());
            opened
        };
        let opened = slot.connection.get_or_try_init(open).await.cloned();
        if opened.is_err() {
            self.forget(key, &slot);
        }
        opened
    }

    fn forget(&self, key: (u64, SocketAddr), gone: &Slot) {
        if let Some(slots) = self.by_endpoint.borrow_mut().get_mut(&key) {
            slots.retain(|slot| !Rc::ptr_eq(&slot.connection, &gone.connection));
        }
    }

    /// Lets go of connections that are closed, idle for longer than `idle`, old, or lead to an endpoint
    /// that is gone. What goes over them goes on.
    pub(crate) fn sweep(&self, now: Instant, idle: Duration) {
        self.by_endpoint.borrow_mut().retain(|(_, endpoint), slots| {
            slots.retain(|slot| {
                // One that is being opened is held by who opens it, or by nobody.
                let Some(connection) = slot.connection.get() else {
                    return Rc::strong_count(&slot.connection) > 1;
                };
                let idle = connection.streams.get() == 0
                    && now.saturating_duration_since(connection.idle_since.get()) > idle;
                let old = now.saturating_duration_since(connection.opened) > MAX_AGE;
                !idle && !old && !connection.closed.get() && slot.endpoints.holds(*endpoint)
            });
            !slots.is_empty()
        });
    }
}

impl Slot {
    /// Whether one more request can go over it, or wait for it.
    fn has_room(&self) -> bool {
        self.connection.get().is_none_or(|connection| connection.has_room())
    }
}

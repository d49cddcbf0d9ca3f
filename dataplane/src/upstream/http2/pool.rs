//! The connections of a worker to backends of HTTP/2: requests share them, and another one is opened
//! when all are full. Requests that come while one is being opened wait for it, as many as it will
//! probably take. A backend that chooses HTTP/1.1 when it is asked is remembered.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fairway_snapshot::Speaks;
use tokio::sync::Notify;

use super::{Http2Connection, MAX_STREAMS};
use crate::error::ProxyError;
use crate::upstream::connect::{Opened, Opening, UpstreamConnection};
use crate::upstream::discovery::EndpointSet;
use crate::upstream::pool::MAX_AGE;
use crate::worker::spawn;

/// How often a request looks for a connection, when others took the room that it waited for.
const TRIES: usize = 8;

type Key = (u64, SocketAddr);

/// Open connections, and those that are being opened.
#[derive(Default)]
pub(crate) struct Http2Pool {
    by_endpoint: RefCell<HashMap<Key, Endpoint, foldhash::fast::RandomState>>,
}

/// What is known of an endpoint.
struct Endpoint {
    slots: Vec<Rc<Slot>>,
    endpoints: Arc<EndpointSet>,
    /// How many streams its last connection took at once.
    streams: usize,
    /// When it was last found to have chosen HTTP/1.1.
    http1: Option<Instant>,
}

/// A connection, once it is open.
#[derive(Default)]
struct Slot {
    state: RefCell<State>,
    settled: Notify,
    /// Requests that wait for it.
    waiting: Cell<usize>,
}

#[derive(Default)]
enum State {
    #[default]
    Opening,
    Open(Rc<Http2Connection>),
    /// HTTP/1.1 was chosen; whoever comes first gets the connection.
    Http1(Option<Box<UpstreamConnection>>),
    Failed(ProxyError),
}

/// What a request gets.
pub(crate) enum Taken {
    /// A connection that it shares with others.
    Shared(Rc<Http2Connection>),
    /// The endpoint speaks HTTP/1.1: one of its own, or none that is open.
    Own(Option<Box<UpstreamConnection>>),
}

/// A request that waits.
struct Waiting<'s>(&'s Slot);

impl Http2Pool {
    /// A connection with room, or a new one; `fresh` asks for a new one.
    pub(crate) async fn take(&self, opening: Opening, fresh: bool) -> Result<Taken, ProxyError> {
        let key = (opening.upstream, opening.endpoint);
        let opening = Rc::new(opening);
        for _ in 0..TRIES {
            let Some(slot) = self.slot(key, &opening, fresh) else { return Ok(Taken::Own(None)) };
            slot.wait().await;
            let mut all = self.by_endpoint.borrow_mut();
            let known = all.get_mut(&key);
            match &mut *slot.state.borrow_mut() {
                State::Open(connection) => {
                    if let Some(known) = known {
                        known.streams = connection.most_streams();
                        known.http1 = None;
                    }
                    if connection.has_room() {
                        return Ok(Taken::Shared(Rc::clone(connection)));
                    }
                    // Another one would fare alike.
                    if connection.closed.get() {
                        return Err(ProxyError::UpstreamReset);
                    }
                }
                State::Http1(first) => {
                    if let Some(known) = known {
                        known.forget(&slot);
                        known.http1 = Some(Instant::now());
                    }
                    return Ok(Taken::Own(first.take()));
                }
                State::Failed(error) => {
                    if let Some(known) = known {
                        known.forget(&slot);
                    }
                    return Err(*error);
                }
                State::Opening => {}
            }
        }
        Err(ProxyError::UpstreamReset)
    }

    /// A connection with room or one that is being opened; none where HTTP/1.1 will be chosen.
    fn slot(&self, key: Key, opening: &Rc<Opening>, fresh: bool) -> Option<Rc<Slot>> {
        let mut all = self.by_endpoint.borrow_mut();
        let known = all.entry(key).or_insert_with(|| Endpoint::new(&opening.endpoints));
        if let Some(at) = known.http1.as_mut().filter(|_| opening.offers == Speaks::Either) {
            *at = Instant::now();
            return None;
        }
        let most = known.streams;
        let found = known.slots.iter().find(|slot| slot.has_room(most, fresh)).cloned();
        Some(found.unwrap_or_else(|| {
            let slot = Rc::<Slot>::default();
            known.slots.push(Rc::clone(&slot));
            let (opens, opening) = (Rc::clone(&slot), Rc::clone(opening));
            // A task of its own: whoever asked for it first may leave, and others wait for it.
            spawn(async move { opens.settle(opening.run().await) });
            slot
        }))
    }

    /// Keeps a connection over which HTTP/2 was chosen although HTTP/1.1 was expected.
    pub(crate) fn adopt(&self, opening: &Opening, connection: &Rc<Http2Connection>) {
        let mut all = self.by_endpoint.borrow_mut();
        let key = (opening.upstream, opening.endpoint);
        let known = all.entry(key).or_insert_with(|| Endpoint::new(&opening.endpoints));
        let slot = Slot::default();
        slot.state.replace(State::Open(Rc::clone(connection)));
        known.slots.push(Rc::new(slot));
        known.http1 = None;
    }

    /// Lets go of connections that are closed, idle for longer than `idle`, old, or lead to an endpoint
    /// that is gone. What goes over them goes on.
    pub(crate) fn sweep(&self, now: Instant, idle: Duration) {
        let long_ago = |then: Instant| now.saturating_duration_since(then) > idle;
        self.by_endpoint.borrow_mut().retain(|(_, endpoint), known| {
            let current = known.endpoints.holds(*endpoint);
            known.slots.retain(|slot| match &*slot.state.borrow() {
                State::Opening => true,
                State::Http1(_) | State::Failed(_) => false,
                State::Open(connection) => {
                    let idle =
                        connection.streams.get() == 0 && long_ago(connection.idle_since.get());
                    let old = now.saturating_duration_since(connection.opened) > MAX_AGE;
                    !idle && !old && !connection.closed.get() && current
                }
            });
            known.http1.take_if(|at| long_ago(*at) || !current);
            !known.slots.is_empty() || known.http1.is_some()
        });
    }
}

// === impl Endpoint ===

impl Endpoint {
    fn new(endpoints: &Arc<EndpointSet>) -> Self {
        let endpoints = Arc::clone(endpoints);
        Self { slots: Vec::new(), endpoints, streams: MAX_STREAMS, http1: None }
    }

    fn forget(&mut self, gone: &Rc<Slot>) {
        self.slots.retain(|slot| !Rc::ptr_eq(slot, gone));
    }
}

// === impl Slot ===

impl Slot {
    /// Whether one more request can go over it, or wait for it. One that is being opened is fresh.
    fn has_room(&self, most: usize, fresh: bool) -> bool {
        match &*self.state.borrow() {
            State::Opening => self.waiting.get() < most,
            State::Open(connection) => !fresh && connection.has_room(),
            State::Http1(_) | State::Failed(_) => false,
        }
    }

    fn settle(&self, opened: Result<Opened, ProxyError>) {
        self.state.replace(match opened {
            Ok(Opened::Http2(connection)) => State::Open(connection),
            Ok(Opened::Http1(connection)) => State::Http1(Some(connection)),
            Err(error) => State::Failed(error),
        });
        self.settled.notify_waiters();
    }

    async fn wait(&self) {
        let settled = self.settled.notified();
        if matches!(*self.state.borrow(), State::Opening) {
            let _waiting = Waiting::begin(self);
            settled.await;
        }
    }
}

// === impl Waiting ===

impl<'s> Waiting<'s> {
    fn begin(slot: &'s Slot) -> Self {
        slot.waiting.set(slot.waiting.get() + 1);
        Self(slot)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

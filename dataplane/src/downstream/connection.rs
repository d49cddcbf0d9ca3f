//! A connection as its requests know it: whose it is, and what may still happen on it.

use std::cell::{Cell, OnceCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fairway_snapshot::ListenerName;

use super::Entrance;
use super::announced::Announced;
use crate::forwarded::Forwarded;
use crate::tls::Shown;
use crate::worker::Worker;

/// A client's connection.
pub(crate) struct ClientConnection {
    pub(crate) peer: SocketAddr,
    pub(crate) listener: ListenerName,
    pub(crate) forwarded: Forwarded,
    /// Whether the peer's word about the client behind it is taken.
    pub(crate) trusted: bool,
    /// The certificate that the client was shown, once TLS has begun.
    pub(super) shown: OnceCell<Shown>,
    pub(super) state: Cell<State>,
    pub(super) linger: Cell<bool>,
    /// How many requests it may still carry, where that is limited.
    left: Cell<Option<u64>>,
    /// How many bytes a second the client is to send of bodies, and to take of answers; 0: as few as it likes.
    send_rate: u64,
    read_rate: u64,
    /// How long it may take nothing of an answer where no rule says it.
    pub(crate) idle: Duration,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// The first byte of a request, since then.
    Idle(Instant),
    /// The rest of a head, since then.
    Head(Instant),
    /// Answers to this many requests.
    Busy(u32),
}

/// Whose connection it is, and where it went.
pub(super) struct Whose {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    /// Whether the peer's word about a client behind it is taken.
    pub(super) trusted: bool,
}

impl Whose {
    /// Believes what a load balancer says. Who stands behind one that does not say whose it is may be
    /// anybody, who is not believed for it.
    pub(super) fn hear(&mut self, announced: Announced, worker: &Worker) {
        *self = match announced {
            Announced::Client { from, to } => {
                Self { peer: from, local: to, trusted: worker.config.trust.believes(from) }
            }
            Announced::Own => Self { trusted: false, ..*self },
        };
    }
}

impl ClientConnection {
    pub(super) fn new(worker: &Worker, entrance: &Entrance, whose: &Whose) -> Rc<Self> {
        let config = &worker.config;
        let limit = config.max_requests_per_connection;
        Rc::new(Self {
            peer: whose.peer,
            listener: entrance.listener.clone(),
            forwarded: Forwarded::new(whose.peer, whose.local, entrance.tls.is_some()),
            trusted: whose.trusted,
            shown: OnceCell::new(),
            state: Cell::new(State::Idle(Instant::now())),
            linger: Cell::new(false),
            left: Cell::new(Some(limit).filter(|limit| *limit > 0)),
            send_rate: config.client_send_rate,
            read_rate: config.client_read_rate,
            idle: config.client_idle,
        })
    }

    /// Takes a request; says whether it is the last one of its connection, or came behind it.
    pub(crate) fn takes_last(&self) -> bool {
        let left = self.left.get().map(|left| left.saturating_sub(1));
        self.left.set(left);
        left == Some(0)
    }

    /// Whether a request for this host needs another connection, which would show another certificate
    /// (RFC 9110 section 15.5.20). A trusted peer sends the requests of many clients over one.
    pub(crate) fn misdirects(&self, host: &str) -> bool {
        !self.trusted && self.shown.get().is_some_and(|shown| shown.is_other(host))
    }

    /// A head is complete, and its request begins.
    pub(crate) fn request_started(&self) {
        let others = match self.state.get() {
            State::Busy(count) => count,
            State::Idle(_) | State::Head(_) => 0,
        };
        self.state.set(State::Busy(others + 1));
    }

    /// A request has ended.
    pub(crate) fn request_ended(&self, now: Instant) {
        self.state.set(match self.state.get() {
            State::Busy(count) if count > 1 => State::Busy(count - 1),
            State::Busy(_) | State::Idle(_) | State::Head(_) => State::Idle(now),
        });
    }

    /// How many bytes a second a client is to send of one of its bodies.
    pub(crate) fn send_rate(&self) -> u64 {
        self.share(self.send_rate)
    }

    /// The same for what it is to take of one of its answers.
    pub(crate) fn read_rate(&self) -> u64 {
        self.share(self.read_rate)
    }

    /// Its requests share what is asked of the connection.
    fn share(&self, rate: u64) -> u64 {
        let streams = match self.state.get() {
            State::Busy(count) => u64::from(count.max(1)),
            State::Idle(_) | State::Head(_) => 1,
        };
        // As few as it likes is 0 and nothing else.
        rate.div_ceil(streams)
    }

    /// The client may still be sending a body that nobody reads: the connection ends with the
    /// answer, but not at once.
    pub(crate) fn linger(&self) {
        self.linger.set(true);
    }
}

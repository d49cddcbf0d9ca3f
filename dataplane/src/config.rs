//! Settings of the data plane that are not routing, each with its default and the reason for it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use fairway_snapshot::{AddressPolicy, ListenerName, Redaction};

use crate::forwarded::Trust;

/// Settings of the data plane.
#[derive(Clone, Debug)]
pub struct Config {
    /// Threads that serve traffic, each with its own listeners and connection pools. Default: the
    /// processors that this process may use, the quota of its cgroup honoured.
    pub workers: NonZeroUsize,
    /// Where the status port listens: health, readiness, metrics. Default 0.0.0.0:9901.
    pub status: SocketAddr,
    /// Where the admin port listens: the live page and the routes. Default 127.0.0.1:9902.
    pub admin: SocketAddr,
    /// What a caller of the admin port must show as `Authorization: Bearer`; needed when the port
    /// is not on loopback.
    pub admin_token: Option<String>,
    /// Whether a line is written to stdout for each request, until
    /// [`crate::DataPlane::log_switch`] says otherwise. Default: yes.
    pub access_log: bool,
    /// Which parameters and header fields hold credentials, whose values are told nowhere. Default: the
    /// usual ones.
    pub redaction: Redaction,
    /// Whether responses carry `X-Process-Time` in seconds. Default: yes.
    pub process_time: bool,
    /// Whether responses carry `Server-Timing`. Default: yes.
    pub server_timing: bool,
    /// Who is asked for names. Default: `/etc/resolv.conf`.
    pub dns: DnsServers,
    /// Which addresses a name may lead to. Default: every one; in a cluster none that is reserved.
    pub addresses: AddressPolicy,
    /// Whose word about the clients behind them is taken. Default: nobody's.
    pub trust: Trust,
    /// How long, after the order to end, new connections are still accepted while readiness is
    /// already off: the time until load balancers have noticed. Default: 5 s.
    pub drain_delay: Duration,
    /// How long requests in flight may go on after that. Default: 30 s.
    pub drain_deadline: Duration,
    /// How long a client connection may be idle between requests. Default: 75 s, a little more
    /// than what clients and load balancers use, so that they close first.
    pub client_idle: Duration,
    /// How long the head of a request may take. Default: 15 s.
    pub client_head: Duration,
    /// The greatest head of a request, in bytes. Default: 64 KiB.
    pub client_head_bytes: usize,
    /// The most fields of a head, at most 256. Default: 128.
    pub client_head_fields: usize,
    /// The longest target of a request, in bytes, at most 65,534. Default: 16 KiB, twice what every server
    /// should take (RFC 9110 section 4.1).
    pub client_target_bytes: usize,
    /// How many requests a connection may carry before it is ended in order. 0 (default): any number, for
    /// ending it costs client and gateway a new one.
    pub max_requests_per_connection: u64,
    /// How many bytes a second a client sends of a body at least, while it is the one that is waited for; it
    /// may be behind for `timeouts.idle` of the rule. 0: as few as it likes. Default: 500, as Apache has it.
    pub client_send_rate: u64,
    /// The same for what a client takes of an answer. Default: 500.
    pub client_read_rate: u64,
    /// How many streams a client may have open at once over a connection of HTTP/2. Default: 128.
    pub http2_streams: u32,
    /// How long an idle connection to a backend is kept. Default: 15 s: most servers close after
    /// more.
    pub upstream_idle: Duration,
    /// How many idle connections to one endpoint each worker keeps. Default: 256.
    pub upstream_idle_connections: usize,
    /// How many copies of requests each worker may have on their way to mirrors; beyond it requests
    /// are not copied. Default: 256, so that a mirror that hangs costs no more connections than that.
    pub mirrors_in_flight: usize,
    /// Folders of certificates for listeners with TLS, each with `tls.crt` and `tls.key`; the first is
    /// for clients that name no other. Default: none.
    pub certificates: Vec<PathBuf>,
    /// How many connections of clients may be open at once. Default: half of the files that the process
    /// may have open, since a backend may stand behind each.
    pub max_connections: Option<usize>,
    /// The same for one client's address; trusted peers are not counted. 0 (default): no limit.
    pub max_connections_per_client: usize,
    /// How many requests may be in flight at once. 0 (default): no limit.
    pub max_requests: usize,
    /// New requests are refused while the process uses more than this percentage of the memory that its
    /// cgroup gives it; 0: never. Default: 95.
    pub shed_memory_percent: u8,
    /// What memory the process may use, in bytes. Default: what its cgroup gives it.
    pub memory_limit: Option<u64>,
    /// Protocols that a request may switch to (`Upgrade`, RFC 9110 section 7.8), in lower case.
    /// Default: `websocket`.
    pub upgrades: Vec<String>,
    /// Whether a port may be shared with another process, to take over from it. Default: no.
    pub takeover: bool,
}

/// Who is asked for names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsServers {
    /// The servers, search list and options of `/etc/resolv.conf`.
    System,
    /// These servers, over UDP and TCP.
    These(Vec<SocketAddr>),
}

/// What the data plane reports once it has applied a snapshot, or could not apply all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The revision that requests see now; 0 before the first.
    pub revision: u64,
    /// Listeners that could not be bound. They are tried again with the next snapshot and every
    /// few seconds.
    pub failures: Vec<ListenerFailure>,
}

/// A listener that could not be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerFailure {
    /// The listener.
    pub listener: ListenerName,
    /// The address that it should have.
    pub bind: SocketAddr,
    /// What the system said, and what to do.
    pub message: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            status: SocketAddr::from(([0, 0, 0, 0], 9901)),
            admin: SocketAddr::from(([127, 0, 0, 1], 9902)),
            admin_token: None,
            access_log: true,
            redaction: Redaction::default(),
            process_time: true,
            server_timing: true,
            dns: DnsServers::System,
            addresses: AddressPolicy::Any,
            trust: Trust::default(),
            drain_delay: Duration::from_secs(5),
            drain_deadline: Duration::from_secs(30),
            client_idle: Duration::from_secs(75),
            client_head: Duration::from_secs(15),
            client_head_bytes: 64 * 1024,
            client_head_fields: 128,
            client_target_bytes: 16 * 1024,
            max_requests_per_connection: 0,
            client_send_rate: 500,
            client_read_rate: 500,
            http2_streams: 128,
            upstream_idle: Duration::from_secs(15),
            upstream_idle_connections: 256,
            mirrors_in_flight: 256,
            certificates: Vec::new(),
            max_connections: None,
            max_connections_per_client: 0,
            max_requests: 0,
            shed_memory_percent: 95,
            memory_limit: None,
            upgrades: vec!["websocket".to_owned()],
            takeover: false,
        }
    }
}

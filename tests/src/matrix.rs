//! The protocol matrix: what users of a gateway do, by each protocol of clients and each of backends.
//! Every cell is asserted, or a limit that has its reason; one that is a limit is asserted too. The tests
//! run it in this process, `cargo xtask matrix` against the binary with bodies of a gibibyte.

mod backend;
mod call;
mod cells;
mod digest;
mod grpc;
pub mod tokens;
mod wire;

pub use backend::Backend;
pub use call::Client;
pub use digest::{Digest, Parts};

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinError;

/// A protocol that clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downstream {
    Http1,
    /// With prior knowledge.
    Http2,
}

/// A protocol that backends speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    Http1,
    /// HTTP/2 without TLS.
    H2c,
}

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Get,
    Post,
    Trailers,
    LargeUp,
    LargeDown,
    LargeBoth,
    SmallParts,
    GrpcUnary,
    GrpcServerStream,
    GrpcClientStream,
    GrpcBoth,
    WebSocket,
    ServerSentEvents,
    Continue,
    EarlyHints,
    EarlyRefusal,
    TooLarge,
    ClientLeaves,
    BackendBreaks,
    BackendIsSilent,
}

/// What became of a cell.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is as it should be; the text says what was compared.
    Good(String),
    /// It cannot be, for this reason, and what happens instead is what it should be.
    Limit(&'static str),
}

/// Where cells run: a gateway with the rules of [`rules`], and a backend of each protocol.
#[derive(Clone)]
pub struct Place {
    /// The gateway.
    pub gateway: SocketAddr,
    /// The backends.
    pub backends: Vec<(Upstream, Arc<Backend>)>,
    /// The size of what is large, in bytes.
    pub large: u64,
}

// === impl Downstream ===

impl Downstream {
    pub const ALL: [Self; 2] = [Self::Http1, Self::Http2];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "h2",
        }
    }
}

// === impl Upstream ===

impl Upstream {
    pub const ALL: [Self; 2] = [Self::Http1, Self::H2c];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::H2c => "h2c",
        }
    }

    /// The first segment of the paths that lead there.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::H2c => "h2c",
        }
    }

    /// What a backend's entry says beside its address.
    const fn setting(self) -> &'static str {
        match self {
            Self::Http1 => "",
            Self::H2c => ", protocol: h2c",
        }
    }

    /// Whether backends speak HTTP/2.
    const fn is_http2(self) -> bool {
        match self {
            Self::Http1 => false,
            Self::H2c => true,
        }
    }
}

// === impl Row ===

impl Row {
    pub const ALL: [Self; 20] = [
        Self::Get,
        Self::Post,
        Self::Trailers,
        Self::LargeUp,
        Self::LargeDown,
        Self::LargeBoth,
        Self::SmallParts,
        Self::GrpcUnary,
        Self::GrpcServerStream,
        Self::GrpcClientStream,
        Self::GrpcBoth,
        Self::WebSocket,
        Self::ServerSentEvents,
        Self::Continue,
        Self::EarlyHints,
        Self::EarlyRefusal,
        Self::TooLarge,
        Self::ClientLeaves,
        Self::BackendBreaks,
        Self::BackendIsSilent,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST, streamed",
            Self::Trailers => "trailers",
            Self::LargeUp => "large body up",
            Self::LargeDown => "large body down",
            Self::LargeBoth => "large body both ways",
            Self::SmallParts => "small parts to a slow backend",
            Self::GrpcUnary => "gRPC unary",
            Self::GrpcServerStream => "gRPC server stream",
            Self::GrpcClientStream => "gRPC client stream",
            Self::GrpcBoth => "gRPC both stream",
            Self::WebSocket => "WebSocket echo",
            Self::ServerSentEvents => "server-sent events",
            Self::Continue => "100-continue",
            Self::EarlyHints => "103",
            Self::EarlyRefusal => "early 413 of the backend",
            Self::TooLarge => "early 413 of the gateway",
            Self::ClientLeaves => "client leaves",
            Self::BackendBreaks => "backend breaks off",
            Self::BackendIsSilent => "backend ends instead of an answer",
        }
    }

    /// Whether it moves a large body: memory is looked at.
    #[must_use]
    pub const fn is_large(self) -> bool {
        matches!(self, Self::LargeUp | Self::LargeDown | Self::LargeBoth)
    }
}

// === impl Place ===

impl Place {
    /// Starts the backends; the gateway comes with their rules.
    pub async fn backends() -> Vec<(Upstream, Arc<Backend>)> {
        let mut backends = Vec::new();
        for upstream in Upstream::ALL {
            backends.push((upstream, Arc::new(Backend::start(upstream).await)));
        }
        backends
    }

    fn backend(&self, upstream: Upstream) -> &Backend {
        let found = self.backends.iter().find(|(speaks, _)| *speaks == upstream);
        &found.expect("each protocol has its backend").1
    }

    /// Runs a cell; an error says what was not as it should be.
    pub async fn run(
        &self,
        row: Row,
        downstream: Downstream,
        upstream: Upstream,
    ) -> Result<Outcome, String> {
        let place = self.clone();
        let cell = tokio::spawn(async move { cells::run(row, &place, downstream, upstream).await });
        cell.await.map_err(panicked)
    }
}

/// What a task said when it ended before its end.
#[must_use]
pub fn panicked(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            text.unwrap_or_else(|| "it panicked".to_owned())
        }
        Err(error) => error.to_string(),
    }
}

/// The rules that lead to the backends: `/<segment>/…`, and `/<segment>/small/…` with a limit for bodies.
#[must_use]
pub fn rules(backends: &[(Upstream, Arc<Backend>)]) -> String {
    let mut rules = String::new();
    for (upstream, backend) in backends {
        let (segment, setting) = (upstream.segment(), upstream.setting());
        let port = backend.address.port();
        let to = format!("backends: [{{host: 127.0.0.1, port: {port}{setting}}}]");
        rules.push_str(&format!(
            "- match: [{{path: /{segment}/small/*}}]\n  policy: {{limits: {{bodyBytes: 1000}}}}\n  {to}\n\
             - match: [{{path: /{segment}/*}}]\n  {to}\n"
        ));
    }
    rules
}

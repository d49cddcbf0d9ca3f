//! What is measured of each proxy: the rows of the table.

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Whether clients come by TLS.
    pub(super) tls: bool,
    /// Whether they speak HTTP/2; without TLS by prior knowledge.
    pub(super) http2: bool,
    pub(super) load: Load,
    /// The path of the origin, which says how long the answer is.
    pub(super) path: &'static str,
    pub(super) workers: usize,
}

/// How requests come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Over connections that stay open, one request after another.
    KeepAlive,
    /// Each over a connection of its own.
    Close,
    /// The same as the first, with a body of 16 KiB.
    Post,
    /// Ten at once over each connection of HTTP/2.
    Streams,
    /// Handshakes of TLS with one request each; resumed or not.
    Handshakes { resumed: bool },
}

/// Connections of the load generator.
pub(super) const CONNECTIONS: u64 = 64;

const PLAIN: Case = Case {
    name: "HTTP/1.1 keep-alive",
    tls: false,
    http2: false,
    load: Load::KeepAlive,
    path: "/bench",
    workers: 1,
};

/// Every row.
pub(super) const ALL: [Case; 11] = [
    PLAIN,
    Case { name: "HTTP/1.1, 2 workers", workers: 2, ..PLAIN },
    Case { name: "HTTP/1.1 without keep-alive", load: Load::Close, ..PLAIN },
    Case { name: "HTTP/1.1, 16 KiB", path: "/16k", ..PLAIN },
    Case { name: "HTTP/1.1, 1 MiB", path: "/1m", ..PLAIN },
    Case { name: "HTTP/1.1, POST of 16 KiB", load: Load::Post, ..PLAIN },
    Case { name: "HTTP/2", http2: true, load: Load::Streams, ..PLAIN },
    Case { name: "HTTP/2, TLS 1.3", http2: true, tls: true, load: Load::Streams, ..PLAIN },
    Case { name: "HTTP/1.1, TLS 1.3", tls: true, ..PLAIN },
    Case {
        name: "TLS 1.3, new handshakes",
        tls: true,
        load: Load::Handshakes { resumed: false },
        ..PLAIN
    },
    Case {
        name: "TLS 1.3, resumed handshakes",
        tls: true,
        load: Load::Handshakes { resumed: true },
        ..PLAIN
    },
];

impl Case {
    /// What a client writes before the path.
    pub(super) fn url(&self, port: u16) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{port}{}", self.path)
    }

    /// A name for folders.
    pub(super) fn slug(&self) -> String {
        let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        self.name.chars().map(letter).collect()
    }
}

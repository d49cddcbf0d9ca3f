//! A listener that keeps descriptors for itself: when clients and backends have taken all others, operators
//! and probes still get in.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};

/// How many connections still get in.
const SPARE: usize = 8;
/// How long it waits before it tries again, when even those are gone.
const PAUSE: Duration = Duration::from_millis(50);

/// A listener with descriptors that stand for nothing until they are needed.
#[derive(Debug)]
pub(super) struct Reserved {
    listener: TcpListener,
    spare: Vec<File>,
}

impl Reserved {
    pub(super) fn new(listener: TcpListener) -> Self {
        let mut reserved = Self { listener, spare: Vec::with_capacity(SPARE) };
        reserved.fill();
        reserved
    }

    /// Takes descriptors back, as far as there are any.
    fn fill(&mut self) {
        while self.spare.len() < SPARE {
            match File::open("/dev/null") {
                Ok(file) => self.spare.push(file),
                Err(_) => return,
            }
        }
    }
}

impl Listener for Reserved {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            // Connections that have ended since have left theirs.
            self.fill();
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                // One is given up for it; somebody else may be faster, and then another one is.
                Err(_) if self.spare.pop().is_some() => {
                    if let Ok(accepted) = self.listener.accept().await {
                        return accepted;
                    }
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

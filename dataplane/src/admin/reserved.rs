//! A listener that keeps descriptors for itself: when clients and backends have taken all others, operators
//! and probes still get in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::serve::Listener;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::overload::Gate;

/// How many connections still get in.
const SPARE: usize = 8;
/// How long it waits before it tries again, when even those are gone.
const PAUSE: Duration = Duration::from_millis(50);

/// A listener with descriptors that stand for nothing until they are needed.
#[derive(Debug)]
pub(crate) struct Reserved {
    listener: TcpListener,
    spare: Vec<Socket>,
    /// How many there were in the beginning.
    most: usize,
    /// Where it is told how many of them are missing: meanwhile nobody else takes one for a client.
    gate: Arc<Gate>,
}

/// A descriptor that stands for nothing.
fn placeholder() -> Option<Socket> {
    Socket::new(Domain::UNIX, Type::DGRAM, None).ok()
}

impl Reserved {
    pub(crate) fn new(listener: TcpListener, gate: Arc<Gate>) -> Self {
        let spare: Vec<Socket> =
            std::iter::repeat_with(placeholder).take(SPARE).flatten().collect();
        Self { listener, most: spare.len(), spare, gate }
    }

    /// Takes descriptors back, as far as there are any; says whether it has all.
    fn fill(&mut self) -> bool {
        while self.spare.len() < self.most {
            let Some(socket) = placeholder() else { return false };
            self.spare.push(socket);
            self.gate.lacking.fetch_sub(1, Relaxed);
        }
        true
    }

    /// Gives one up, if there is one.
    fn give(&mut self) -> bool {
        let given = self.spare.pop().is_some();
        self.gate.lacking.fetch_add(usize::from(given), Relaxed);
        given
    }

    /// The next connection. Until it has all descriptors again, it tries to take them back all the while.
    async fn next(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        while !self.fill() {
            let accepted = tokio::time::timeout(PAUSE, self.listener.accept());
            if let Ok(accepted) = accepted.await {
                return accepted;
            }
        }
        self.listener.accept().await
    }
}

impl Listener for Reserved {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.next().await {
                Ok(accepted) => return accepted,
                // One is given up for it. Without descriptors the kernel says so even where nobody waits:
                // then it is taken back.
                Err(_) if self.give() => {
                    let accepted = tokio::time::timeout(PAUSE, self.listener.accept());
                    if let Ok(Ok(accepted)) = accepted.await {
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

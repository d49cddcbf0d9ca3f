//! Accepting connections. Whatever goes wrong with one, or with all, accepting goes on: at once where a
//! client has left before, and after a pause where the process or the machine has no room.

#[cfg(test)]
mod tests;

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::{OpenConnection, Worker, spawn};
use crate::downstream::{self, Entrance};
use crate::overload::Full;

/// How long accepting pauses when there is no room, for example for lack of descriptors: trying at once
/// would spin.
const PAUSE: Duration = Duration::from_millis(50);

/// How often that is told.
const SILENCE: Duration = Duration::from_secs(30);

/// Accepts connections until it is told to stop.
pub(super) async fn accept(
    worker: Rc<Worker>,
    entrance: Rc<Entrance>,
    listener: TcpListener,
    stop: Rc<Notify>,
) {
    let name = &entrance.listener;
    let mut told: Option<Instant> = None;
    loop {
        // Operators and probes come first when descriptors are free again.
        while worker.gate.gives_way() && !worker.closed.get() {
            tokio::time::sleep(PAUSE).await;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.notified() => break,
        };
        match accepted {
            Ok((stream, peer)) => begin(&worker, &entrance, stream, peer),
            Err(error) => {
                worker.metrics.accept_failed();
                if is_of_connection(&error) {
                    continue;
                }
                // It may go on for long, twenty times a second.
                if told.is_none_or(|told| told.elapsed() > SILENCE) {
                    told = Some(Instant::now());
                    tracing::warn!(listener = %name, %error, "accept failed, trying again");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // Closing a listening socket resets the connections in its queue; they are taken first, past
    // the runtime, which knows only of those that it has been told of.
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            begin(&worker, &entrance, stream, peer);
        }
    }
}

fn begin(worker: &Rc<Worker>, entrance: &Rc<Entrance>, stream: TcpStream, peer: SocketAddr) {
    let trust = &worker.config.trust;
    let named = trust.names(peer);
    let admitted = if entrance.announced && !named {
        Err(Full::NotTrusted)
    } else {
        // Whose a connection is that is announced is counted once it is known.
        worker.gate.admit(peer.ip(), entrance.announced || trust.believes(peer))
    };
    match admitted {
        Ok(admitted) => {
            let connection = OpenConnection::new(worker, admitted);
            spawn(downstream::serve(connection, Rc::clone(entrance), stream, peer));
        }
        Err(full) => {
            worker.metrics.connection_refused(full);
            // At once, and without a port that waits for its end.
            let _ = stream.set_zero_linger();
        }
    }
}

/// Whether an error is that of one connection, which is gone with it (accept(2): errors that are pending
/// on the new socket are told by the call).
fn is_of_connection(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::Interrupted
    )
}

//! Listening sockets: one for each worker on the same port (`SO_REUSEPORT`), so that the kernel
//! spreads connections and no worker waits for another.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;

use fairway_snapshot::ListenerName;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// What of an answer may lie in the kernel and not be sent yet; connections have it from their listening
/// socket. More would be memory for clients that take little, and would hide how little: the kernel asks
/// for more once half of it is sent.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 * 1024;

/// Binds `address` once for each worker. Port 0 becomes one free port for all.
///
/// `SO_REUSEPORT` lets a second process take the same port without an error; unless `shared` is
/// set, the port is therefore bound once without it first, so that a taken port is noticed.
pub(crate) fn bind(
    address: SocketAddr,
    workers: NonZeroUsize,
    shared: bool,
) -> io::Result<Vec<TcpListener>> {
    if !shared && address.port() != 0 {
        socket(address, false)?.bind(&address.into())?;
    }
    let mut listeners = Vec::with_capacity(workers.get());
    let mut address = address;
    for _ in 0..workers.get() {
        let socket = socket(address, true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn socket(address: SocketAddr, reuse_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Otherwise connections of the process before us keep the port for a minute.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    // Connections have it from their listening socket: a system call less for each.
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    Ok(socket)
}

/// What to tell about a listener with TLS where there is no certificate.
#[must_use]
pub fn certificate_message(name: &ListenerName) -> String {
    format!(
        "listener {name} speaks HTTPS, and there is no certificate: write --certificates and the folder of one, with tls.crt and tls.key, or spec.tls in a ServiceRoute"
    )
}

/// What to tell about an address that cannot be bound.
#[must_use]
pub fn bind_message(address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there: stop it, or choose another port"
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not bind it: choose a port above 1023, or grant CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: write 0.0.0.0 for all, or one of its own"
        }
        _ => return format!("cannot listen on {address}: {error}"),
    };
    format!("cannot listen on {address}: {advice}")
}

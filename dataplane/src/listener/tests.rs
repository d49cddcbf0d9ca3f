//! Ports that are free, shared and taken.

use std::net::TcpStream;
use std::num::NonZeroUsize;

use super::{bind, bind_message};

#[test]
fn all_workers_get_the_same_free_port() {
    let listeners =
        bind("127.0.0.1:0".parse().unwrap(), NonZeroUsize::new(3).unwrap(), false).unwrap();
    let ports: Vec<u16> =
        listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    assert_eq!(ports.len(), 3);
    assert!(ports.iter().all(|port| *port == ports[0] && *port != 0), "{ports:?}");
}

#[test]
fn a_port_that_another_gateway_shares_is_noticed() {
    let first = bind("127.0.0.1:0".parse().unwrap(), NonZeroUsize::MIN, false).unwrap();
    let address = first[0].local_addr().unwrap();
    let error = bind(address, NonZeroUsize::MIN, false).unwrap_err();
    assert_eq!(
        bind_message(address, &error),
        format!(
            "cannot listen on {address}: another process listens there: stop it, or choose another port"
        )
    );
    bind(address, NonZeroUsize::MIN, true).unwrap();
}

#[test]
fn connections_write_at_once() {
    let listeners = bind("127.0.0.1:0".parse().unwrap(), NonZeroUsize::MIN, false).unwrap();
    listeners[0].set_nonblocking(false).unwrap();
    let client = TcpStream::connect(listeners[0].local_addr().unwrap()).unwrap();
    assert!(!client.nodelay().unwrap(), "a socket does not, if it is not told");
    assert!(listeners[0].accept().unwrap().0.nodelay().unwrap());
}

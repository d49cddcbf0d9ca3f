//! Places are counted, and given back whatever becomes of them.

use super::{Full, Gate, is_more_than, memory_limit, resident, usual_connections};
use crate::config::Config;

#[test]
fn places_end_and_come_back() {
    let config =
        Config { max_connections: Some(3), max_connections_per_client: 2, ..Config::default() };
    let gate = Gate::new(&config);
    let (a, b) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    let first = gate.admit(a, false).unwrap();
    let second = gate.admit("::ffff:192.0.2.1".parse().unwrap(), false).unwrap();
    assert_eq!(gate.admit(a, false).unwrap_err(), Full::OfClient);
    // Who was refused holds no place; who speaks for many has as many as there are.
    let third = gate.admit(a, true).unwrap();
    assert_eq!(gate.admit(b, false).unwrap_err(), Full::Connections);
    drop(first);
    let fourth = gate.admit(a, false).unwrap();
    assert_eq!(gate.admit(a, false).unwrap_err(), Full::Connections);
    drop((second, third, fourth));
    assert!(gate.by_client.lock().unwrap().is_empty());
    assert_eq!(gate.open.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn without_limits_as_many_get_in_as_there_are_files() {
    let gate = Gate::new(&Config::default());
    let places: Vec<_> = (0..usual_connections().min(500))
        .map(|_| gate.admit([192, 0, 2, 1].into(), false))
        .collect();
    assert!(places.iter().all(Result::is_ok));
    assert!(usual_connections() > 100);
}

#[test]
fn the_memory_of_this_process_is_found() {
    let used = resident().unwrap();
    assert!(used > 100_000 && used < 1 << 40, "{used}");
    assert!(memory_limit().is_none_or(|limit| limit > used));
}

#[test]
fn memory_is_short_beyond_its_part_of_the_limit() {
    for (used, percent, limit, short) in [
        (95, 95, 100, false),
        (96, 95, 100, true),
        (0, 95, 0, false),
        (1, 95, 0, true),
        (100, 100, 100, false),
        (u64::MAX, 100, u64::MAX, false),
        (u64::MAX, 99, u64::MAX, true),
        (199, 1, 19_999, false),
        (200, 1, 19_999, true),
    ] {
        assert_eq!(is_more_than(used, percent, limit), short, "{used} {percent} {limit}");
    }
}

#[test]
fn a_connection_that_is_announced_is_counted_for_its_client_once() {
    let config = Config { max_connections_per_client: 1, ..Config::default() };
    let gate = Gate::new(&config);
    let (a, b) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    let balancer = "10.0.0.1".parse().unwrap();
    let mut first = gate.admit(balancer, true).unwrap();
    assert_eq!(first.count(a, false), Ok(()));
    // Whose it is does not change any more.
    assert_eq!(first.count(b, false), Ok(()));
    let mut second = gate.admit(balancer, true).unwrap();
    assert_eq!(second.count(a, false), Err(Full::OfClient));
    assert_eq!(second.count(a, true), Ok(()));
    assert_eq!(second.count(b, false), Ok(()));
    drop(first);
    assert_eq!(gate.admit(balancer, true).unwrap().count(a, false), Ok(()));
    assert!(gate.by_client.lock().unwrap().contains_key(&b));
    drop(second);
    assert!(gate.by_client.lock().unwrap().is_empty(), "nobody is remembered");
}

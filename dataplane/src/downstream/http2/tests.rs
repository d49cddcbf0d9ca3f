//! Frames are counted whatever pieces they come in; what a busy client sends is no flood.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::io::Io;
use super::meter::{Kind, Meter, PREFACE};
use crate::downstream::socket::ClientSocket;
use crate::downstream::stream::ClientStream;

/// A frame with a payload of zeros.
fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
    let size = u32::try_from(length).unwrap().to_be_bytes();
    [&size[1..], &[kind, flags, 0, 0, 0, 0], &vec![0; length]].concat()
}

/// What a meter says of frames that come at once in pieces of this size.
fn flood(frames: &[Vec<u8>], piece: usize) -> Option<Kind> {
    let now = Instant::now();
    let mut meter = Meter::new(now);
    for bytes in [PREFACE, &frames.concat()].concat().chunks(piece) {
        meter.see(bytes, now);
    }
    meter.flood()
}

#[test]
fn each_kind_has_its_budget() {
    for (kind, frame, most) in [
        (Kind::Ping, frame(6, 0, 8), 1000),
        (Kind::Settings, frame(4, 0, 6), 100),
        (Kind::Priority, frame(2, 0, 5), 1000),
        (Kind::Reset, frame(3, 0, 4), 500),
        (Kind::WindowUpdate, frame(8, 0, 4), 2000),
        (Kind::Empty, frame(0, 0, 0), 100),
        (Kind::Empty, frame(9, 0, 0), 100),
        (Kind::Unknown, frame(0x20, 0, 1), 1000),
    ] {
        let frames = vec![frame; most + 1];
        assert_eq!(flood(&frames[..most], 4096), None, "{kind:?}");
        assert_eq!(flood(&frames, 4096), Some(kind), "{kind:?}");
    }
}

#[test]
fn what_carries_something_or_was_asked_for_is_not_counted() {
    for frame in [
        frame(0, 0, 1),
        frame(0, 1, 0),
        frame(1, 5, 10),
        frame(9, 0, 1),
        frame(9, 4, 0),
        frame(4, 1, 0),
        frame(6, 1, 8),
    ] {
        assert_eq!(flood(&vec![frame.clone(); 5000], 4096), None, "{frame:?}");
    }
}

#[test]
fn time_and_what_we_send_refill_a_budget() {
    let begin = Instant::now();
    let mut meter = Meter::new(begin);
    meter.see(PREFACE, begin);
    for second in 0..100 {
        let now = begin + Duration::from_secs(second);
        meter.see(&frame(6, 0, 8).repeat(100), now);
        // Two for each part of a body of sixteen megabytes.
        meter.sent(16 << 20);
        meter.see(&frame(8, 0, 4).repeat(2000), now);
    }
    assert_eq!(meter.flood(), None);
    // Sending much once does not pay for ever.
    meter.see(&frame(8, 0, 4).repeat(5000), begin + Duration::from_secs(99));
    assert_eq!(meter.flood(), Some(Kind::WindowUpdate));
}

proptest! {
    #[test]
    fn pieces_change_nothing(
        kinds in prop::collection::vec((0_u8..12, any::<u8>(), 0_usize..40), 0..400),
        repeat in 1_usize..8,
        piece in 1_usize..100,
    ) {
        let frames: Vec<_> = kinds.iter().map(|(kind, flags, length)| frame(*kind, *flags, *length)).collect();
        let frames = vec![frames; repeat].concat();
        prop_assert_eq!(flood(&frames, piece), flood(&frames, usize::MAX));
    }
}

#[tokio::test]
async fn what_comes_behind_a_flood_is_read_by_nobody() {
    for (pings, reads_on) in [(1, true), (2000, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        client.write_all(b"more").await.unwrap();
        accepted.readable().await.unwrap();
        let before = [PREFACE, &frame(6, 0, 8).repeat(pings)].concat();
        let socket = ClientStream::Plain(ClientSocket::new(accepted, Bytes::new()));
        let mut io = Io::new(socket, before.clone().into());
        // What was read before it was known is handed over all the same.
        let mut read = vec![0; before.len()];
        io.read_exact(&mut read).await.unwrap();
        assert!(read == before);
        let mut more = [0; 4];
        let next = tokio::time::timeout(Duration::from_millis(50), io.read(&mut more)).await;
        assert_eq!(next.is_ok(), reads_on, "{pings}");
    }
}

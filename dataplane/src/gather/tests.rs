//! What is written in turns reaches the socket whole, in its order, and in few pieces.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::{any, prop, prop_assert_eq, proptest};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Gather, MOST};

/// A socket that takes what it is told to take.
#[derive(Clone, Debug, Default)]
struct Peer(Rc<RefCell<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    pieces: Vec<Vec<u8>>,
    /// How much it takes now.
    room: usize,
    broken: bool,
    shut: bool,
}

impl Peer {
    fn with_room(room: usize) -> Self {
        let peer = Self::default();
        peer.0.borrow_mut().room = room;
        peer
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.borrow().pieces.concat()
    }

    fn pieces(&self) -> Vec<usize> {
        self.0.borrow().pieces.iter().map(Vec::len).collect()
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut taken = self.0.borrow_mut();
        if taken.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        bytes.truncate(taken.room);
        if bytes.is_empty() {
            return Poll::Pending;
        }
        taken.room -= bytes.len();
        let length = bytes.len();
        taken.pieces.push(bytes);
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().shut = true;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn write(socket: &mut Gather<Peer>, parts: &[&[u8]]) -> Poll<usize> {
    let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    Pin::new(socket).poll_write_vectored(&mut context(), &slices).map(Result::unwrap)
}

fn flush(socket: &mut Gather<Peer>) -> Poll<io::Result<()>> {
    Pin::new(socket).poll_flush(&mut context())
}

#[test]
fn what_is_said_in_one_turn_leaves_in_one_piece() {
    let peer = Peer::with_room(usize::MAX);
    let socket = Gather::new(peer.clone());
    let mut codec = socket.clone();
    let turn = socket.poll_turn(&mut context(), |_| {
        for part in [&b"head"[..], b"body", b"head again"] {
            assert_eq!(write(&mut codec, &[part, b"!"]), Poll::Ready(part.len() + 1));
            assert!(flush(&mut codec).is_ready());
        }
        Poll::<()>::Pending
    });
    assert!(turn.is_pending());
    assert_eq!(peer.pieces(), [21]);
    assert_eq!(peer.bytes(), b"head!body!head again!");
}

#[test]
fn outside_of_a_turn_a_flush_sends() {
    let peer = Peer::with_room(usize::MAX);
    let mut socket = Gather::new(peer.clone());
    assert_eq!(write(&mut socket, &[b"settings"]), Poll::Ready(8));
    assert!(peer.pieces().is_empty());
    assert!(matches!(flush(&mut socket), Poll::Ready(Ok(()))));
    assert_eq!(peer.bytes(), b"settings");
}

#[test]
fn what_has_no_room_goes_with_what_waits() {
    let peer = Peer::with_room(usize::MAX);
    let mut socket = Gather::new(peer.clone());
    assert_eq!(write(&mut socket, &[b"head"]), Poll::Ready(4));
    assert_eq!(write(&mut socket, &[&[b'x'; MOST]]), Poll::Ready(MOST));
    assert_eq!(peer.pieces(), [4 + MOST]);
}

#[test]
fn a_socket_that_takes_nothing_holds_the_codec_up() {
    let peer = Peer::with_room(0);
    let mut socket = Gather::new(peer.clone());
    assert_eq!(write(&mut socket, &[&[b'x'; MOST]]), Poll::Ready(MOST));
    assert!(write(&mut socket, &[b"more"]).is_pending());
    assert!(flush(&mut socket).is_pending());
    peer.0.borrow_mut().room = usize::MAX;
    assert_eq!(write(&mut socket, &[b"more"]), Poll::Ready(4));
    assert_eq!(peer.bytes().len(), MOST + 4);
}

#[test]
fn an_end_comes_behind_what_waits() {
    let peer = Peer::with_room(0);
    let mut socket = Gather::new(peer.clone());
    assert_eq!(write(&mut socket, &[b"goaway"]), Poll::Ready(6));
    assert!(Pin::new(&mut socket).poll_shutdown(&mut context()).is_pending());
    assert!(!peer.0.borrow().shut);
    peer.0.borrow_mut().room = 6;
    assert!(Pin::new(&mut socket).poll_shutdown(&mut context()).is_ready());
    assert_eq!((peer.bytes(), peer.0.borrow().shut), (b"goaway".to_vec(), true));
}

#[test]
fn a_codec_that_waits_is_told_what_went_wrong_behind_its_turn() {
    let peer = Peer::default();
    peer.0.borrow_mut().broken = true;
    let socket = Gather::new(peer);
    let mut codec = socket.clone();
    let mut turns = 0;
    let ended = socket.poll_turn(&mut context(), |cx| {
        turns += 1;
        if turns == 1 {
            assert_eq!(write(&mut codec, &[b"hello"]), Poll::Ready(5));
        }
        let mut byte = [0];
        Pin::new(&mut codec).poll_read(cx, &mut ReadBuf::new(&mut byte))
    });
    assert!(matches!(ended, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe));
    assert_eq!(turns, 2);
}

#[test]
fn a_codec_that_does_not_ask_is_not_told_for_ever() {
    let peer = Peer::default();
    peer.0.borrow_mut().broken = true;
    let socket = Gather::new(peer);
    let mut codec = socket.clone();
    let mut turns = 0;
    for expected in [2, 3] {
        let ended = socket.poll_turn(&mut context(), |_| {
            turns += 1;
            if turns == 1 {
                assert_eq!(write(&mut codec, &[b"hello"]), Poll::Ready(5));
            }
            Poll::<()>::Pending
        });
        assert!(ended.is_pending());
        assert_eq!(turns, expected);
    }
    let mut byte = [0];
    let read = Pin::new(&mut codec).poll_read(&mut context(), &mut ReadBuf::new(&mut byte));
    assert!(matches!(read, Poll::Ready(Err(_))));
}

proptest! {
    #[test]
    fn whatever_the_socket_takes_the_bytes_arrive_in_order(
        parts in prop::collection::vec((0..2 * MOST, 0..2 * MOST, any::<bool>()), 1..12),
    ) {
        let peer = Peer::default();
        let mut socket = Gather::new(peer.clone());
        let mut said = Vec::new();
        for (index, (length, room, flushed)) in parts.into_iter().enumerate() {
            let part = vec![u8::try_from(index).unwrap(); length];
            peer.0.borrow_mut().room = room;
            if let Poll::Ready(taken) = write(&mut socket, &[&part]) {
                said.extend_from_slice(&part[..taken]);
            }
            if flushed {
                let _ = flush(&mut socket);
            }
        }
        peer.0.borrow_mut().room = usize::MAX;
        prop_assert_eq!(flush(&mut socket).map(|flushed| flushed.is_ok()), Poll::Ready(true));
        prop_assert_eq!(peer.bytes(), said);
    }
}

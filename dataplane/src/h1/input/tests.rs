//! What buffers hold, and who gets them next.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};

use super::{FULL, Input, MOST, ROOM, SMALL, SPARES};

/// Gives one part after the other, and has nothing to read behind them.
struct Parts(VecDeque<Vec<u8>>);

impl AsyncRead for Parts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let Some(mut part) = self.0.pop_front() else { return Poll::Pending };
        let rest = part.split_off(part.len().min(buffer.remaining()));
        buffer.put_slice(&part);
        if !rest.is_empty() {
            self.0.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads until there is nothing more.
fn fill(input: &mut Input, parts: &[Vec<u8>]) {
    let mut stream = Parts(parts.iter().cloned().collect());
    let mut cx = Context::from_waker(Waker::noop());
    while input.poll_fill(&mut stream, &mut cx).is_ready() {}
}

fn spares() -> usize {
    SPARES.with_borrow(Vec::len)
}

#[test]
fn who_waits_with_a_part_of_a_head_holds_little() {
    let mut input = Input::default();
    let part = b"GET / HTTP/1.1\r\nHos".to_vec();
    fill(&mut input, std::slice::from_ref(&part));
    assert_eq!(input.bytes(), part);
    assert!(input.buffer.capacity() <= 2 * SMALL, "{}", input.buffer.capacity());
    assert_eq!(spares(), 1);
    // The rest is read behind it.
    fill(&mut input, &[b"t: a\r\n\r\n".to_vec()]);
    assert_eq!(input.bytes(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn who_waits_with_nothing_holds_nothing() {
    let mut input = Input::default();
    fill(&mut input, &[]);
    assert_eq!((input.buffer.capacity(), spares()), (0, 1));
}

#[test]
fn a_head_leaves_its_buffer_to_the_next_connection() {
    let mut input = Input::default();
    fill(&mut input, &[vec![b'h'; SMALL + 1]]);
    let place = input.bytes().as_ptr();
    let head = input.take(SMALL);
    input.skip(1);
    input.release();
    assert_eq!(spares(), 1);
    let mut next = Input::default();
    fill(&mut next, &[vec![b'n'; SMALL + 1]]);
    assert_eq!(next.bytes().as_ptr(), place);
    assert_eq!(head, vec![b'h'; SMALL]);
}

#[test]
fn a_part_that_is_used_keeps_its_buffer() {
    let mut input = Input::default();
    fill(&mut input, &[vec![b'p'; SMALL + 1]]);
    let part = input.take(SMALL + 1);
    input.release();
    assert_eq!(spares(), 0);
    let mut next = Input::default();
    fill(&mut next, &[vec![b'n'; SMALL + 1]]);
    assert_eq!(part, vec![b'p'; SMALL + 1]);
}

/// Reads once, takes all of it, and says how much it was.
fn part(input: &mut Input, stream: &mut Parts) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(input.poll_fill(stream, &mut cx).is_ready());
    input.take(usize::MAX).len()
}

#[test]
fn reads_grow_with_a_long_body_and_its_memory_goes() {
    let mut input = Input::default();
    let mut stream = Parts([vec![b'l'; 100 * ROOM], b"end".to_vec()].into());
    let mut sizes = Vec::new();
    for _ in 0..10 {
        sizes.push(part(&mut input, &mut stream));
    }
    assert_eq!(sizes[..8], [ROOM; 8]);
    assert_eq!(sizes[8..], [MOST; 2]);
    input.release();
    assert_eq!((input.buffer.capacity(), spares()), (0, 0));
    assert_eq!(part(&mut input, &mut stream), ROOM);
}

#[test]
fn reads_that_are_not_full_do_not_grow() {
    let mut input = Input::default();
    for _ in 0..3 * FULL {
        let mut stream = Parts([vec![b's'; ROOM - 1]].into());
        assert_eq!(part(&mut input, &mut stream), ROOM - 1);
    }
    let mut stream = Parts([vec![b'l'; 2 * ROOM]].into());
    assert_eq!(part(&mut input, &mut stream), ROOM);
}

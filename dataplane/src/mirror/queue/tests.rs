//! A queue holds what it may and no more, and says why the rest never comes.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::{Copies, CopyBody, Load, PART, QUEUE_BYTES, QUEUED_BYTES, Reason};

fn begin(load: &Rc<Load>) -> (Copies, CopyBody) {
    let mut copies = Copies::default();
    let body = copies.add(load, None);
    (copies, body)
}

fn data(length: usize) -> Frame<Bytes> {
    Frame::data(Bytes::from(vec![b'x'; length]))
}

/// The length of the next part; `None` at the end.
fn next(body: &mut CopyBody) -> Poll<Option<usize>> {
    let frame = body.poll_frame(&Context::from_waker(Waker::noop()));
    frame.map(|frame| frame.map(|frame| frame.unwrap().data_ref().map_or(0, Bytes::len)))
}

#[test]
fn parts_come_in_order_and_then_the_end() {
    let load = Rc::new(Load::default());
    let (mut copies, mut body) = begin(&load);
    assert_eq!(next(&mut body), Poll::Pending);
    copies.push(&data(3), false);
    copies.push(&data(0), false);
    copies.push(&data(5), true);
    assert!(body.queue().is_ended() && !body.is_end_stream());
    // What comes behind the end belongs to nobody.
    copies.push(&data(7), false);
    drop(copies);
    assert_eq!(next(&mut body), Poll::Ready(Some(3)));
    assert_eq!(next(&mut body), Poll::Ready(Some(5)));
    assert!(body.is_end_stream());
    assert_eq!(next(&mut body), Poll::Ready(None));
    assert_eq!((body.queue().broken(), load.held.get()), (None, 0));
}

#[test]
fn trailers_are_the_end() {
    let load = Rc::new(Load::default());
    let (mut copies, mut body) = begin(&load);
    let trailers = HeaderMap::from_iter([(http::header::ETAG, "a".parse().unwrap())]);
    copies.push(&Frame::trailers(trailers.clone()), false);
    assert!(body.queue().is_ended() && !body.is_end_stream());
    let Poll::Ready(Some(Ok(frame))) = body.poll_frame(&Context::from_waker(Waker::noop())) else {
        panic!("no trailers");
    };
    assert_eq!(frame.into_trailers().unwrap(), trailers);
    assert!(body.is_end_stream());
}

#[test]
fn what_does_not_fit_breaks_the_copy_off_and_frees_it() {
    let load = Rc::new(Load::default());
    let (mut copies, body) = begin(&load);
    copies.push(&data(QUEUE_BYTES - PART), false);
    assert_eq!((body.queue().broken(), load.held.get()), (None, QUEUE_BYTES));
    copies.push(&data(1), false);
    assert_eq!(body.queue().broken(), Some(Reason::QueueFull));
    assert_eq!(load.held.get(), 0);
    drop(body);
    let (mut copies, body) = begin(&load);
    copies.push(&data(QUEUE_BYTES), false);
    assert_eq!(body.queue().broken(), None, "one part fits, however large");
    copies.push(&data(1), false);
    // The end of the body does not make it whole.
    copies.end();
    assert_eq!(body.queue().broken(), Some(Reason::QueueFull));
}

#[test]
fn small_parts_count_for_more_than_their_bytes() {
    let load = Rc::new(Load::default());
    let (mut copies, body) = begin(&load);
    for _ in 0..QUEUE_BYTES / (PART + 1) {
        copies.push(&data(1), false);
    }
    assert_eq!(body.queue().broken(), None);
    copies.push(&data(1), false);
    assert_eq!(body.queue().broken(), Some(Reason::QueueFull));
}

#[test]
fn all_copies_of_a_worker_share_a_limit() {
    let load = Rc::new(Load::default());
    let mut all = Vec::new();
    for _ in 0..QUEUED_BYTES / QUEUE_BYTES {
        let (mut copies, body) = begin(&load);
        copies.push(&data(QUEUE_BYTES - PART), false);
        assert_eq!(body.queue().broken(), None);
        all.push((copies, body));
    }
    let (mut copies, body) = begin(&load);
    copies.push(&data(1), false);
    assert_eq!(body.queue().broken(), Some(Reason::QueueFull));
    all.pop();
    let (mut copies, body) = begin(&load);
    copies.push(&data(1), false);
    assert_eq!(body.queue().broken(), None, "what is gone makes room");
    drop(copies);
    assert_eq!(body.queue().broken(), Some(Reason::RequestIncomplete));
    drop((all, body));
    assert_eq!(load.held.get(), 0);
}

#[test]
fn nothing_is_held_for_who_takes_no_more() {
    let load = Rc::new(Load::default());
    let (mut copies, body) = begin(&load);
    copies.push(&data(9), false);
    drop(body);
    copies.push(&data(9), false);
    assert_eq!(load.held.get(), 0);
}

#[test]
fn a_client_gives_way_once_when_a_mirror_is_behind() {
    let load = Rc::new(Load::default());
    let (mut copies, _body) = begin(&load);
    copies.push(&data(9), false);
    assert!(!copies.gives_way());
    copies.push(&data(QUEUE_BYTES / 4), false);
    assert!(copies.gives_way());
    assert!(!copies.gives_way(), "it does not wait");
}

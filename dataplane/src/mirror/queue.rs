//! The way of a request's body to a mirror: the parts that the backend gets, held until the mirror
//! takes them. Who fills it never waits for who empties it.

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use smallvec::SmallVec;

use super::{Load, Reason};
use crate::error::ProxyError;

/// What one copy may hold, in bytes: what a client sends while a mirror that keeps up is not asked
/// for a moment.
pub(super) const QUEUE_BYTES: usize = 1024 * 1024;
/// What all copies of a worker may hold together.
pub(super) const QUEUED_BYTES: usize = 32 * 1024 * 1024;
/// What a part costs beside its bytes, so that many small ones are bounded too.
const PART: usize = 64;

/// The parts that a mirror has not taken yet.
#[derive(Debug)]
pub(super) struct Queue {
    load: Rc<Load>,
    parts: RefCell<VecDeque<Bytes>>,
    trailers: RefCell<Option<HeaderMap>>,
    held: Cell<usize>,
    state: Cell<State>,
    /// The mirror's task.
    waker: RefCell<Option<Waker>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// More comes.
    Open,
    /// Everything is here.
    Ended,
    /// The rest never comes.
    Broken(Reason),
    /// Nobody takes anything any more.
    Closed,
}

/// The ends of a request's queues at which they are filled.
#[derive(Default)]
pub(crate) struct Copies {
    queues: SmallVec<[Rc<Queue>; 1]>,
    /// Whether a mirror should get a turn before the next part.
    behind: bool,
}

/// The body of a copy: the end at which a queue is emptied.
pub(crate) struct CopyBody {
    queue: Rc<Queue>,
    length: Option<u64>,
}

// === impl Queue ===

impl Queue {
    fn new(load: &Rc<Load>) -> Rc<Self> {
        Rc::new(Self {
            load: Rc::clone(load),
            parts: RefCell::default(),
            trailers: RefCell::default(),
            held: Cell::new(0),
            state: Cell::new(State::Open),
            waker: RefCell::default(),
        })
    }

    /// Whether everything that the client sent is here.
    pub(super) fn is_ended(&self) -> bool {
        self.state.get() == State::Ended
    }

    /// Why the rest never comes.
    pub(super) fn broken(&self) -> Option<Reason> {
        match self.state.get() {
            State::Broken(reason) => Some(reason),
            State::Open | State::Ended | State::Closed => None,
        }
    }

    /// Wakes this task at whatever happens.
    pub(super) fn listen(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(known) => known.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }

    /// Takes a part; one for which there is no room breaks the copy off.
    fn push(&self, data: &Bytes) {
        if self.state.get() != State::Open || data.is_empty() {
            return;
        }
        let size = data.len() + PART;
        // A single part fits always: how large it is says the reader of the client's connection.
        let held = self.held.get();
        if (held > 0 && held + size > QUEUE_BYTES) || self.load.held.get() + size > QUEUED_BYTES {
            return self.finish(State::Broken(Reason::QueueFull));
        }
        self.hold(held + size);
        self.parts.borrow_mut().push_back(data.clone());
        self.wake();
    }

    fn pop(&self) -> Option<Bytes> {
        let data = self.parts.borrow_mut().pop_front()?;
        self.hold(self.held.get() - data.len() - PART);
        Some(data)
    }

    /// Nothing is filled in any more; what a broken copy or one that is over holds is let go.
    fn finish(&self, state: State) {
        if self.state.get() != State::Open && state != State::Closed {
            return;
        }
        self.state.set(state);
        if state != State::Ended {
            self.parts.borrow_mut().clear();
            self.hold(0);
        }
        self.wake();
    }

    fn hold(&self, bytes: usize) {
        self.load.held.set(self.load.held.get() - self.held.get() + bytes);
        self.held.set(bytes);
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

// === impl Copies ===

impl Copies {
    /// Another queue, and the body that empties it; `length` is what the client says of its own.
    pub(crate) fn add(&mut self, load: &Rc<Load>, length: Option<u64>) -> CopyBody {
        let queue = Queue::new(load);
        self.queues.push(Rc::clone(&queue));
        CopyBody { queue, length }
    }

    /// Whether the next part should wait for one turn of the other tasks: a client may send more in
    /// one turn than a queue holds. A mirror that is still behind then is not waited for.
    pub(crate) fn gives_way(&mut self) -> bool {
        std::mem::take(&mut self.behind)
    }

    /// A part that the backend gets too; `ended` says that it is the last.
    pub(crate) fn push(&mut self, frame: &Frame<Bytes>, ended: bool) {
        for queue in &self.queues {
            if let Some(data) = frame.data_ref() {
                queue.push(data);
                self.behind |= queue.held.get() > QUEUE_BYTES / 4;
            } else if let Some(trailers) = frame.trailers_ref() {
                *queue.trailers.borrow_mut() = Some(trailers.clone());
            }
            // Behind trailers nothing comes (RFC 9112 section 7.1.2).
            if ended || frame.is_trailers() {
                queue.finish(State::Ended);
            }
        }
    }

    /// The body has ended.
    pub(crate) fn end(&self) {
        for queue in &self.queues {
            queue.finish(State::Ended);
        }
    }
}

/// A body of which not everything was taken is not passed on as if it were whole.
impl Drop for Copies {
    fn drop(&mut self) {
        for queue in &self.queues {
            queue.finish(State::Broken(Reason::RequestIncomplete));
        }
    }
}

// === impl CopyBody ===

impl CopyBody {
    pub(super) fn queue(&self) -> Rc<Queue> {
        Rc::clone(&self.queue)
    }

    pub(crate) const fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.queue.is_ended()
            && self.queue.parts.borrow().is_empty()
            && self.queue.trailers.borrow().is_none()
    }

    /// The next part. That the rest never comes is seen by the task, which then ends.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        if let Some(data) = self.queue.pop() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match self.queue.state.get() {
            State::Open => {
                self.queue.listen(cx);
                Poll::Pending
            }
            State::Ended => {
                let trailers = self.queue.trailers.borrow_mut().take();
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            State::Broken(_) | State::Closed => {
                Poll::Ready(Some(Err(ProxyError::RequestBodyError)))
            }
        }
    }
}

impl Drop for CopyBody {
    fn drop(&mut self) {
        self.queue.finish(State::Closed);
    }
}

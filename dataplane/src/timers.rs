//! Timers, and how to wait for a moment that moves. Some go from request to request: setting a timer of
//! the runtime, and taking it back, costs more than looking at the clock when one fires too early.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

/// Pending until `deadline` passes, which may be put off and come nearer all the while. The timer is made
/// when it first has to be waited for, and set again only when it fires or when the deadline is nearer, so
/// that what moves costs no timer.
pub(crate) fn poll_deadline(
    timer: &mut Option<Pin<Box<Sleep>>>,
    deadline: impl Fn() -> Option<Instant>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        let Some(at) = deadline() else { return Poll::Pending };
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())));
        if timer.deadline() > at.into() {
            timer.as_mut().reset(at.into());
        }
        ready!(timer.as_mut().poll(cx));
        if at <= Instant::now() {
            return Poll::Ready(());
        }
        timer.as_mut().reset(at.into());
    }
}

/// How many a worker keeps: as many as there are requests at the same moment, mostly.
const SPARE: usize = 256;

/// The timers of a worker that nobody uses.
#[derive(Default)]
pub(crate) struct Timers(RefCell<Vec<Pin<Box<Sleep>>>>);

/// A timer that fires at the latest when it was asked to: whoever it wakes looks at the clock, and sets
/// it again if that was too early.
pub(crate) struct Timer<'t> {
    timers: &'t Timers,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timers {
    /// A timer that fires at this moment at the latest.
    pub(crate) fn take(&self, at: Instant) -> Timer<'_> {
        let spare = self.0.borrow_mut().pop();
        let mut sleep = spare.unwrap_or_else(|| Box::pin(tokio::time::sleep_until(at.into())));
        if sleep.deadline() > at.into() || sleep.is_elapsed() {
            sleep.as_mut().reset(at.into());
        }
        Timer { timers: self, sleep: Some(sleep) }
    }
}

impl Timer<'_> {
    /// Ready when it fires.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// Lets it fire at this moment.
    pub(crate) fn reset(&mut self, at: Instant) {
        if let Some(sleep) = &mut self.sleep {
            sleep.as_mut().reset(at.into());
        }
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let mut spare = self.timers.0.borrow_mut();
        if let Some(sleep) = self.sleep.take().filter(|_| spare.len() < SPARE) {
            spare.push(sleep);
        }
    }
}

//! How much a task does before others have their turn. The runtime counts reads and writes, of which a
//! hundred may be ten megabytes, or as many thousand frames; here what they carry counts too.

use std::task::{Context, Poll};

use tokio::task::coop::poll_proceed;

/// Bytes of a body for one unit of the runtime's budget, of which a turn has 128: a turn moves about a
/// quarter of a megabyte, in a fraction of a millisecond.
pub(crate) const BODY: usize = 2048;
/// The same for frames, each of which may be some bytes long and cost as much as a large one.
pub(crate) const FRAMES: usize = 512;

/// Counts bytes that were read, so many to a unit. Whoever has none left is told to wait by its next read
/// or write.
pub(crate) fn spend(bytes: usize, unit: usize, cx: &mut Context<'_>) {
    for _ in 0..bytes / unit {
        let Poll::Ready(budget) = poll_proceed(cx) else { return };
        budget.made_progress();
    }
}

#[cfg(test)]
mod tests {
    //! The budget of a turn ends, and the next turn has another.

    use tokio::task::coop::has_budget_remaining;

    use super::{BODY, FRAMES, spend};

    #[tokio::test]
    async fn a_turn_ends_with_what_was_read_in_it() {
        for (unit, most) in [(BODY, 256 * 1024), (FRAMES, 64 * 1024)] {
            tokio::task::yield_now().await;
            std::future::poll_fn(|cx| {
                spend(most - unit, unit, cx);
                assert!(has_budget_remaining());
                spend(unit, unit, cx);
                assert!(!has_budget_remaining());
                // Beyond it is not an error.
                spend(most, unit, cx);
                std::task::Poll::Ready(())
            })
            .await;
            tokio::task::yield_now().await;
            assert!(has_budget_remaining());
        }
    }
}

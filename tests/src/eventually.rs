//! Waiting for something to become true: polled with a deadline, never slept for.

use std::time::{Duration, Instant};

/// Long enough for a loaded machine; nothing that works needs it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the answer is `Some`, and panics with `what` when it never is.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

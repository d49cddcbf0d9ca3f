//! The thread that writes log lines, so that a slow reader of our output never holds up a
//! request: lines that it does not take in time are dropped and counted.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::telemetry::metrics::Metrics;

/// Batches that may wait to be written, over all workers: about 8 MiB.
const WAITING: usize = 128;
/// Empty buffers that are kept for reuse.
const SPARE: usize = 16;

/// The writing thread.
#[derive(Debug)]
pub struct LogWriter {
    handle: LogHandle,
    thread: JoinHandle<()>,
}

/// What a worker sends its batches through.
#[derive(Clone, Debug)]
pub struct LogHandle {
    batches: SyncSender<Message>,
    /// Touched once for each batch, not for each request.
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
    metrics: Arc<Metrics>,
    switch: LogSwitch,
}

/// Whether requests are logged. A copy switches the same log, while requests go on.
#[derive(Clone, Debug)]
pub struct LogSwitch(Arc<AtomicBool>);

impl LogSwitch {
    /// Switches the log on or off, for requests that end from now on.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}

#[derive(Debug)]
enum Message {
    Lines(Vec<u8>),
    End,
}

impl LogWriter {
    /// Writes to stdout, when it is on.
    #[must_use]
    pub fn stdout(metrics: Arc<Metrics>, on: bool) -> Self {
        let writer = Self::to(std::io::stdout(), metrics);
        writer.handle.switch.set(on);
        writer
    }

    /// Writes to `output`; it is on.
    #[must_use]
    pub fn to(output: impl Write + Send + 'static, metrics: Arc<Metrics>) -> Self {
        let (batches, waiting) = sync_channel(WAITING);
        let spare = Arc::new(Mutex::new(Vec::new()));
        let returned = Arc::clone(&spare);
        let thread = std::thread::spawn(move || write(output, &waiting, &returned));
        let switch = LogSwitch(Arc::new(AtomicBool::new(true)));
        Self { handle: LogHandle { batches, spare, metrics, switch }, thread }
    }

    /// What switches it on and off.
    #[must_use]
    pub fn switch(&self) -> LogSwitch {
        self.handle.switch.clone()
    }

    /// An end for a worker.
    #[must_use]
    pub fn handle(&self) -> LogHandle {
        self.handle.clone()
    }

    /// Writes what was sent before, and ends. Blocks for as long as nobody reads our output.
    pub fn finish(self) {
        if self.handle.batches.send(Message::End).is_ok() && self.thread.join().is_err() {
            tracing::error!("log writer panicked");
        }
    }
}

impl LogHandle {
    /// Whether requests are logged.
    pub(super) fn is_on(&self) -> bool {
        self.switch.0.load(Ordering::Relaxed)
    }

    /// Hands over a batch and leaves an empty buffer. When too much waits, the batch is dropped
    /// and its lines are counted.
    pub(super) fn send(&self, buffer: &mut Vec<u8>) {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let lines = std::mem::replace(buffer, spare.unwrap_or_default());
        match self.batches.try_send(Message::Lines(lines)) {
            Ok(()) => {}
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                if let Message::Lines(mut lines) = message {
                    let count = lines.iter().filter(|byte| **byte == b'\n').count();
                    self.metrics.log_lines_dropped(count);
                    lines.clear();
                    *buffer = lines;
                }
            }
        }
    }
}

fn write(mut output: impl Write, waiting: &Receiver<Message>, spare: &Mutex<Vec<Vec<u8>>>) {
    while let Ok(Message::Lines(mut lines)) = waiting.recv() {
        // Whoever reads our output may have gone; requests go on without a log.
        let _ = output.write_all(&lines).and_then(|()| output.flush());
        lines.clear();
        let mut spare = spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.push(lines);
        }
    }
}

//! Frames that cost us work and a client nothing, counted on their way in (RFC 9113 section 10.5): who
//! sends too many of them is asked to be calm. The codec bounds what it keeps of a frame; that they
//! come without end is seen here.

use std::time::Instant;

/// The bytes that a client begins with (RFC 9113 section 3.4).
pub(in crate::downstream) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The bytes of the head of a frame (section 4.1).
const FRAME_HEAD: usize = 9;

/// Frames that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::downstream) enum Kind {
    Ping,
    Settings,
    Priority,
    Reset,
    WindowUpdate,
    /// Data of no bytes that ends nothing, and heads that go on without a byte.
    Empty,
    /// What no RFC that we know describes.
    Unknown,
}

/// How many may come at once, and how many in a second over a long time.
const BUDGETS: [(Kind, f64, f64); 7] = [
    (Kind::Ping, 1000.0, 100.0),
    (Kind::Settings, 100.0, 10.0),
    (Kind::Priority, 1000.0, 100.0),
    (Kind::Reset, 500.0, 100.0),
    (Kind::WindowUpdate, 2000.0, 1000.0),
    (Kind::Empty, 100.0, 10.0),
    (Kind::Unknown, 1000.0, 100.0),
];

/// Counts the frames of a connection.
#[derive(Debug)]
pub(super) struct Meter {
    /// What comes before the next frame: the preface, or the rest of a frame.
    skip: usize,
    head: [u8; FRAME_HEAD],
    /// How much of the head is there.
    filled: usize,
    left: [f64; BUDGETS.len()],
    since: Instant,
    flood: Option<Kind>,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        let left = BUDGETS.map(|(_, burst, _)| burst);
        let head = [0; FRAME_HEAD];
        Self { skip: PREFACE.len(), head, filled: 0, left, since: now, flood: None }
    }

    /// What came too often.
    pub(super) fn flood(&self) -> Option<Kind> {
        self.flood
    }

    /// We have sent so many bytes: a client acknowledges them, and measures the way that they took.
    pub(super) fn sent(&mut self, bytes: usize) {
        let frames = 10.0 + f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX));
        for (left, (kind, burst, _)) in self.left.iter_mut().zip(BUDGETS) {
            if matches!(kind, Kind::WindowUpdate | Kind::Ping) {
                *left = (*left + frames).min(burst * 2.0);
            }
        }
    }

    /// Counts the frames in what has come.
    pub(super) fn see(&mut self, mut bytes: &[u8], now: Instant) {
        self.refill(now);
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let wanted = (FRAME_HEAD - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + wanted].copy_from_slice(&bytes[..wanted]);
            self.filled += wanted;
            bytes = &bytes[wanted..];
            if self.filled == FRAME_HEAD {
                self.filled = 0;
                self.count();
            }
        }
    }

    fn refill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        for (left, (_, burst, rate)) in self.left.iter_mut().zip(BUDGETS) {
            if *left < burst {
                *left = (*left + seconds * rate).min(burst);
            }
        }
    }

    fn count(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(length).unwrap_or(usize::MAX);
        let ends = flags & 0x1 != 0;
        let heads_end = flags & 0x4 != 0;
        let kind = match kind {
            0x0 if length == 0 && !ends => Kind::Empty,
            0x9 if length == 0 && !heads_end => Kind::Empty,
            0x0 | 0x1 | 0x5 | 0x7 | 0x9 => return,
            0x2 => Kind::Priority,
            0x3 => Kind::Reset,
            // An acknowledgement is what we asked for.
            0x4 if !ends => Kind::Settings,
            0x6 if !ends => Kind::Ping,
            0x4 | 0x6 => return,
            0x8 => Kind::WindowUpdate,
            _ => Kind::Unknown,
        };
        for (left, (known, ..)) in self.left.iter_mut().zip(BUDGETS) {
            if known == kind {
                *left -= 1.0;
                if *left < 0.0 {
                    self.flood = Some(kind);
                }
            }
        }
    }
}

// === impl Kind ===

impl Kind {
    /// The word in the log.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::Settings => "SETTINGS",
            Self::Priority => "PRIORITY",
            Self::Reset => "RST_STREAM",
            Self::WindowUpdate => "WINDOW_UPDATE",
            Self::Empty => "empty DATA or CONTINUATION",
            Self::Unknown => "unknown frames",
        }
    }
}

//! Time as text: RFC 3339 in UTC with milliseconds, formatted once per second.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::HeaderValue;

/// The time of day of moments, for which the system is asked once for many of them.
#[derive(Debug)]
pub(crate) struct TimeOfDay(Cell<(Instant, Duration)>);

impl Default for TimeOfDay {
    fn default() -> Self {
        Self(Cell::new(Self::now()))
    }
}

impl TimeOfDay {
    /// Asks the system. Whoever sets its clock is followed from here on.
    pub(crate) fn set(&self) {
        self.0.set(Self::now());
    }

    /// What the clock shows at a moment, since 1970; a moment before the system was asked is that one.
    pub(crate) fn at(&self, moment: Instant) -> Duration {
        let (known, time) = self.0.get();
        time.saturating_add(moment.saturating_duration_since(known))
    }

    fn now() -> (Instant, Duration) {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        (Instant::now(), time.unwrap_or_default())
    }
}

/// Remembers the last second as text.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    second: Cell<u64>,
    text: RefCell<Vec<u8>>,
}

impl Clock {
    /// Writes a time since 1970 as `2026-11-24T11:23:05.042Z`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, since: Duration) {
        let mut text = self.text.borrow_mut();
        if self.second.get() != since.as_secs() || text.is_empty() {
            self.second.set(since.as_secs());
            text.clear();
            write_second(&mut text, since.as_secs());
        }
        out.extend_from_slice(&text);
        out.push(b'.');
        let millis = since.subsec_millis();
        out.extend([millis / 100, millis / 10 % 10, millis % 10].map(digit));
        out.push(b'Z');
    }
}

/// Remembers the last second as the date of an answer.
#[derive(Debug, Default)]
pub(crate) struct Date {
    second: Cell<u64>,
    value: RefCell<Option<HeaderValue>>,
}

impl Date {
    /// Writes the time as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.value().as_bytes());
    }

    /// The same as the value of a field.
    pub(crate) fn value(&self) -> HeaderValue {
        self.at(SystemTime::now())
    }

    fn at(&self, time: SystemTime) -> HeaderValue {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut value = self.value.borrow_mut();
        if self.second.get() != since.as_secs() {
            *value = None;
        }
        let known = value.get_or_insert_with(|| {
            self.second.set(since.as_secs());
            let second = i64::try_from(since.as_secs()).unwrap_or_default();
            let time = jiff::Timestamp::from_second(second).unwrap_or_default();
            let text = time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            HeaderValue::from_maybe_shared(Bytes::from(text))
                .unwrap_or_else(|_| HeaderValue::from_static(""))
        });
        known.clone()
    }
}

/// Date and time of day.
fn write_second(out: &mut Vec<u8>, seconds: u64) {
    let second = i64::try_from(seconds).unwrap_or_default();
    let time = jiff::Timestamp::from_second(second).unwrap_or_default();
    // Writing to memory does not fail.
    let _ = write!(out, "{}", time.strftime("%Y-%m-%dT%H:%M:%S"));
}

fn digit(value: u32) -> u8 {
    b'0' + u8::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    //! Dates that calendars get wrong.

    use std::cell::Cell;
    use std::time::{Duration, Instant, SystemTime};

    use super::{Clock, Date, TimeOfDay};

    #[test]
    fn moments_behind_a_known_one_have_their_time() {
        let (now, noon) = (Instant::now(), Duration::from_hours(12));
        let time = TimeOfDay(Cell::new((now, noon)));
        let second = Duration::from_secs(1);
        for (moment, expected) in [(now, noon), (now + second, noon + second), (now - second, noon)]
        {
            assert_eq!(time.at(moment), expected);
        }
        time.set();
        let shown = SystemTime::UNIX_EPOCH + time.at(Instant::now());
        assert!(shown.elapsed().unwrap() < Duration::from_mins(1));
    }

    #[test]
    fn known_moments_are_written() {
        let clock = Clock::default();
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_042, "2024-02-29T23:59:59.042Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            let mut out = Vec::new();
            clock.write(&mut out, Duration::from_millis(millis));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn answers_are_dated_as_http_says() {
        let date = Date::default();
        for (second, expected) in
            [(0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT")]
        {
            let value = date.at(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
            assert_eq!(value, expected);
        }
    }
}

//! A line of JSON, written straight into a buffer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fairway_snapshot::redaction::REDACTED;

use crate::address::{AddressText, IpText};

/// What stands before a value under this name.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// The same for a value in quotes, with the first of them.
macro_rules! quoted {
    ($name:literal) => {
        concat!(",\"", $name, "\":\"")
    };
}

pub(super) use {key, quoted};

/// A line that is being written. Names of values come through [`key`] and [`quoted`], so that each is
/// written in one piece.
pub(super) struct Line<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Line<'o> {
    /// Writes some fields, for a line or for many.
    pub(super) fn fields(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Begins a line; the value of its first field comes next, through [`Self::raw`].
    pub(super) fn begin(out: &'o mut Vec<u8>, first: &str) -> Self {
        out.extend_from_slice(first.as_bytes());
        Self { out }
    }

    /// Writes the rest of a text that needs no escaping, and ends it.
    pub(super) fn raw(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.out);
        self.out.push(b'"');
    }

    #[inline]
    fn key(&mut self, key: &str) {
        self.out.extend_from_slice(key.as_bytes());
    }

    /// Text of our own or of Kubernetes names, which never needs escaping.
    #[inline]
    pub(super) fn plain(&mut self, key: &str, text: impl AsRef<[u8]>) {
        self.key(key);
        self.out.extend_from_slice(text.as_ref());
        self.out.push(b'"');
    }

    /// Fields that were written before.
    #[inline]
    pub(super) fn made(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    /// `namespace/name`.
    pub(super) fn object(&mut self, key: &str, namespace: &str, name: &str) {
        self.key(key);
        self.out.extend_from_slice(namespace.as_bytes());
        self.out.push(b'/');
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'"');
    }

    /// Text from outside: whatever its bytes, the line stays JSON. Bytes that are not UTF-8 become
    /// the replacement character.
    pub(super) fn text(&mut self, key: &str, bytes: &[u8]) {
        self.parts(key, [bytes]);
    }

    /// The same in parts, between which something is not told.
    pub(super) fn parts<'p>(&mut self, key: &str, parts: impl IntoIterator<Item = &'p [u8]>) {
        self.key(key);
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(REDACTED.as_bytes());
            }
            self.part(part);
        }
        self.out.push(b'"');
    }

    fn part(&mut self, bytes: &[u8]) {
        // Without an early end, so that many bytes are looked at in one step.
        let odd = |byte: &u8| !matches!(byte, 0x20..=0x7E) | matches!(byte, b'"' | b'\\');
        if !bytes.iter().fold(false, |found, byte| found | odd(byte)) {
            self.out.extend_from_slice(bytes);
        } else {
            for chunk in bytes.utf8_chunks() {
                escape(self.out, chunk.valid());
                if !chunk.invalid().is_empty() {
                    self.out.extend_from_slice("\u{FFFD}".as_bytes());
                }
            }
        }
    }

    pub(super) fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        self.digits(number);
    }

    fn digits(&mut self, number: u64) {
        let mut buffer = itoa::Buffer::new();
        self.out.extend_from_slice(buffer.format(number).as_bytes());
    }

    /// Milliseconds with three decimals.
    pub(super) fn milliseconds(&mut self, key: &str, duration: Duration) {
        self.key(key);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let (whole, rest) = (micros / 1000, micros % 1000);
        self.digits(whole);
        let digit = |value: u64| b'0' + u8::try_from(value % 10).unwrap_or_default();
        self.out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
    }

    /// An address alone.
    pub(super) fn ip(&mut self, key: &str, address: IpAddr) {
        self.plain(key, IpText::from(address).as_bytes());
    }

    /// An address with its port.
    pub(super) fn address(&mut self, key: &str, address: SocketAddr) {
        self.plain(key, AddressText::from(address).as_bytes());
    }

    pub(super) fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }
}

fn escape(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1F | 0x7F => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(DIGITS[usize::from(byte >> 4)]);
                out.push(DIGITS[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
}

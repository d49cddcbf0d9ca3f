//! Digests as text.

use std::fmt::Write;

/// Two hexadecimal digits for each byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to memory does not fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

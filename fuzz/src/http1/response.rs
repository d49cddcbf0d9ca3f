//! Responses to requests of several kinds.

use fairway_dataplane::fuzzing::{Answer, Received};
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode};

use super::{
    End, Pieces, ReadBody, check_body, names, names_well, read_body, second, show, without,
};

/// The greatest head, in bytes.
const MOST: usize = 64 * 1024;

/// A response.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    interims: Vec<StatusCode>,
    status: StatusCode,
    headers: HeaderMap,
    keep_alive: bool,
    switched: bool,
    body: ReadBody,
}

/// Checks what a backend sends: the first byte says what it was asked, `H` for HEAD, `U` for WebSocket,
/// and what follows is its answer.
pub fn check(bytes: &[u8]) {
    let Some((asked, bytes)) = bytes.split_first() else { return };
    let websocket = HeaderValue::from_static("websocket");
    let (method, upgrade) = match asked {
        b'H' => (Method::HEAD, None),
        b'U' => (Method::GET, Some(&websocket)),
        _ => (Method::GET, None),
    };
    let mut ways = Pieces::ways(bytes).into_iter().map(|way| read(way, &method, upgrade));
    let Some(ours) = ways.next() else { return };
    for other in ways {
        assert_eq!(other, ours, "it depends on the pieces: {}", show(bytes));
    }
    let Some(ours) = ours else { return };
    let shown = || format!("answer to {method}, {upgrade:?}: {}", show(bytes));
    let Some(theirs) = second::response(&method, upgrade, bytes) else {
        panic!("hyper takes no {}", shown());
    };
    assert_eq!(ours.status, theirs.status, "{}", shown());
    // We mend what says the length, and hyper leaves some of it.
    let mended = [CONTENT_LENGTH, TRANSFER_ENCODING];
    assert_eq!(without(&ours.headers, &mended), without(&theirs.headers, &mended), "{}", shown());
    if !ours.switched {
        check_body(&ours.body, &theirs.body, &shown);
    }
    check_message(&ours, &shown);
}

fn read(mut pieces: Pieces<'_>, method: &Method, upgrade: Option<&HeaderValue>) -> Option<Message> {
    let mut received = Received::default();
    let mut interims = Vec::new();
    loop {
        match received.response(method, upgrade).ok()? {
            Answer::Partial => {
                let kept = received.kept().len();
                assert!(kept <= MOST, "{kept} bytes of a head are kept");
                if !pieces.next(&mut received) {
                    return None;
                }
            }
            Answer::Interim(status) => interims.push(status),
            Answer::Final(mut head) => {
                let body = read_body(&mut head.body, &mut received, &mut pieces, true);
                return Some(Message {
                    interims,
                    status: head.status,
                    headers: head.headers,
                    keep_alive: head.keep_alive,
                    switched: head.switched,
                    body,
                });
            }
        }
    }
}

/// What the RFC says of a response that was taken.
fn check_message(message: &Message, shown: &dyn Fn() -> String) {
    let headers = &message.headers;
    let switched = message.status == StatusCode::SWITCHING_PROTOCOLS;
    assert_eq!(message.switched, switched, "{}", shown());
    let interim = message.interims.iter().all(StatusCode::is_informational);
    assert!(interim && !message.interims.contains(&StatusCode::SWITCHING_PROTOCOLS), "{}", shown());
    // Who says close goes, whatever else is said (RFC 9112 section 9.3), and who says what is no list.
    let goes = names(headers, b"close") || !names_well(headers);
    assert!(!(message.keep_alive && goes), "{}", shown());
    // One way to tell the length, and one length.
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    let coded = headers.contains_key(TRANSFER_ENCODING);
    assert!(lengths <= 1 && !(lengths == 1 && coded), "{}", shown());
    if message.keep_alive && message.body.data.is_empty() && message.body.end == End::Whole {
        return;
    }
    // Without either, a body ends with its connection.
    assert!(!message.keep_alive || lengths == 1 || coded, "{}", shown());
}

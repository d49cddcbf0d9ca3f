//! Requests, one behind the other over one connection.

use fairway_dataplane::Config;
use fairway_dataplane::fuzzing::Received;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Uri, Version};

use super::{End, Pieces, ReadBody, check_body, names, names_well, read_body, second, show};

/// The longest head that is taken, in bytes: short, so that the limit is met.
const MOST: usize = 1024;

/// A request.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    method: Method,
    target: Uri,
    version: Version,
    headers: HeaderMap,
    keep_alive: bool,
    body: ReadBody,
}

/// What a client said: whole requests, perhaps one that is not, and whether something was refused.
#[derive(Debug, PartialEq, Eq)]
struct Conversation {
    messages: Vec<Message>,
    refused: bool,
}

/// Checks what a client sends.
pub fn check(bytes: &[u8]) {
    let mut ways = Pieces::ways(bytes).into_iter().map(read);
    let Some(ours) = ways.next() else { return };
    for other in ways {
        assert_eq!(other, ours, "it depends on the pieces: {}", show(bytes));
    }
    let theirs = second::requests(bytes);
    for (number, message) in ours.messages.iter().enumerate() {
        let shown = || format!("request {number} of {}", show(bytes));
        let Some(theirs) = theirs.get(number) else {
            panic!("hyper takes no {}", shown());
        };
        assert_eq!(
            (&message.method, &message.target, message.version, &message.headers),
            (&theirs.method, &theirs.target, theirs.version, &theirs.headers),
            "{}",
            shown()
        );
        check_body(&message.body, &theirs.body, &shown);
        check_message(message, &shown);
    }
}

fn read(mut pieces: Pieces<'_>) -> Conversation {
    let config = Config { client_head_bytes: MOST, ..Config::default() };
    let mut received = Received::default();
    let mut conversation = Conversation { messages: Vec::new(), refused: false };
    loop {
        match received.request(&config) {
            Ok(None) => {
                let kept = received.kept().len();
                assert!(kept <= MOST, "{kept} bytes of a head are kept");
                if !pieces.next(&mut received) {
                    return conversation;
                }
            }
            Ok(Some(mut request)) => {
                let body = read_body(&mut request.body, &mut received, &mut pieces, true);
                let last = body.end != End::Whole || !request.keep_alive;
                conversation.messages.push(Message {
                    method: request.method,
                    target: request.target,
                    version: request.version,
                    headers: request.headers,
                    keep_alive: request.keep_alive,
                    body,
                });
                if last {
                    return conversation;
                }
            }
            Err(_) => {
                conversation.refused = true;
                return conversation;
            }
        }
    }
}

/// What the RFC says of a request that was taken.
fn check_message(message: &Message, shown: &dyn Fn() -> String) {
    let headers = &message.headers;
    // Who says close goes, whatever else is said (RFC 9112 section 9.3), and who says what is no list.
    let stays = names_well(headers)
        && !names(headers, b"close")
        && (message.version == Version::HTTP_11 || names(headers, b"keep-alive"));
    assert_eq!(message.keep_alive, stays, "{}", shown());
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next() {
        assert!(lengths.next().is_none(), "two lengths: {}", shown());
        if message.body.end == End::Whole {
            let got = message.body.data.len().to_string();
            assert_eq!(length.as_bytes(), got.as_bytes(), "{}", shown());
        }
    }
    assert!(message.target.to_string().len() <= MOST, "{}", shown());
}

//! What is read does not depend on how it was cut into pieces, and what is written is what RFC 9112
//! asks for.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use http_body::Frame;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::response::{Parsed, parse};
use super::upload;
use crate::h1::{Decoder, Framing, Input, Malformed, Output, Step};
use crate::message::RequestHead;
use crate::mirror::{Copies, Load};
use crate::socket::Socket;
use crate::upstream::connect::BackendSocket;
use crate::upstream::exchange::{Outgoing, RequestBody};

/// Status, body and trailers of an answer; or what is wrong with it.
type Read = Result<(u16, Vec<u8>, Vec<String>), Malformed>;

/// Reads an answer that comes in these pieces; `None` when its end never comes.
fn read(pieces: &[&[u8]]) -> Option<Read> {
    let mut pieces = pieces.iter();
    let mut input = Input::of(b"");
    let mut decoder: Option<(u16, Decoder)> = None;
    let (mut body, mut trailers) = (Vec::new(), Vec::new());
    loop {
        let more = match &mut decoder {
            None => match parse(&mut input, &Method::GET, None) {
                Ok(Parsed::Final(head)) => {
                    decoder = Some((head.head.status.as_u16(), head.decoder));
                    false
                }
                Ok(Parsed::Interim(_)) => false,
                Ok(Parsed::Partial) => true,
                Err(malformed) => return Some(Err(malformed)),
            },
            Some((status, decoder)) => match decoder.next(&mut input) {
                Ok(Step::Data(data)) => {
                    body.extend_from_slice(&data);
                    false
                }
                Ok(Step::Trailers(fields)) => {
                    trailers.extend(fields.keys().map(ToString::to_string));
                    false
                }
                Ok(Step::End) => return Some(Ok((*status, body, trailers))),
                Ok(Step::More) => true,
                Err(malformed) => return Some(Err(malformed)),
            },
        };
        if more {
            match pieces.next() {
                Some(piece) => input.push(piece),
                None => {
                    let (_, decoder) = decoder.as_mut()?;
                    if !decoder.end_of_connection() {
                        return None;
                    }
                }
            }
        }
    }
}

const HEADS: [&str; 4] = [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding:chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n",
    "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
];
const BODIES: [&str; 4] = [
    "5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\n\r\n",
    "c\r\nhello, world\r\n0\r\nX-Sum: 1\r\nX-End: 2\r\n\r\n",
    "hello, world",
    "5\r\nhello\r\nzz\r\n",
];

proptest! {
    #[test]
    fn pieces_do_not_matter(head in 0..4usize, body in 0..4usize, cuts in prop::collection::vec(0..120usize, 0..12)) {
        let whole = format!("{}{}", HEADS[head], BODIES[body]);
        let whole = whole.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
        cuts.extend([0, whole.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &whole[ends[0]..ends[1]]).collect();
        prop_assert_eq!(read(&pieces), read(&[whole]));
    }

    #[test]
    fn no_bytes_are_read_as_more_than_they_are(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let whole = [HEADS[0].as_bytes(), &bytes].concat();
        if let Some(Ok((_, body, _))) = read(&[&whole]) {
            prop_assert!(body.len() <= bytes.len());
        }
    }
}

#[test]
fn whole_answers_are_read() {
    let read = |text: String| read(&[text.as_bytes()]);
    let hello = b"hello, world".to_vec();
    for head in &HEADS[..2] {
        let read = |body: &str| read(format!("{head}{body}"));
        assert_eq!(read(BODIES[0]), Some(Ok((200, hello.clone(), vec![]))));
        let trailers = vec!["x-sum".to_owned(), "x-end".to_owned()];
        assert_eq!(read(BODIES[1]), Some(Ok((200, hello.clone(), trailers))));
        assert!(matches!(read(BODIES[3]), Some(Err(_))));
        assert_eq!(read("5\r\nhel"), None);
    }
    assert_eq!(read(format!("{}{}", HEADS[2], BODIES[2])), Some(Ok((200, hello.clone(), vec![]))));
    assert_eq!(read(format!("{}hello", HEADS[2])), None);
    assert_eq!(read(format!("{}{}", HEADS[3], BODIES[2])), Some(Ok((200, hello, vec![]))));
}

#[test]
fn what_is_too_long_is_refused() {
    let long = "x".repeat(70_000);
    for text in [
        format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nX: {long}"),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: 1\r\n".repeat(129)),
        format!("{}5;{}", HEADS[0], &long[..5000]),
        format!("{}0\r\nX: {}", HEADS[0], &long[..20_000]),
    ] {
        assert!(matches!(read(&[text.as_bytes()]), Some(Err(_))), "{}", &text[..60]);
    }
    let most = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: 1\r\n".repeat(128));
    assert!(matches!(read(&[most.as_bytes()]), Some(Ok(_))));
}

#[test]
fn trailers_are_as_long_as_they_may_be_however_they_come() {
    let trailers = |length: usize| {
        let head = format!("{}0\r\nX: ", HEADS[0]);
        let end = "\r\n\r\n";
        // The limit is that of the trailer section, with its last line.
        format!("{head}{}{end}", "x".repeat(length - "X: ".len() - end.len()))
    };
    for (text, fits) in [(trailers(16 * 1024), true), (trailers(16 * 1024 + 1), false)] {
        let whole = read(&[text.as_bytes()]);
        assert_eq!(matches!(whole, Some(Ok(_))), fits, "{} bytes", text.len());
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(1000).collect();
        assert_eq!(read(&pieces), whole, "{} bytes in pieces", text.len());
    }
}

#[test]
fn who_says_close_is_not_asked_again_whatever_else_it_says() {
    for (fields, stays) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", true),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close, keep-alive\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive, close\r\n", false),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nConnection: keep-alive\r\n",
            false,
        ),
    ] {
        let mut input = Input::of(format!("{fields}\r\n").as_bytes());
        let parsed = parse(&mut input, &Method::GET, None);
        let Ok(Parsed::Final(head)) = parsed else { panic!("{fields:?} is no head") };
        assert_eq!(head.keep_alive, stays, "{fields:?}");
    }
}

fn request(method: &str, fields: &[(&'static str, &'static str)]) -> Outgoing {
    let headers = fields.iter().copied().collect();
    let head = RequestHead {
        method: method.parse().unwrap(),
        target: Uri::from_static("/a%20b?x=%41"),
        version: Version::HTTP_11,
        headers,
    };
    Outgoing { head, body: None, expects: false, upgrade: None }
}

#[test]
fn requests_are_written_with_the_length_that_they_have() {
    let fields = [("host", "a"), ("content-length", "007"), ("x-a", "1"), ("x-a", "2")];
    let mut output = Output::default();
    let mut written = |framing| {
        upload::head(output.begin(), &request("PUT", &fields), framing);
        String::from_utf8(output.waiting()).unwrap()
    };
    let first = "PUT /a%20b?x=%41 HTTP/1.1\r\nhost: a\r\n";
    let rest = "x-a: 1\r\nx-a: 2\r\n";
    assert_eq!(written(Framing::Length(7)), format!("{first}{rest}content-length: 7\r\n\r\n"));
    assert_eq!(
        written(Framing::Chunked),
        format!("{first}{rest}transfer-encoding: chunked\r\n\r\n")
    );
    upload::head(output.begin(), &request("POST", &[("content-length", "0")]), Framing::Empty);
    assert!(output.waiting().ends_with(b"content-length: 0\r\n\r\n"));
    // Behind a head that was not written yet, in one write; then alone.
    let part = || Bytes::from_static(b"hello, world, and more");
    output.chunk(part(), true);
    let behind = b"content-length: 0\r\n\r\n16\r\nhello, world, and more\r\n0\r\n\r\n";
    assert!(output.waiting().ends_with(behind));
    output.begin();
    output.chunk(part(), false);
    assert_eq!(output.waiting(), b"16\r\nhello, world, and more\r\n");
    output.begin();
    output.last_chunk(None);
    assert_eq!(output.waiting(), b"0\r\n\r\n");
    // What is large is not copied, and comes in its place all the same.
    for length in [1, 1024, 1025] {
        let large = Bytes::from(vec![b'x'; length]);
        output.begin().extend_from_slice(b"head ");
        output.data(large.clone());
        assert_eq!(output.waiting(), [b"head ", &large[..]].concat());
        output.begin().extend_from_slice(b"head ");
        output.chunk(large.clone(), true);
        let size = format!("head {length:x}\r\n");
        assert_eq!(output.waiting(), [size.as_bytes(), &large, b"\r\n0\r\n\r\n"].concat());
    }
}

/// A socket to a backend over which nothing can be sent any more.
async fn closed() -> BackendSocket {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    stream.shutdown().await.unwrap();
    Socket::Plain(stream)
}

#[tokio::test]
async fn a_body_of_which_nothing_was_sent_is_whole_for_the_next_connection() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", HeaderValue::from_static("1"));
    for parts in [&["first", "second"][..], &["only"], &[]] {
        let mut copies = Copies::default();
        let copy = copies.add(&Rc::new(Load::default()), None);
        for part in parts {
            copies.push(&Frame::data(Bytes::from_static(part.as_bytes())), false);
        }
        copies.push(&Frame::trailers(trailers.clone()), true);
        let mut body = Some(RequestBody::Copy(copy));
        // It may be tried more than once.
        for _ in 0..2 {
            let mut output = Output::default();
            let mut outgoing = Outgoing { body: body.take(), ..request("POST", &[]) };
            let mut upload = upload::Upload::begin(&mut outgoing, &mut output);
            let mut stream = closed().await;
            std::future::poll_fn(|cx| upload.poll(&mut output, &mut stream, cx)).await.unwrap();
            assert!(output.is_untouched());
            body = upload.into_unsent_body();
        }
        let mut body = body.unwrap();
        let mut read = Vec::new();
        while let Some(frame) = std::future::poll_fn(|cx| body.poll_frame(cx)).await {
            match frame.unwrap().into_data() {
                Ok(data) => read.push(String::from_utf8(data.to_vec()).unwrap()),
                Err(frame) => {
                    assert_eq!(frame.into_trailers().unwrap(), trailers);
                    read.push("trailers".to_owned());
                }
            }
        }
        assert_eq!(read, [parts, &["trailers"]].concat());
    }
}

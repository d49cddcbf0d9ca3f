//! The PROXY protocol, versions 1 and 2 (the specification of HAProxy, 2020/03/05): what a load balancer that
//! passes bytes on says of the client, before the client's first byte. Read strictly: what is not exactly
//! one of the two is neither guessed at nor passed on.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::error::MessageProblem;

/// What version 1 begins with (section 2.1).
const TEXT: &[u8] = b"PROXY ";
/// The longest line of version 1, with its end.
const MAX_LINE: usize = 107;
/// What version 2 begins with (section 2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
const HEAD: usize = 16;
/// The most that may follow: addresses, and what else is told of the connection (TLVs), of which
/// certificates are the largest.
const MAX_REST: usize = 4096;
/// How much is read at once: more than most announcements.
const PART: usize = 512;

/// What is said of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// It comes from this client, and went to this address.
    Client { from: SocketAddr, to: SocketAddr },
    /// It is the load balancer's own, such as a health check, or it does not know whose.
    Own,
}

/// Reads an announcement; gives what was read behind it, too. `None` when the connection ends without a word.
pub(super) async fn read(
    stream: &mut TcpStream,
) -> Result<Option<(Announced, Bytes)>, MessageProblem> {
    let mut buffer = BytesMut::new();
    loop {
        if let Some((announced, length)) = parse(&buffer)? {
            buffer.advance(length);
            return Ok(Some((announced, buffer.freeze())));
        }
        buffer.reserve(PART);
        if !stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
            return if buffer.is_empty() { Ok(None) } else { Err(MALFORMED) };
        }
    }
}

/// Reads what has come; gives how long it was. `None` while more must come.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Announced, usize)>, MessageProblem> {
    let begins = |with: &[u8]| {
        let some = bytes.len().min(with.len());
        bytes.get(..some) == with.get(..some)
    };
    if begins(TEXT) {
        line(bytes)
    } else if begins(SIGNATURE) {
        binary(bytes)
    } else {
        Err(MessageProblem::NoProxyProtocol)
    }
}

const MALFORMED: MessageProblem = MessageProblem::ProxyProtocol;

fn line(bytes: &[u8]) -> Result<Option<(Announced, usize)>, MessageProblem> {
    let within = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < MAX_LINE { Ok(None) } else { Err(MALFORMED) };
    };
    let text = within.get(TEXT.len()..end).and_then(|text| text.strip_suffix(b"\r"));
    let text = text.and_then(|text| std::str::from_utf8(text).ok()).ok_or(MALFORMED)?;
    if text.contains('\r') {
        return Err(MALFORMED);
    }
    let announced = if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        // Whatever else the line says is not for us.
        Some(Announced::Own)
    } else {
        client(text)
    };
    announced.map(|announced| Some((announced, end + 1))).ok_or(MALFORMED)
}

/// `TCP4 192.0.2.7 10.0.0.1 4711 443`.
fn client(text: &str) -> Option<Announced> {
    let mut words = text.split(' ');
    let family = words.next()?;
    let mut address = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (from, to) = (address()?, address()?);
    let mut port = || {
        let word = words.next()?;
        let plain = word.bytes().all(|byte| byte.is_ascii_digit());
        let plain = plain && (word == "0" || !word.starts_with('0'));
        word.parse::<u16>().ok().filter(|_| plain)
    };
    let (from, to) = (SocketAddr::new(from, port()?), SocketAddr::new(to, port()?));
    words.next().is_none().then_some(Announced::Client { from, to })
}

fn binary(bytes: &[u8]) -> Result<Option<(Announced, usize)>, MessageProblem> {
    let Some(head) = bytes.get(SIGNATURE.len()..HEAD) else { return Ok(None) };
    let &[version, family, high, low] = head else { return Err(MALFORMED) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_REST || version >> 4 != 2 {
        return Err(MALFORMED);
    }
    let own = match (version & 0xF, family) {
        (0, _) => true,
        // AF_UNSPEC, and a client of a socket of Unix, which has no address that means anything here.
        (1, 0x00 | 0x31) => true,
        (1, 0x11 | 0x21) => false,
        _ => return Err(MALFORMED),
    };
    let Some(rest) = bytes.get(HEAD..HEAD + length) else { return Ok(None) };
    let announced = if own {
        Announced::Own
    } else if family == 0x11 {
        addresses::<4>(rest).ok_or(MALFORMED)?
    } else {
        addresses::<16>(rest).ok_or(MALFORMED)?
    };
    Ok(Some((announced, HEAD + length)))
}

/// Source and destination, and their ports; what stands behind them is skipped.
fn addresses<const N: usize>(rest: &[u8]) -> Option<Announced>
where
    [u8; N]: Into<IpAddr>,
{
    let (from, rest) = rest.split_first_chunk::<N>()?;
    let (to, rest) = rest.split_first_chunk::<N>()?;
    let (from_port, rest) = rest.split_first_chunk::<2>()?;
    let (to_port, _) = rest.split_first_chunk::<2>()?;
    let address = |address: &[u8; N], port: &[u8; 2]| {
        SocketAddr::new((*address).into(), u16::from_be_bytes(*port))
    };
    Some(Announced::Client { from: address(from, from_port), to: address(to, to_port) })
}

//! Addresses as text. Formatting the usual ones the general way costs more than all other numbers of a
//! request.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The longest: an IPv6 address that ends as one of IPv4.
const MOST: usize = 45;

/// The same in brackets, with a colon and a port.
const MOST_WITH_PORT: usize = MOST + 8;

/// An address as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IpText {
    text: [u8; MOST],
    length: usize,
}

/// An address with its port as text, one of IPv6 in brackets (RFC 3986 section 3.2.2). What is an address
/// of IPv4 in the form of IPv6 is told as one of IPv4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressText {
    text: [u8; MOST_WITH_PORT],
    /// Where the address stands, without brackets.
    ip: (usize, usize),
    length: usize,
}

impl AddressText {
    /// The whole.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }

    /// The address alone.
    pub(crate) fn ip(&self) -> &[u8] {
        self.text.get(self.ip.0..self.ip.1).unwrap_or_default()
    }

    fn push(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        // There is room for each.
        if let Some(place) = self.text.get_mut(self.length..end) {
            place.copy_from_slice(part);
            self.length = end;
        }
    }
}

impl From<SocketAddr> for AddressText {
    fn from(address: SocketAddr) -> Self {
        let ip = address.ip().to_canonical();
        let mut text = Self { text: [0; MOST_WITH_PORT], ip: (0, 0), length: 0 };
        let (before, after) = if ip.is_ipv6() { ("[", "]:") } else { ("", ":") };
        text.push(before.as_bytes());
        let begin = text.length;
        text.push(IpText::from(ip).as_bytes());
        text.ip = (begin, text.length);
        text.push(after.as_bytes());
        text.push(itoa::Buffer::new().format(address.port()).as_bytes());
        text
    }
}

impl IpText {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(next) = self.text.get_mut(self.length) {
            *next = byte;
            self.length += 1;
        }
    }

    fn push_v4(&mut self, address: Ipv4Addr) {
        for (index, octet) in address.octets().into_iter().enumerate() {
            if index > 0 {
                self.push(b'.');
            }
            if octet > 99 {
                self.push(b'0' + octet / 100);
            }
            if octet > 9 {
                self.push(b'0' + octet / 10 % 10);
            }
            self.push(b'0' + octet % 10);
        }
    }
}

impl From<IpAddr> for IpText {
    fn from(address: IpAddr) -> Self {
        let mut text = Self { text: [0; MOST], length: 0 };
        match address {
            IpAddr::V4(address) => text.push_v4(address),
            IpAddr::V6(address) => {
                let mut rest = &mut text.text[..];
                // There is room for each.
                let _ = write!(rest, "{address}");
                text.length = MOST - rest.len();
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    //! Against the standard library.

    use std::net::{IpAddr, SocketAddr};

    use proptest::prelude::{any, proptest};

    use super::{AddressText, IpText};

    #[test]
    fn the_longest_has_room() {
        for text in ["1111:2222:3333:4444:5555:6666:7777:8888", "::ffff:255.255.255.255", "::"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(IpText::from(address).as_bytes(), address.to_string().as_bytes());
            let address = SocketAddr::new(address.to_canonical(), u16::MAX);
            assert_eq!(AddressText::from(address).as_bytes(), address.to_string().as_bytes());
        }
    }

    proptest! {
        #[test]
        fn every_address_is_written_as_the_standard_library_does(address: IpAddr) {
            assert_eq!(IpText::from(address).as_bytes(), address.to_string().as_bytes());
        }

        #[test]
        fn so_is_each_with_a_port(address: IpAddr, port: u16) {
            let text = AddressText::from(SocketAddr::new(address, port));
            let canonical = address.to_canonical();
            let whole = SocketAddr::new(canonical, port).to_string();
            assert_eq!(text.as_bytes(), whole.as_bytes());
            assert_eq!(text.ip(), canonical.to_string().as_bytes());
        }

        #[test]
        fn so_is_each_octet(octet in any::<u8>()) {
            let address = IpAddr::from([octet, 0, octet, 255]);
            assert_eq!(IpText::from(address).as_bytes(), address.to_string().as_bytes());
        }
    }
}

//! Addresses as text. Formatting the usual ones the general way costs more than all other numbers of a
//! request.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};

/// The longest: an IPv6 address that ends as one of IPv4.
const MOST: usize = 45;

/// An address as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IpText {
    text: [u8; MOST],
    length: usize,
}

impl IpText {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

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

    use std::net::IpAddr;

    use proptest::prelude::{any, proptest};

    use super::IpText;

    #[test]
    fn the_longest_has_room() {
        for text in ["1111:2222:3333:4444:5555:6666:7777:8888", "::ffff:255.255.255.255", "::"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(IpText::from(address).as_str(), address.to_string());
        }
    }

    proptest! {
        #[test]
        fn every_address_is_written_as_the_standard_library_does(address: IpAddr) {
            assert_eq!(IpText::from(address).as_str(), address.to_string());
        }

        #[test]
        fn so_is_each_octet(octet in any::<u8>()) {
            let address = IpAddr::from([octet, 0, octet, 255]);
            assert_eq!(IpText::from(address).as_str(), address.to_string());
        }
    }
}

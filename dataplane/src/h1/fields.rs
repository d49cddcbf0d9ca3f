//! What values of fields say that frame a message.

use super::Malformed;
use crate::fields::{Fields, Known};

/// `1*DIGIT` (RFC 9110 section 8.6).
pub(crate) fn content_length(text: &[u8]) -> Result<u64, Malformed> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let add = |number: u64, byte| number.checked_mul(10)?.checked_add(digit(byte)?);
    let number = text.iter().try_fold(0, add).filter(|_| !text.is_empty());
    number.ok_or(Malformed("a bad length of the body"))
}

/// The length of a request's body; none that some readers could not hold.
pub(crate) fn request_length(text: &[u8]) -> Option<u64> {
    content_length(text).ok().filter(|number| i64::try_from(*number).is_ok())
}

/// The members of a list of tokens, as `Connection` and `Transfer-Encoding` are.
pub(crate) fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether the connection stays open behind a message; `usual` where nothing is said of it, as its version
/// has it. Who says close goes, whatever else it says (RFC 9112 section 9.3), and so does who says what is no
/// list of options: some readers then see none of them, and end the message's connection where others go on.
pub(crate) fn stays_open(headers: &Fields, usual: bool) -> bool {
    let mut keep_alive = usual;
    for value in headers.all(Known::Connection) {
        for option in options(value) {
            if option.eq_ignore_ascii_case(b"keep-alive") {
                keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") || !option.iter().all(is_of_token) {
                return false;
            }
        }
    }
    keep_alive
}

/// Whether a byte may stand in a token (RFC 9110 section 5.6.2).
fn is_of_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// Whether CR and LF stand together wherever one of them stands, as at the end of a line: some readers
/// take one alone for the end of a line, and some do not (RFC 9112 section 2.2).
pub(crate) fn lines_end_well(head: &[u8]) -> bool {
    // Without an early end, so that many bytes are looked at in one step.
    let pairs = head.iter().zip(head.iter().skip(1));
    let alone =
        pairs.fold(false, |found, (one, next)| found | ((*one == b'\r') != (*next == b'\n')));
    !alone && head.first() != Some(&b'\n') && head.last() != Some(&b'\r')
}

#[cfg(test)]
mod tests {
    //! What is looked at in many bytes at once, against what it means.

    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{content_length, lines_end_well, stays_open};
    use crate::fields::Fields;

    #[test]
    fn a_connection_stays_open_where_everybody_reads_that_it_does() {
        for (values, of_11, of_10) in [
            (&[][..], true, false),
            (&["keep-alive"], true, true),
            (&["Keep-Alive, x"], true, true),
            (&["x,, ", "", "KEEP-ALIVE"], true, true),
            (&["close"], false, false),
            (&["keep-alive, Close"], false, false),
            (&["keep-alive", "x, close"], false, false),
            // No options: some readers see none of the others either.
            (&["\u{ff}x, keep-alive"], false, false),
            (&["keep-alive, x y"], false, false),
            (&["\"keep-alive\""], false, false),
        ] {
            let fields: Fields = values.iter().map(|value| ("connection", *value)).collect();
            assert_eq!(stays_open(&fields, true), of_11, "{values:?}");
            assert_eq!(stays_open(&fields, false), of_10, "{values:?}");
        }
    }

    #[test]
    fn a_length_has_an_end() {
        for (text, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999999999999", None),
            ("", None),
            ("+1", None),
            ("1 ", None),
            ("1,1", None),
        ] {
            assert_eq!(content_length(text.as_bytes()).ok(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn lines_end_well_where_no_cr_and_no_lf_stands_alone(text in "[a\r\n]{0,40}") {
            let rest = text.replace("\r\n", "");
            prop_assert_eq!(lines_end_well(text.as_bytes()), !rest.contains(['\r', '\n']));
        }

        #[test]
        fn a_length_is_a_number(digits in prop::collection::vec(b'0'..=b'9', 1..24)) {
            let text = String::from_utf8(digits).unwrap();
            prop_assert_eq!(content_length(text.as_bytes()).ok(), text.parse().ok());
        }
    }
}

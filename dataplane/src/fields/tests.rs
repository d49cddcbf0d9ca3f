//! Fields are the same as a list of names and values that is searched from its beginning to its end.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Fields, Known};

/// What the same is when it is done the plain way.
#[derive(Clone, Debug, Default)]
struct Plain(Vec<(String, Vec<u8>)>);

impl Plain {
    fn is(one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        match self.0.iter().position(|(one, _)| Self::is(one, name)) {
            None => self.0.push((name.to_owned(), value.to_vec())),
            Some(first) => {
                self.0[first] = (name.to_owned(), value.to_vec());
                let mut index = 0;
                self.0.retain(|(one, _)| {
                    index += 1;
                    index - 1 <= first || !Self::is(one, name)
                });
            }
        }
    }

    fn written(&self, without: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in &self.0 {
            if !without.iter().any(|one| Self::is(one, name)) {
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b": ");
                out.extend_from_slice(value);
                out.extend_from_slice(b"\r\n");
            }
        }
        out
    }
}

/// Reads a head as the parsers do.
fn read(text: &str) -> Fields {
    let mut places = [httparse::EMPTY_HEADER; 64];
    let (length, parsed) = httparse::parse_headers(text.as_bytes(), &mut places).unwrap().unwrap();
    assert_eq!(length, text.len());
    Fields::found(text.as_bytes(), parsed).unwrap().over(Bytes::copy_from_slice(text.as_bytes()))
}

fn written(fields: &Fields, without: u64) -> String {
    let mut out = Vec::new();
    fields.write(&mut out, without);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_known_name_is_found_in_letters_of_either_size() {
    let mut bits = 0;
    for known in Known::ALL {
        let text = known.text();
        assert_eq!(text, text.to_ascii_lowercase());
        assert_eq!(Known::of(text.as_bytes()), Some(*known));
        assert_eq!(Known::of(text.to_ascii_uppercase().as_bytes()), Some(*known));
        assert_eq!(Known::of(format!("{text}x").as_bytes()), None);
        assert_eq!(bits & known.bit(), 0, "{text} has a bit of its own");
        bits |= known.bit();
    }
    for unknown in ["", "x", "hosts", "x-forwarded-four", "content_length"] {
        assert_eq!(Known::of(unknown.as_bytes()), None);
    }
}

#[test]
fn what_came_is_written_as_it_came_and_odd_blanks_are_not() {
    let text = "Host: a\r\nX-Odd:1\r\nX-Tail: 0 \r\nX-Wide:   2  \r\nX-Empty:\r\nX-eMPTY: \r\nacCept: */*\r\n\r\n";
    let mut fields = read(text);
    let expected = "Host: a\r\nX-Odd: 1\r\nX-Tail: 0\r\nX-Wide: 2\r\nX-Empty: \r\nX-eMPTY: \r\nacCept: */*\r\n";
    assert_eq!(written(&fields, 0), expected);
    fields.remove(Known::Accept);
    fields.add("x-own", b"3");
    fields.set(Known::Host, b"b");
    assert_eq!(
        written(&fields, Known::Host.bit()),
        "X-Odd: 1\r\nX-Tail: 0\r\nX-Wide: 2\r\nX-Empty: \r\nX-eMPTY: \r\nx-own: 3\r\n"
    );
    assert_eq!(fields.get(Known::Host), Some(&b"b"[..]));
    assert_eq!(fields.get("x-empty"), Some(&b""[..]));
    assert_eq!(fields.only("X-EMPTY"), None);
    assert_eq!(fields.only("x-odd"), Some(&b"1"[..]));
    assert_eq!(fields.all("x-empty").count(), 2);
    let map = fields.to_map(0);
    assert_eq!(map.get_all("x-empty").iter().count(), 2);
    assert_eq!(map["x-wide"], "2");
    assert_eq!(Fields::from(&map).to_map(0), map);
}

#[test]
fn http2_is_told_which_values_hardly_come_twice() {
    let fields = [("x-request-id", "1"), ("host", "a"), ("date", "now"), ("x-a", "2")];
    let map: Fields = fields.into_iter().collect();
    let map = map.to_map(Known::Host.bit());
    assert!(!map.contains_key("host"));
    assert!(map["x-request-id"].is_sensitive());
    assert!(!map["date"].is_sensitive() && !map["x-a"].is_sensitive());
}

#[test]
fn known_names_are_the_same_in_http2() {
    for known in Known::ALL {
        assert_eq!(known.name().as_str(), known.text());
    }
}

#[test]
fn noted_values_outlive_their_fields() {
    let mut fields = read("Host: a\r\nUser-Agent: curl\r\n\r\n");
    fields.set(Known::Host, b"changed");
    let noted = fields.note_values([Known::Host, Known::Accept, Known::UserAgent]);
    drop(fields);
    assert_eq!(noted.value(0), Some(&b"changed"[..]));
    assert_eq!(noted.value(1), None);
    assert_eq!(noted.value(2), Some(&b"curl"[..]));
    assert_eq!(noted.value(3), None);
}

#[test]
fn a_name_with_an_underscore_is_noticed_wherever_it_comes_from() {
    assert!(!read("Host: a_b\r\nx-a: _\r\n\r\n").has_ambiguous());
    assert!(read("Host: a\r\nx_a: 1\r\n\r\n").has_ambiguous());
    let mut fields = Fields::new();
    assert!(!fields.has_ambiguous());
    fields.add("x_a", b"1");
    assert!(fields.has_ambiguous());
}

const NAMES: [&str; 7] = ["Host", "ACCEPT", "x-a", "X-A", "x-b", "te", "content-length"];

proptest! {
    #[test]
    fn it_is_a_list(
        came in proptest::collection::vec((0..NAMES.len(), "[!-~]{0,4}", 0..3_usize), 0..12),
        changes in proptest::collection::vec((0..4_u8, 0..NAMES.len(), "[!-~]{0,4}"), 0..12),
    ) {
        let mut text = String::new();
        let mut plain = Plain::default();
        for (name, value, blanks) in &came {
            text += &format!("{}:{}{value}\r\n", NAMES[*name], &"  "[..*blanks]);
            plain.0.push((NAMES[*name].to_owned(), value.as_bytes().to_vec()));
        }
        text += "\r\n";
        let mut fields = read(&text);
        for (what, name, value) in &changes {
            let (name, value) = (NAMES[*name], value.as_bytes());
            match what {
                0 => {
                    fields.add(name, value);
                    plain.0.push((name.to_owned(), value.to_vec()));
                }
                1 => {
                    fields.set(name, value);
                    plain.set(name, value);
                }
                2 => {
                    fields.remove(name);
                    plain.0.retain(|(one, _)| !Plain::is(one, name));
                }
                _ => {
                    fields.retain(|seen| seen.value != value);
                    plain.0.retain(|(_, one)| one != value);
                }
            }
            for name in NAMES {
                let expected: Vec<&[u8]> = plain.0.iter()
                    .filter(|(one, _)| Plain::is(one, name)).map(|(_, value)| &value[..]).collect();
                prop_assert_eq!(fields.all(name).collect::<Vec<_>>(), expected.clone());
                prop_assert_eq!(fields.get(name), expected.first().copied());
                let only = expected.first().copied().filter(|_| expected.len() == 1);
                prop_assert_eq!(fields.only(name), only);
                prop_assert_eq!(fields.contains(name), !expected.is_empty());
            }
            let without = Known::Host.bit() | Known::Te.bit();
            for (set, names) in [(0, &[][..]), (without, &["host", "te"][..])] {
                let mut out = Vec::new();
                fields.write(&mut out, set);
                prop_assert_eq!(out, plain.written(names));
            }
        }
    }
}

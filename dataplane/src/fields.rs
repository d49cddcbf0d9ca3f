//! The fields of a head: the bytes as they came, where each name and value stands in them, and behind
//! them what was set here. A message that passes is never taken apart into values of their own: most
//! fields are only looked at, and written on as they came.
//!
//! Names that the gateway itself speaks of have a number ([`Known`]), so that looking for one that is
//! not there costs a look at one word, and for one that is there no comparison of text.

mod block;
mod known;
mod name;
mod noted;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use fairway_snapshot::HeaderFields;
use http::header::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use block::Block;
pub(crate) use known::Known;
pub(crate) use name::Name;
pub(crate) use noted::Noted;

/// Room for what is set here of a usual head, in bytes.
const OWN: usize = 384;
/// Room for fields that are added to those that came.
const MORE: usize = 8;
/// Fields of which hardly two messages have the same value. The codec of HTTP/2 would remember each value,
/// look through all that it remembers for the next one, and forget for them what does come again.
const ONCE: u64 = Known::set(&[
    Known::Forwarded,
    Known::ServerTiming,
    Known::XForwardedFor,
    Known::XProcessTime,
    Known::XRequestId,
]);

/// The fields of a head, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    /// The head as it came.
    came: Bytes,
    /// The lines that were set here, as they will be written.
    own: Vec<u8>,
    list: Vec<Field>,
    /// The known names that stand in the list; a removed one may still be told.
    known: u64,
    /// Whether a name that is not known holds a `_`.
    ambiguous: bool,
}

/// Where a field stands: in what came, or in what was set here.
#[derive(Clone, Copy, Debug)]
struct Field {
    known: Option<Known>,
    own: bool,
    /// Whether its whole line stands there just as it will be written.
    plain: bool,
    name_length: u16,
    name: u32,
    value: u32,
    value_length: u32,
}

/// A field as it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen<'f> {
    pub(crate) known: Option<Known>,
    pub(crate) name: &'f [u8],
    pub(crate) value: &'f [u8],
}

/// A field that cannot be held: longer than any head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Fields {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Those that a parser found in `bytes`; they are not to be read before [`Self::over`] gives the
    /// bytes too.
    pub(crate) fn found(bytes: &[u8], parsed: &[httparse::Header<'_>]) -> Result<Self, TooLong> {
        let mut fields = Self { list: Vec::with_capacity(parsed.len() + MORE), ..Self::default() };
        let begin = bytes.as_ptr().addr();
        let at = |part: *const u8| part.addr().saturating_sub(begin);
        for field in parsed {
            let name = Name::from(field.name);
            // An empty value stands nowhere.
            let value = if field.value.is_empty() { 0 } else { at(field.value.as_ptr()) };
            fields.note(name);
            let place = (at(name.text.as_ptr()), name.text.len());
            let mut place = Field::new(name.known, false, place, (value, field.value.len()))?;
            place.plain = place.is_plain(bytes);
            fields.list.push(place);
        }
        Ok(fields)
    }

    /// The same with the bytes that they were found in.
    pub(crate) fn over(mut self, came: Bytes) -> Self {
        self.came = came;
        self.own = Vec::with_capacity(OWN);
        self
    }

    /// The first value under a name.
    pub(crate) fn get<'n>(&self, name: impl Into<Name<'n>>) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The only value under a name; none when there are several.
    pub(crate) fn only<'n>(&self, name: impl Into<Name<'n>>) -> Option<&[u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Every value under a name.
    pub(crate) fn all<'n>(
        &self,
        name: impl Into<Name<'n>>,
    ) -> impl DoubleEndedIterator<Item = &[u8]> {
        let name = name.into();
        let list = if self.may_hold(name) { &self.list[..] } else { &[] };
        list.iter().filter(move |field| self.is(field, name)).map(|field| self.value(field))
    }

    /// Whether a name stands here.
    pub(crate) fn contains<'n>(&self, name: impl Into<Name<'n>>) -> bool {
        self.get(name).is_some()
    }

    /// Whether a name holds a `_`.
    pub(crate) fn has_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Seen<'_>> {
        self.list.iter().map(|field| self.seen(field))
    }

    /// Puts a value in the place of those under this name, or behind all others.
    pub(crate) fn set<'n>(&mut self, name: impl Into<Name<'n>>, value: &[u8]) {
        let name = name.into();
        let first = self.may_hold(name).then(|| self.position(name)).flatten();
        let Some(first) = first else { return self.add(name, value) };
        let made = self.make(name, |own| own.extend_from_slice(value));
        let Some(made) = made else { return };
        let mut rest = self.list.split_off(first + 1);
        rest.retain(|field| !self.is(field, name));
        self.list[first] = made;
        self.list.append(&mut rest);
    }

    /// Puts a value behind all others.
    pub(crate) fn add<'n>(&mut self, name: impl Into<Name<'n>>, value: &[u8]) {
        self.add_written(name, |own| own.extend_from_slice(value));
    }

    /// The same for a value that is written where it will stand.
    pub(crate) fn add_written<'n>(
        &mut self,
        name: impl Into<Name<'n>>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        if let Some(field) = self.make(name.into(), write) {
            self.list.push(field);
        }
    }

    /// Takes every value under a name off.
    pub(crate) fn remove<'n>(&mut self, name: impl Into<Name<'n>>) {
        let name = name.into();
        if let Some(known) = name.known {
            return self.remove_set(known.bit());
        }
        let mut list = std::mem::take(&mut self.list);
        list.retain(|field| !self.is(field, name));
        self.list = list;
    }

    /// Takes every value under a set of names off, of [`Known::bit`].
    pub(crate) fn remove_set(&mut self, set: u64) {
        if self.known & set != 0 {
            self.list.retain(|field| !field.is_in(set));
            self.known &= !set;
        }
    }

    /// Takes off what does not pass a test.
    pub(crate) fn retain(&mut self, mut test: impl FnMut(Seen<'_>) -> bool) {
        let mut list = std::mem::take(&mut self.list);
        list.retain(|field| test(self.seen(field)));
        self.list = list;
    }

    /// Writes them as HTTP/1.1 has them (RFC 9112 section 5), but for those of `without`, a set of
    /// [`Known::bit`]. What stands together as it came is written in one piece.
    pub(crate) fn write(&self, out: &mut Vec<u8>, without: u64) {
        let (mut own, mut from, mut to) = (false, 0, 0);
        for field in &self.list {
            if field.is_in(without) {
                continue;
            }
            if field.plain {
                let begin = field.name as usize;
                if begin != to || field.own != own {
                    out.extend_from_slice(self.bytes(own).get(from..to).unwrap_or_default());
                    (own, from) = (field.own, begin);
                }
                to = (field.value + field.value_length) as usize + 2;
            } else {
                out.extend_from_slice(self.bytes(own).get(from..to).unwrap_or_default());
                (from, to) = (0, 0);
                for part in [self.name(field), b": ", self.value(field), b"\r\n"] {
                    out.extend_from_slice(part);
                }
            }
        }
        out.extend_from_slice(self.bytes(own).get(from..to).unwrap_or_default());
    }

    /// The same as HTTP/2 has them, with room for a few more: names in small letters. Values stay parts of
    /// what came.
    pub(crate) fn to_map(&self, without: u64) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.list.len() + MORE);
        for field in &self.list {
            if field.is_in(without) {
                continue;
            }
            let value = field.value as usize;
            let value = match field.own {
                false if field.value_length > 0 => {
                    let value = self.came.slice(value..value + field.value_length as usize);
                    HeaderValue::from_maybe_shared(value)
                }
                _ => HeaderValue::from_bytes(self.value(field)),
            };
            let name = match field.known {
                Some(known) => Ok(known.name().clone()),
                None => HeaderName::from_bytes(self.name(field)),
            };
            // Both were checked when they came, or are of ours.
            if let (Ok(name), Ok(mut value)) = (name, value) {
                value.set_sensitive(field.is_in(ONCE));
                map.append(name, value);
            }
        }
        map
    }

    fn note(&mut self, name: Name<'_>) {
        match name.known {
            Some(known) => self.known |= known.bit(),
            None => self.ambiguous |= name.text.contains(&b'_'),
        }
    }

    /// A field of our own; none when all of them together are longer than 4 GiB.
    fn make(&mut self, name: Name<'_>, write: impl FnOnce(&mut Vec<u8>)) -> Option<Field> {
        let (at, length) = (self.own.len(), name.text.len());
        // One by one: in a loop the short ones would be copied as the long ones are.
        self.own.extend_from_slice(name.text);
        self.own.extend_from_slice(b": ");
        let value = self.own.len();
        write(&mut self.own);
        let value = (value, self.own.len() - value);
        self.own.extend_from_slice(b"\r\n");
        let field = Field::new(name.known, true, (at, length), value).ok()?;
        self.note(name);
        Some(field)
    }

    fn may_hold(&self, name: Name<'_>) -> bool {
        name.known.is_none_or(|known| self.known & known.bit() != 0)
    }

    fn position(&self, name: Name<'_>) -> Option<usize> {
        self.list.iter().position(|field| self.is(field, name))
    }

    fn is(&self, field: &Field, name: Name<'_>) -> bool {
        match (field.known, name.known) {
            (Some(one), Some(other)) => one == other,
            (None, None) => {
                usize::from(field.name_length) == name.text.len()
                    && self.name(field).eq_ignore_ascii_case(name.text)
            }
            _ => false,
        }
    }

    fn seen(&self, field: &Field) -> Seen<'_> {
        Seen { known: field.known, name: self.name(field), value: self.value(field) }
    }

    fn name(&self, field: &Field) -> &[u8] {
        self.part(field.own, field.name, u32::from(field.name_length))
    }

    fn value(&self, field: &Field) -> &[u8] {
        self.part(field.own, field.value, field.value_length)
    }

    fn part(&self, own: bool, at: u32, length: u32) -> &[u8] {
        self.bytes(own).get(at as usize..at as usize + length as usize).unwrap_or_default()
    }

    fn bytes(&self, own: bool) -> &[u8] {
        if own { &self.own } else { &self.came }
    }
}

impl Field {
    /// Whether its name stands in a set of [`Known::bit`].
    fn is_in(&self, set: u64) -> bool {
        self.known.is_some_and(|known| known.bit() & set != 0)
    }

    /// Whether its line in these bytes is just as it will be written.
    fn is_plain(&self, bytes: &[u8]) -> bool {
        let colon = self.name as usize + usize::from(self.name_length);
        let value = self.value as usize;
        let end = value + self.value_length as usize;
        value == colon + 2
            && bytes.get(colon..value) == Some(b": ")
            && bytes.get(end..end + 2) == Some(b"\r\n")
    }

    fn new(
        known: Option<Known>,
        own: bool,
        (name, name_length): (usize, usize),
        (value, value_length): (usize, usize),
    ) -> Result<Self, TooLong> {
        let short = |number: usize| u32::try_from(number).map_err(|_| TooLong);
        Ok(Self {
            known,
            own,
            plain: own,
            name_length: u16::try_from(name_length).map_err(|_| TooLong)?,
            name: short(name)?,
            value: short(value)?,
            value_length: short(value_length)?,
        })
    }
}

impl From<&HeaderMap> for Fields {
    fn from(map: &HeaderMap) -> Self {
        let length =
            map.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
        let own = Vec::with_capacity(length + OWN);
        let list = Vec::with_capacity(map.len() + MORE);
        let mut fields = Self { own, list, ..Self::default() };
        for (name, value) in map {
            fields.add(name, value.as_bytes());
        }
        fields
    }
}

impl<'n, N: Into<Name<'n>>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(given: I) -> Self {
        let mut fields = Self::default();
        for (name, value) in given {
            fields.add(name, value.as_ref());
        }
        fields
    }
}

impl HeaderFields for Fields {
    fn first(&self, name: &HeaderName) -> Option<&[u8]> {
        self.get(name)
    }

    fn any(&self, name: &HeaderName, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.all(name).any(test)
    }
}

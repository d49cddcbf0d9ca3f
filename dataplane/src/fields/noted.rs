//! Values that are needed when the fields that they stood in have gone on.

use bytes::Bytes;

use super::{Fields, Known};

/// Values that are kept beyond their fields.
#[derive(Debug)]
pub(crate) struct Noted<const N: usize> {
    came: Bytes,
    own: Vec<u8>,
    /// For each whether it stands in `own`, and where.
    places: [Option<(bool, usize, usize)>; N],
}

impl Fields {
    /// Keeps the first values under some names beyond these fields.
    pub(crate) fn note_values<const N: usize>(&self, names: [Known; N]) -> Noted<N> {
        let mut own = Vec::new();
        let places = names.map(|name| {
            let value = self.get(name)?;
            let (in_came, length) = (self.place(value), value.len());
            let at = in_came.unwrap_or_else(|| {
                own.extend_from_slice(value);
                own.len() - length
            });
            Some((in_came.is_none(), at, length))
        });
        Noted { came: self.came.clone(), own, places }
    }

    /// Where a value stands in what came, if it stands there.
    fn place(&self, value: &[u8]) -> Option<usize> {
        let at = value.as_ptr().addr().wrapping_sub(self.came.as_ptr().addr());
        (at < self.came.len()).then_some(at)
    }
}

impl<const N: usize> Noted<N> {
    /// The value under the name of this index.
    pub(crate) fn value(&self, index: usize) -> Option<&[u8]> {
        let (own, at, length) = (*self.places.get(index)?)?;
        let bytes = if own { &self.own[..] } else { &self.came };
        bytes.get(at..at + length)
    }
}

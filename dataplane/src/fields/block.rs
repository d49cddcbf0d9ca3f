//! Fields that are the same for many messages: their lines are written once.

use smallvec::SmallVec;

use super::{Field, Fields, Known};

/// Some fields that were set one behind the other.
#[derive(Debug)]
pub(crate) struct Block {
    lines: Box<[u8]>,
    /// Where they stand in the lines.
    list: SmallVec<[Field; 5]>,
    known: u64,
}

/// A place between two fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    own: usize,
    list: usize,
}

impl Fields {
    /// The end of those that there are.
    pub(crate) fn mark(&self) -> Mark {
        Mark { own: self.own.len(), list: self.list.len() }
    }

    /// Those that were added behind a mark, of which none was taken off or set again.
    pub(crate) fn since(&self, mark: Mark) -> Block {
        let begin = u32::try_from(mark.own).unwrap_or(u32::MAX);
        let added = self.list.get(mark.list..).unwrap_or_default();
        let list: SmallVec<[Field; 5]> = added
            .iter()
            .map(|field| Field {
                name: field.name.saturating_sub(begin),
                value: field.value.saturating_sub(begin),
                ..*field
            })
            .collect();
        let known =
            list.iter().filter_map(|field| field.known).fold(0, |set, known| set | known.bit());
        Block { lines: self.own.get(mark.own..).unwrap_or_default().into(), list, known }
    }

    /// Puts them behind all others.
    pub(crate) fn extend(&mut self, block: &Block) {
        // Beyond 4 GiB they are not held, as one is not that is added.
        let end = u32::try_from(self.own.len() + block.lines.len());
        let (Ok(begin), Ok(_)) = (u32::try_from(self.own.len()), end) else { return };
        self.own.extend_from_slice(&block.lines);
        self.known |= block.known;
        self.list.extend(block.list.iter().map(|field| Field {
            name: field.name + begin,
            value: field.value + begin,
            ..*field
        }));
    }
}

impl Block {
    /// The value under a name.
    pub(crate) fn get(&self, name: Known) -> Option<&[u8]> {
        let field = self.list.iter().find(|field| field.known == Some(name))?;
        let (value, length) = (field.value as usize, field.value_length as usize);
        self.lines.get(value..value + length)
    }
}

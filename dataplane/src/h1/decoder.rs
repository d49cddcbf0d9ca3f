//! Taking the body of a message off the bytes of a connection (RFC 9112 section 6).

use super::{Chunked, Input, Malformed, Step};

/// Takes a body off the bytes of a connection.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// Nothing comes any more.
    Done,
    /// So many bytes come.
    Length(u64),
    Chunked(Chunked),
    /// Everything until the connection ends.
    UntilClose,
}

// === impl Decoder ===

impl Decoder {
    /// The next part of the body that is there.
    pub(crate) fn next(&mut self, input: &mut Input) -> Result<Step, Malformed> {
        match self {
            Self::Done => Ok(Step::End),
            Self::Length(_) | Self::UntilClose if input.is_empty() => Ok(Step::More),
            Self::Length(left) => {
                let data = input.take(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= u64::try_from(data.len()).unwrap_or_default();
                if *left == 0 {
                    *self = Self::Done;
                }
                Ok(Step::Data(data))
            }
            Self::UntilClose => Ok(Step::Data(input.take(usize::MAX))),
            Self::Chunked(chunked) => {
                let step = chunked.next(input)?;
                if let Step::End | Step::Trailers(_) = step {
                    *self = Self::Done;
                }
                Ok(step)
            }
        }
    }

    /// The connection has ended; says whether the body may end so.
    pub(crate) fn end_of_connection(&mut self) -> bool {
        let may = matches!(self, Self::UntilClose);
        if may {
            *self = Self::Done;
        }
        may
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// How many bytes come still, when that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            Self::Done => Some(0),
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }
}

//! A name of a field, with its number where it has one.

use http::HeaderName;

use super::Known;

/// A name to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'n> {
    pub(super) known: Option<Known>,
    pub(super) text: &'n [u8],
}

impl From<Known> for Name<'static> {
    fn from(known: Known) -> Self {
        Self { known: Some(known), text: known.text().as_bytes() }
    }
}

impl<'n> From<&'n HeaderName> for Name<'n> {
    fn from(name: &'n HeaderName) -> Self {
        name.as_str().as_bytes().into()
    }
}

impl<'n> From<&'n str> for Name<'n> {
    fn from(name: &'n str) -> Self {
        name.as_bytes().into()
    }
}

impl<'n> From<&'n [u8]> for Name<'n> {
    fn from(text: &'n [u8]) -> Self {
        Self { known: Known::of(text), text }
    }
}

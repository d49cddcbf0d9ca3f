//! Sets of methods, and which of them a rule takes.

use std::fmt;

use http::Method;
use serde::{Deserialize, Serialize};

/// The methods of RFC 9110 and RFC 5789, each with a bit in [`MethodSet`].
const KNOWN: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];

/// A set of methods. Methods of the standard cost a bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodSet {
    known: u16,
    /// Those that are not of the standard, sorted; few sets have any, and routes are many.
    other: Option<Box<Extensions>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Extensions(Vec<Method>);

/// The bit of a method of the standard.
fn bit(method: &Method) -> Option<u16> {
    KNOWN.iter().position(|known| known == method).map(|index| 1 << index)
}

impl MethodSet {
    fn other(&self) -> &[Method] {
        self.other.as_ref().map_or(&[], |other| &other.0)
    }

    /// Adds a method.
    pub fn insert(&mut self, method: &Method) {
        if let Some(bit) = bit(method) {
            self.known |= bit;
        } else if !self.other().contains(method) {
            let other = &mut self.other.get_or_insert_default().0;
            other.push(method.clone());
            other.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        }
    }

    /// Whether the set holds `method`.
    #[must_use]
    pub fn contains(&self, method: &Method) -> bool {
        match bit(method) {
            Some(bit) => self.known & bit != 0,
            None => self.other().contains(method),
        }
    }

    /// Adds every method of `more`.
    pub fn union(&mut self, more: &Self) {
        self.known |= more.known;
        for method in more.other() {
            self.insert(method);
        }
    }

    /// Whether there is no method in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known == 0 && self.other().is_empty()
    }

    /// The methods in alphabetical order.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Method> {
        let mut all: Vec<&Method> = KNOWN
            .iter()
            .enumerate()
            .filter(|(index, _)| self.known & (1 << index) != 0)
            .map(|(_, method)| method)
            .chain(self.other())
            .collect();
        all.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        all
    }
}

impl<'a> FromIterator<&'a Method> for MethodSet {
    fn from_iter<I: IntoIterator<Item = &'a Method>>(methods: I) -> Self {
        let mut set = Self::default();
        for method in methods {
            set.insert(method);
        }
        set
    }
}

/// As the field `Allow` is written (RFC 9110 section 10.2.1): sorted, with commas.
impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.sorted().into_iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for MethodSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.sorted().into_iter().map(Method::as_str))
    }
}

impl<'de> Deserialize<'de> for MethodSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let mut set = Self::default();
        for name in names {
            set.insert(&name.parse().map_err(serde::de::Error::custom)?);
        }
        Ok(set)
    }
}

/// Which methods a route takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MethodMatch {
    /// Every method.
    Any,
    /// These methods. Where `GET` covers `HEAD`, the lowering has put `HEAD` in.
    Only(MethodSet),
    /// Methods were named, and not all could be read: every method, with the rank of some.
    Guarded,
}

impl MethodMatch {
    /// Whether `method` is taken.
    #[must_use]
    pub fn matches(&self, method: &Method) -> bool {
        match self {
            Self::Any | Self::Guarded => true,
            Self::Only(set) => set.contains(method),
        }
    }
}

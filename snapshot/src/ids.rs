//! Names of things, each a type of its own, shared and cheap to copy.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Name of an object of the control side, as `namespace/name`.
///
/// Objects are in the order of that text, as the Gateway API says for routes (HTTPRouteRule.matches).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name within the namespace.
    pub name: Arc<str>,
}

impl ObjectId {
    /// The object `name` in `namespace`.
    #[must_use]
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl Ord for ObjectId {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.namespace == other.namespace {
            // Mostly the same object is meant, and then its name is often the same value.
            let same = Arc::ptr_eq(&self.name, &other.name);
            return if same { Ordering::Equal } else { self.name.cmp(&other.name) };
        }
        // A slash stands behind the namespace, and a hyphen comes before it: market-eu/a is before
        // market/a.
        fn bytes(id: &ObjectId) -> impl Iterator<Item = u8> {
            id.namespace.bytes().chain([b'/']).chain(id.name.bytes())
        }
        bytes(self).cmp(bytes(other))
    }
}

impl PartialOrd for ObjectId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Name of a rule: its object, its place in it, and the name that status, logs and metrics use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleId {
    /// The object that holds the rule.
    pub object: Arc<ObjectId>,
    /// Index in the object's list of rules, from 0.
    pub index: u16,
    /// The rule's own name, or `rule-<index>`.
    pub name: Arc<str>,
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.object, self.name)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// Name of a listener in the operator's table, for example `http`.
    ListenerName
}
text_id! {
    /// Name of an upstream. It says all that the upstream is, so that two upstreams with the same
    /// id are the same, and a changed one has another id: see [`crate::Upstream::id`].
    UpstreamId
}
text_id! {
    /// Name of a resource that lives in the data plane with a revision and a state of its own.
    ResourceId
}

//! Objects as the API server sends them, readable or not: one that cannot be read must neither end
//! a watch nor hide what else is known of it.
//!
//! Only what is needed is read. Most of an object are fields that others care for, the book-keeping
//! of server-side apply above all, and a cluster has many thousands of them.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A kind that is watched.
pub(crate) trait Watched: Resource {
    /// What is read of it beside its metadata.
    type Content: DeserializeOwned + Clone + fmt::Debug + Send;
}

/// An object whose content was read, or could not be.
#[derive(Clone)]
pub(crate) struct Guarded<K: Watched> {
    /// Name, namespace, uid, versions and age; other metadata is not read.
    pub(crate) metadata: ObjectMeta,
    /// The content, or what is there instead.
    pub(crate) content: Result<Box<K::Content>, Box<Raw>>,
}

/// An object that could not be read as a whole, with all its fields.
#[derive(Clone)]
pub(crate) struct Raw {
    /// Why it could not be read.
    pub(crate) error: String,
    /// The whole object.
    pub(crate) value: Value,
}

/// The object itself is not shown: it may be a Secret.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").finish_non_exhaustive()
    }
}

impl Raw {
    /// One of its fields, when that one can be read.
    pub(crate) fn field<T: DeserializeOwned>(&self, pointer: &str) -> Option<T> {
        T::deserialize(self.value.pointer(pointer)?).ok()
    }
}

#[derive(Deserialize)]
struct WithMetadata {
    #[serde(default)]
    metadata: Metadata,
}

/// What is needed of metadata.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
}

impl<'de, K: Watched> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is looked at twice, so that an error in the content is no error of the list.
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let read: WithMetadata = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        let Metadata { name, namespace, uid, resource_version, generation, creation_timestamp } =
            read.metadata;
        let metadata = ObjectMeta {
            name,
            namespace,
            uid,
            resource_version,
            generation,
            creation_timestamp,
            ..ObjectMeta::default()
        };
        let content = match serde_json::from_str(text.get()) {
            Ok(content) => Ok(Box::new(content)),
            Err(error) => {
                let value: Value = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
                // Said of the value, for a column of a text that nobody sees helps nobody.
                let said = K::Content::deserialize(&value).err();
                let error = said.map_or_else(|| error.to_string(), |said| said.to_string());
                Err(Box::new(Raw { error, value }))
            }
        };
        Ok(Self { metadata, content })
    }
}

impl<K: Watched> fmt::Debug for Guarded<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metadata, content } = self;
        f.debug_struct("Guarded").field("metadata", metadata).field("content", content).finish()
    }
}

impl<K: Watched> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(kind)
    }

    fn group(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::group(kind)
    }

    fn version(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::version(kind)
    }

    fn plural(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

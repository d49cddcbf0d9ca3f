//! Objects as the API server sends them, readable or not: one that cannot be read must neither end
//! a watch nor hide what else is known of it.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An object that was read, or that could not be.
#[derive(Clone, Debug)]
pub(crate) enum Guarded<K> {
    /// It was read.
    Readable(Box<K>),
    /// It could not be read as a whole.
    Unreadable(Box<Raw>),
}

/// An object that could not be read as a whole, with all its fields.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    /// Its metadata, which every object has.
    pub(crate) metadata: ObjectMeta,
    /// Why it could not be read.
    pub(crate) error: String,
    /// The whole object.
    pub(crate) value: Value,
}

impl Raw {
    /// One of its fields, when that one can be read.
    pub(crate) fn field<T: DeserializeOwned>(&self, pointer: &str) -> Option<T> {
        T::deserialize(self.value.pointer(pointer)?).ok()
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match K::deserialize(&value) {
            Ok(object) => Ok(Self::Readable(Box::new(object))),
            Err(error) => {
                let metadata = value.get("metadata").unwrap_or(&Value::Null);
                let metadata = ObjectMeta::deserialize(metadata).map_err(D::Error::custom)?;
                Ok(Self::Unreadable(Box::new(Raw { metadata, error: error.to_string(), value })))
            }
        }
    }
}

impl<K: Resource> Resource for Guarded<K> {
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
        match self {
            Self::Readable(object) => object.meta(),
            Self::Unreadable(raw) => &raw.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Readable(object) => object.meta_mut(),
            Self::Unreadable(raw) => &mut raw.metadata,
        }
    }
}

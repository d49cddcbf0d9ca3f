//! Effective policy of a rule: every layer merged, and each value with the place it came from.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Backend, Hsts, InvalidReason, UpstreamId};

/// The place that set a value; later places win over earlier ones, and overrides over all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The value that Fairway ships with.
    BuiltIn,
    /// The installation's `defaults`.
    Installation,
    /// The listener.
    Listener,
    /// `spec.policy` of the object.
    Spec,
    /// `policy` of the rule.
    Rule,
    /// The installation's `overrides`, which a tenant cannot weaken.
    Override,
}

/// A value and the place that set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Who set it.
    pub source: Source,
}

impl<T: Default> Default for Sourced<T> {
    fn default() -> Self {
        Self::built_in(T::default())
    }
}

impl<T> Sourced<T> {
    /// The value that Fairway ships with.
    pub const fn built_in(value: T) -> Self {
        Self { value, source: Source::BuiltIn }
    }

    /// Replaces the value when `layer` sets one.
    pub fn layer(&mut self, value: Option<T>, source: Source) {
        if let Some(value) = value {
            *self = Self { value, source };
        }
    }
}

/// How long each part of a request may take; `None` is no limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// From the end of the request's body to the head of the response, retries included.
    #[serde(with = "limit")]
    pub response: Sourced<Option<Duration>>,
    /// The whole request, bodies included.
    #[serde(with = "limit")]
    pub request: Sourced<Option<Duration>>,
    /// From the end of the request's body to the head of the response, of one attempt.
    #[serde(with = "limit")]
    pub attempt: Sourced<Option<Duration>>,
    /// Opening a connection.
    #[serde(with = "limit")]
    pub connect: Sourced<Option<Duration>>,
    /// A body that moves in neither direction.
    #[serde(with = "limit")]
    pub idle: Sourced<Option<Duration>>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            response: Sourced::built_in(Some(Duration::from_secs(30))),
            request: Sourced::built_in(None),
            attempt: Sourced::built_in(None),
            connect: Sourced::built_in(Some(Duration::from_secs(2))),
            idle: Sourced::built_in(Some(Duration::from_secs(60))),
        }
    }
}

/// All policies of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// How long each part of a request may take.
    pub timeouts: Timeouts,
    /// How much of a request is taken.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// What browsers are told about coming by HTTPS only.
    #[serde(default, skip_serializing_if = "Hsts::is_default")]
    pub hsts: Hsts,
    /// Who gets copies of requests.
    #[serde(default, skip_serializing_if = "nothing_written")]
    pub mirror: Sourced<Box<[Mirror]>>,
}

/// Who gets copies of requests, and of how many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mirror {
    /// As the user wrote it, for tables: `market/finance-next:8000`.
    pub reference: Arc<str>,
    /// Where it is.
    pub target: MirrorTarget,
    /// How many of [`Mirror::WHOLE`] requests are copied.
    pub share: u32,
}

/// Where a mirror is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MirrorTarget {
    /// It was found.
    Upstream(UpstreamId),
    /// It was not; its copies are counted as failed.
    Invalid(InvalidReason),
}

/// How much of a request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The greatest body in bytes; `None` is no limit.
    pub body_bytes: Sourced<Option<u64>>,
    /// Whether what is beyond it is refused.
    pub mode: Sourced<Mode>,
}

/// Whether a policy refuses, or only counts what it would refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// It refuses.
    #[default]
    Enforce,
    /// It counts.
    Observe,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: Sourced::built_in(None), mode: Sourced::built_in(Mode::Enforce) }
    }
}

fn nothing_written(mirror: &Sourced<Box<[Mirror]>>) -> bool {
    *mirror == Sourced::default()
}

impl Mirror {
    /// The share of a mirror that gets every request: a percent has four decimals.
    pub const WHOLE: u32 = 1_000_000;

    /// A mirror that was resolved as a backend is; its weight says nothing.
    #[must_use]
    pub fn new(backend: Backend, share: u32) -> Self {
        let (reference, target) = match backend {
            Backend::Upstream { upstream, reference, .. } => {
                (reference, MirrorTarget::Upstream(upstream))
            }
            Backend::Invalid { reference, reason, .. } => {
                (reference, MirrorTarget::Invalid(reason))
            }
        };
        Self { reference, target, share }
    }

    /// The upstream, when it was found.
    #[must_use]
    pub const fn upstream(&self) -> Option<&UpstreamId> {
        match &self.target {
            MirrorTarget::Upstream(upstream) => Some(upstream),
            MirrorTarget::Invalid(_) => None,
        }
    }

    /// Its share as people write it: `10%`, `0.5%`.
    #[must_use]
    pub fn percent(&self) -> String {
        format!("{}%", f64::from(self.share) / f64::from(Self::WHOLE / 100))
    }
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A limit in milliseconds beside its source; without a limit the value is null.
mod limit {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Source, Sourced};

    #[derive(Serialize, Deserialize)]
    struct Milliseconds {
        milliseconds: Option<u64>,
        source: Source,
    }

    pub(super) fn serialize<S: Serializer>(
        limit: &Sourced<Option<Duration>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let milliseconds =
            limit.value.map(|value| u64::try_from(value.as_millis()).unwrap_or(u64::MAX));
        Milliseconds { milliseconds, source: limit.source }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Sourced<Option<Duration>>, D::Error> {
        let read = Milliseconds::deserialize(deserializer)?;
        Ok(Sourced { value: read.milliseconds.map(Duration::from_millis), source: read.source })
    }
}

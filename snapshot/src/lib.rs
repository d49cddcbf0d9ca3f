//! The contract between the controller and the data plane: plain, parsed, immutable values, and
//! the pure functions that match a request against them.
//!
//! A [`Snapshot`] is everything that the data plane needs to know. It has no indexes, so that it
//! can be written down, compared and sent; [`RouteTable`] makes the indexes. Nothing here knows
//! of Kubernetes, of async, or of an HTTP server, and nothing behind it parses user text.

pub mod address;
pub mod answer;
pub mod api_versions;
pub mod authorities;
pub mod certificate;
pub mod changes;
pub mod concealed;
pub mod conditions;
mod differing;
pub mod dump;
pub mod edits;
pub mod fields;
pub mod filter;
pub mod host;
pub mod hsts;
pub mod ids;
pub mod methods;
pub mod normalize;
pub mod path;
pub mod policy;
pub mod precedence;
pub mod redaction;
pub mod sample;
pub mod snapshot;
pub mod table;
mod text;
pub mod upstream;
pub mod why;

pub use address::{AddressPolicy, Network};
pub use answer::{Redirect, RedirectedRequest, Respond, Scheme};
pub use api_versions::{ApiVersion, ApiVersions, AskedVersion, JudgedVersion, VersionCondition};
pub use authorities::Authorities;
pub use certificate::Certificate;
pub use concealed::Concealed;
pub use conditions::{
    Conditions, HeaderCondition, Pattern, PatternError, QueryCondition, ValueMatch,
};
pub use differing::differing;
pub use edits::{FieldTemplate, HeaderEdits, ValueSource, ValueTemplate, Variable};
pub use fields::HeaderFields;
pub use filter::{Filter, Phase};
pub use host::HostPattern;
pub use hsts::Hsts;
pub use ids::{ListenerName, ObjectId, ResourceId, RuleId, UpstreamId};
pub use methods::{MethodMatch, MethodSet};
pub use normalize::Normalization;
pub use path::{Captures, PathMatch, PathPattern, PathRegex, PathShape, PathTemplate};
pub use policy::{Limits, Mirror, MirrorTarget, Mode, Policy, Source, Sourced, Timeouts};
pub use precedence::Precedence;
pub use redaction::Redaction;
pub use snapshot::{
    Action, Backend, Host, InvalidReason, Listener, Protocol, Published, Resource, Route, Rule,
    Semantics, Snapshot, WrongMethod,
};
pub use table::{Find, ListenerTable, RouteMatch, RouteRequest, RouteTable};
pub use upstream::{AddressSets, Speaks, Target, Upstream, UpstreamTls};

//! The data plane: it takes snapshots from a watch channel and proxies requests by them. It knows
//! nothing of Kubernetes, and runs from any sender of snapshots.

pub mod config;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod socket;
mod streams;
pub mod telemetry;
pub mod upgrade;
mod upstream;

mod address;
mod admin;
mod apply;
mod attempt;
mod authority;
mod body;
mod context;
mod downstream;
mod edits;
mod error;
mod fields;
mod filters;
mod forwarded;
mod gather;
mod h1;
mod headers;
mod listener;
mod message;
mod mirror;
mod overload;
mod pace;
mod plane;
mod proxy;
mod reply;
mod retry;
mod rules;
mod timers;
mod timing;
mod tls;
mod turn;
mod versions;
mod worker;

pub use config::{Applied, Config, DnsServers, ListenerFailure};
pub use error::{Blame, ProxyError};
pub use forwarded::Trust;
pub use listener::{bind_message, certificate_message};
pub use plane::{DataPlane, Note, StartError};

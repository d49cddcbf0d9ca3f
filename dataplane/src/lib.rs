//! The data plane: it takes snapshots from a watch channel and proxies requests by them. It knows
//! nothing of Kubernetes, and runs from any sender of snapshots.

pub mod config;

pub use config::{Applied, Config, DnsServers, ListenerFailure};

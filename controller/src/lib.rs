//! The control side: it watches objects, compiles them into a snapshot, publishes the snapshot
//! to the data plane and writes back what became of each object. It never proxies a request.

pub mod compile;
mod differences;
pub mod endpoints;
pub mod event_loop;
pub mod files;
mod hexadecimal;
pub mod inputs;
pub mod kept;
pub mod lease;
pub mod metrics;
pub mod pod;
pub mod replicas;
pub mod report;
mod shared;
pub mod status;
pub mod versions;
pub mod watch;

pub use compile::{Compilation, CompileOptions, Memo, compile};
pub use event_loop::Compiled;
pub use inputs::Inputs;

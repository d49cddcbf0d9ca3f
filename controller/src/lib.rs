//! The control side: it watches objects, compiles them into a snapshot, publishes the snapshot
//! to the data plane and writes back what became of each object. It never proxies a request.

pub mod compile;
pub mod inputs;

pub use compile::{Compilation, CompileOptions, Memo, compile};
pub use inputs::Inputs;

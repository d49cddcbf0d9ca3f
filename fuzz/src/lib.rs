//! What must hold whatever is written and asked: the invariants that fuzzing looks for exceptions of.
//!
//! Each target has a function `check` that panics where one of its invariants does not hold. The
//! definitions beside them are written down anew and as plainly as can be, to disagree with the
//! product where it is wrong.

#[cfg(feature = "manifests")]
pub mod compile_yaml;
pub mod find_route;
#[cfg(feature = "http1")]
pub mod http1;
pub mod normalize;
mod world;

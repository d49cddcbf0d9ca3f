//! What a lookup tells of itself, to whoever explains it. A lookup that nobody explains is the same
//! code without a witness, and costs nothing for it.

use http::Method;

use crate::{HeaderFields, HostPattern, Route};

/// Sees what a lookup does.
pub trait Witness<'t> {
    /// Whether it wants to see everything: also the routes that are weaker than the winner, and the
    /// hosts that are less specific than the one that decided.
    const SEES_ALL: bool;

    /// The routes of a host are searched, or they would be, had not a more specific one `decided`.
    fn host(&mut self, host: &'t HostPattern, decided: bool);

    /// No rule takes the method, and the one that a CORS preflight asks for is tried.
    fn preflight(&mut self);

    /// A route that knows the path was tested.
    fn tested(&mut self, route: &'t Route, test: Result<(), Mismatch>);
}

/// Nobody looks.
impl<'t> Witness<'t> for () {
    const SEES_ALL: bool = false;

    fn host(&mut self, _: &'t HostPattern, _: bool) {}

    fn preflight(&mut self) {}

    fn tested(&mut self, _: &'t Route, _: Result<(), Mismatch>) {}
}

/// What of a request a route that knows its path does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The method.
    Method,
    /// The condition on header fields with this index.
    Header(usize),
    /// The condition on the version.
    Version,
    /// The condition on query parameters with this index.
    Query(usize),
}

impl Route {
    /// Whether it takes a request of which it knows the path. Without headers those are not looked
    /// at: see [`crate::Conditions::hold`].
    ///
    /// # Errors
    ///
    /// The first thing that it does not take.
    pub fn test(
        &self,
        method: &Method,
        headers: Option<&dyn HeaderFields>,
        query: Option<&str>,
    ) -> Result<(), Mismatch> {
        if !self.methods.matches(method) {
            return Err(Mismatch::Method);
        }
        let Some(conditions) = &self.conditions else { return Ok(()) };
        conditions.test(headers, query)
    }
}

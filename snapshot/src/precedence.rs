//! Which of two routes wins: one total order, stated once.
//!
//! The order of the fields of [`Precedence`] is the order of the criteria; the derived `Ord` is
//! the whole rule. Less is stronger, so that sorting puts the winner first.

use std::cmp::Reverse;

use crate::path::{PathRank, SegmentRank};
use crate::{Conditions, HostPattern, MethodMatch, ObjectId, Route};

/// The key by which routes are sorted; the smallest that matches a request wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence<'a> {
    /// Exact host, then the longest wildcard suffix, then any.
    pub host: &'a HostPattern,
    /// Exact paths and templates segment by segment; then expressions and wildcards by their
    /// literal prefix.
    pub path: PathRank,
    /// A route that names methods before one that does not.
    pub names_methods: Reverse<bool>,
    /// More conditions on header fields.
    pub headers: Reverse<usize>,
    /// More conditions on query parameters.
    pub query: Reverse<usize>,
    /// The older object.
    pub created: i64,
    /// `namespace/name`.
    pub object: &'a ObjectId,
    /// Index of the rule in its object.
    pub rule_index: u16,
    /// Index of the match in its rule.
    pub match_index: u16,
}

impl<'a> Precedence<'a> {
    /// The precedence of `route` among the routes of `host`.
    #[must_use]
    pub fn of(host: &'a HostPattern, route: &'a Route) -> Self {
        let conditions = route.conditions.as_deref();
        Self {
            host,
            path: route.path.rank(),
            names_methods: Reverse(!matches!(route.methods, MethodMatch::Any)),
            headers: Reverse(conditions.map_or(0, Conditions::headers_written)),
            query: Reverse(conditions.map_or(0, |conditions| conditions.query.len())),
            created: route.rule.created,
            object: &route.rule.id.object,
            rule_index: route.rule.id.index,
            match_index: route.match_index,
        }
    }

    /// Whether both ask for equally much: then only age, name or place decides.
    #[must_use]
    pub fn asks_as(&self, other: &Self) -> bool {
        let asks = |key: &Self| (key.names_methods, key.headers, key.query);
        self.host == other.host && self.path == other.path && asks(self) == asks(other)
    }

    /// The first criterion in which two routes differ, in words; `None` when they are equal.
    #[must_use]
    pub fn decided_by(&self, other: &Self) -> Option<&'static str> {
        let criteria = [
            (self.host != other.host, "the more specific host"),
            (self.path != other.path, "the more specific path"),
            (self.names_methods != other.names_methods, "naming methods"),
            (self.headers != other.headers, "more conditions on headers"),
            (self.query != other.query, "more conditions on the query"),
            (self.created != other.created, "the older object"),
            (self.object != other.object, "namespace/name"),
            (self.rule_index != other.rule_index, "the index of the rule"),
            (self.match_index != other.match_index, "the index of the match"),
        ];
        criteria.iter().find(|(differs, _)| *differs).map(|(_, name)| *name)
    }
}

/// The kinds of segments are compared in this order: see [`SegmentRank`].
const _: () = assert!((SegmentRank::Literal as u8) < (SegmentRank::Capture as u8));

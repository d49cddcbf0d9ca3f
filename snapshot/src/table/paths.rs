//! The paths of one host: a map of exact paths, and a tree of segments for templates and prefixes.

use smallvec::SmallVec;

use super::FastMap;
use crate::Route;
use crate::path::Segment;

/// Indexes of routes, ascending: in the order of precedence.
type Routes = SmallVec<[u32; 2]>;

#[derive(Debug)]
pub(super) struct PathIndex {
    exact: FastMap<Box<str>, Routes>,
    tree: Node,
    /// Whether a path of the tree ends without a rest: if none does, only prefixes are searched.
    has_templates: bool,
}

/// A place in the tree of segments.
#[derive(Debug, Default)]
struct Node {
    literals: FastMap<Box<str>, Node>,
    capture: Option<Box<Node>>,
    /// Templates that end here.
    whole: Routes,
    /// Patterns whose rest begins here.
    rest: Routes,
}

impl PathIndex {
    pub(super) fn build(routes: &[Route]) -> Self {
        let mut index =
            Self { exact: FastMap::default(), tree: Node::default(), has_templates: false };
        for (number, route) in (0u32..).zip(routes) {
            let path = &route.path;
            if path.is_exact() {
                index.exact.entry(path.as_str().into()).or_default().push(number);
                continue;
            }
            let mut node = &mut index.tree;
            for segment in path.segments() {
                node = match segment {
                    Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                    Segment::Capture(_) => node.capture.get_or_insert_default(),
                };
            }
            if path.has_rest() {
                node.rest.push(number);
            } else {
                node.whole.push(number);
                index.has_templates = true;
            }
        }
        index
    }

    /// Calls `accept` with the index of each route that knows `path`, in the order of precedence,
    /// until it accepts one.
    pub(super) fn first(&self, path: &str, mut accept: impl FnMut(usize) -> bool) -> Option<usize> {
        if let Some(routes) = self.exact.get(path)
            && let Some(found) = offer(routes, &mut accept)
        {
            return Some(found);
        }
        // An exact path is all literals, so it is stronger than every template of its length. The
        // walk visits literal before capture, which is the order among templates.
        let mut prefixes: SmallVec<[&Routes; 8]> = SmallVec::new();
        let found = self.tree.walk(path, self.has_templates, &mut prefixes, &mut accept);
        if found.is_some() {
            return found;
        }
        // Each list holds patterns of one rank, so that lists are ordered by their first entry.
        prefixes.sort_unstable_by_key(|routes| routes.first().copied());
        prefixes.into_iter().find_map(|routes| offer(routes, &mut accept))
    }
}

fn offer(routes: &Routes, accept: &mut impl FnMut(usize) -> bool) -> Option<usize> {
    routes.iter().map(|number| *number as usize).find(|index| accept(*index))
}

impl Node {
    /// Walks down `path`, of which the part before this node is cut off. Templates that end at
    /// the end of the path are offered at once, prefixes on the way are collected.
    fn walk<'n>(
        &'n self,
        path: &str,
        templates: bool,
        prefixes: &mut SmallVec<[&'n Routes; 8]>,
        accept: &mut impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        if !self.rest.is_empty() {
            prefixes.push(&self.rest);
        }
        let Some(behind) = path.strip_prefix('/') else {
            return if templates { offer(&self.whole, accept) } else { None };
        };
        let end = behind.find('/').unwrap_or(behind.len());
        let (segment, remaining) = behind.split_at(end);
        if let Some(node) = self.literals.get(segment)
            && let Some(found) = node.walk(remaining, templates, prefixes, accept)
        {
            return Some(found);
        }
        match &self.capture {
            Some(node) if !segment.is_empty() => node.walk(remaining, templates, prefixes, accept),
            _ => None,
        }
    }
}

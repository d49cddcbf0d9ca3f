//! The paths of one host: a map of exact paths, and a tree of segments for templates, prefixes and
//! regular expressions.

use smallvec::SmallVec;

use super::{FastMap, Name};
use crate::path::Segment;
use crate::{PathMatch, PathPattern, PathRegex, Route};

/// Indexes of routes, ascending: in the order of precedence.
type Routes = SmallVec<[u32; 2]>;

#[derive(Debug)]
pub(super) struct PathIndex {
    exact: FastMap<Name, Routes>,
    tree: Node,
    /// Whether a path of the tree ends without a rest: if none does, only prefixes are searched.
    has_templates: bool,
}

/// A place in the tree of segments.
#[derive(Debug, Default)]
struct Node {
    literals: Literals,
    capture: Option<Box<Node>>,
    /// Templates that end here.
    whole: Routes,
    /// Patterns whose rest begins here.
    rest: Routes,
    /// Expressions whose literal text leads here: only those are tried that a path may match.
    regexes: Vec<(PathRegex, Routes)>,
}

/// What a walk met on its way, to be offered after it.
#[derive(Default)]
struct Met<'n> {
    prefixes: SmallVec<[&'n Routes; 8]>,
    /// Of expressions that match.
    regexes: SmallVec<[&'n Routes; 4]>,
}

/// The nodes below one by the text of their segment. Most nodes have one below them, for which a map
/// would take many times its room.
#[derive(Debug, Default)]
enum Literals {
    #[default]
    None,
    One(Box<(Name, Node)>),
    Many(Box<FastMap<Name, Node>>),
}

impl PathIndex {
    pub(super) fn build(routes: &[Route]) -> Self {
        let mut index =
            Self { exact: FastMap::default(), tree: Node::default(), has_templates: false };
        for (number, route) in (0u32..).zip(routes) {
            match &route.path {
                PathMatch::Pattern(pattern) => index.put_pattern(number, pattern),
                PathMatch::Regex { regex } => index.tree.put_regex(number, regex),
            }
        }
        index
    }

    fn put_pattern(&mut self, number: u32, pattern: &PathPattern) {
        if pattern.is_exact() {
            self.exact.entry(pattern.as_str().as_bytes().into()).or_default().push(number);
            return;
        }
        let mut node = &mut self.tree;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text),
                Segment::Capture(_) => node.capture.get_or_insert_default(),
            };
        }
        if pattern.has_rest() {
            node.rest.push(number);
        } else {
            node.whole.push(number);
            self.has_templates = true;
        }
    }

    /// Calls `accept` with the index of each route that knows `path`, in the order of precedence,
    /// until it accepts one.
    pub(super) fn first(&self, path: &str, mut accept: impl FnMut(usize) -> bool) -> Option<usize> {
        if let Some(routes) = self.exact.get(path.as_bytes())
            && let Some(found) = offer(routes, &mut accept)
        {
            return Some(found);
        }
        // An exact path is all literals, so it is stronger than every template of its length. The
        // walk visits literal before capture, which is the order among templates.
        let mut met = Met::default();
        let found = self.tree.walk(path, path, self.has_templates, &mut met, &mut accept);
        if found.is_some() {
            return found;
        }
        met.first(&mut accept)
    }
}

impl Met<'_> {
    fn first(mut self, accept: &mut impl FnMut(usize) -> bool) -> Option<usize> {
        if self.regexes.is_empty() {
            // Each list holds patterns of one rank, so that lists are ordered by their first entry.
            self.prefixes.sort_unstable_by_key(|routes| routes.first().copied());
            return self.prefixes.into_iter().find_map(|routes| offer(routes, accept));
        }
        // Two expressions may have one rank, and their routes lie between each other.
        let lists = self.prefixes.into_iter().chain(self.regexes);
        let mut all: Routes = lists.flatten().copied().collect();
        all.sort_unstable();
        offer(&all, accept)
    }
}

fn offer(routes: &Routes, accept: &mut impl FnMut(usize) -> bool) -> Option<usize> {
    routes.iter().map(|number| *number as usize).find(|index| accept(*index))
}

impl Literals {
    fn get(&self, segment: &str) -> Option<&Node> {
        match self {
            Self::None => None,
            Self::One(one) => (*one.0 == *segment.as_bytes()).then_some(&one.1),
            Self::Many(many) => many.get(segment.as_bytes()),
        }
    }

    /// The node for a segment, which is made when there is none.
    fn entry(&mut self, segment: &str) -> &mut Node {
        if let Self::One(one) = self
            && *one.0 != *segment.as_bytes()
        {
            let (text, node) = std::mem::take(&mut **one);
            *self = Self::Many(Box::new(FastMap::from_iter([(text, node)])));
        }
        match self {
            Self::None => {
                *self = Self::One(Box::new((segment.as_bytes().into(), Node::default())));
                self.entry(segment)
            }
            Self::One(one) => &mut one.1,
            Self::Many(many) => many.entry(segment.as_bytes().into()).or_default(),
        }
    }
}

impl Node {
    /// Puts an expression where its literal text leads, as far as that has whole segments.
    fn put_regex(&mut self, number: u32, regex: &PathRegex) {
        let prefix = regex.literal_prefix();
        let whole = prefix.rfind('/').map_or("", |end| &prefix[..end]);
        let mut node = self;
        for segment in whole.split('/').skip(1) {
            node = node.literals.entry(segment);
        }
        match node.regexes.iter_mut().find(|(known, _)| known == regex) {
            Some((_, routes)) => routes.push(number),
            None => node.regexes.push((regex.clone(), Routes::from_slice(&[number]))),
        }
    }

    /// Walks down `whole`, of which `path` is what is left at this node. Templates that end at the
    /// end of the path are offered at once, what is open is collected.
    fn walk<'n>(
        &'n self,
        whole: &str,
        path: &str,
        templates: bool,
        met: &mut Met<'n>,
        accept: &mut impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        if !self.rest.is_empty() {
            met.prefixes.push(&self.rest);
        }
        for (regex, routes) in &self.regexes {
            if regex.matches(whole) {
                met.regexes.push(routes);
            }
        }
        let Some(behind) = path.strip_prefix('/') else {
            return if templates { offer(&self.whole, accept) } else { None };
        };
        let end = behind.find('/').unwrap_or(behind.len());
        let (segment, remaining) = behind.split_at(end);
        if let Some(node) = self.literals.get(segment)
            && let Some(found) = node.walk(whole, remaining, templates, met, accept)
        {
            return Some(found);
        }
        match &self.capture {
            Some(node) if !segment.is_empty() => {
                node.walk(whole, remaining, templates, met, accept)
            }
            _ => None,
        }
    }
}

//! The paths of one host: a map by the literal text that a pattern begins with, and behind it a tree
//! of segments for what captures.

use smallvec::SmallVec;

use super::{FastMap, Name};
use crate::path::Segment;
use crate::{PathMatch, PathPattern, PathRegex, Route};

/// Indexes of routes, ascending: in the order of precedence.
type Routes = SmallVec<[u32; 2]>;

/// A path is looked up by each of its beginnings that patterns have, the longest first. Most hosts
/// have patterns of one or two lengths, and then a lookup waits for memory once or twice, however
/// many paths there are; a tree from the root would wait at each segment.
#[derive(Debug, Default)]
pub(super) struct PathIndex {
    places: FastMap<Name, Place>,
    depths: Depths,
}

/// The numbers of segments that the places have.
#[derive(Clone, Copy, Debug, Default)]
struct Depths {
    /// Bit n is set when there is a place of n segments; the last when there is one of as many or
    /// more.
    bits: u64,
    longest: usize,
}

/// What begins with the same literal segments, and has no others.
#[derive(Debug, Default)]
struct Place {
    /// Paths that end here.
    exact: Routes,
    /// Patterns whose rest begins here.
    rest: Routes,
    more: Option<Box<More>>,
}

/// What few places have.
#[derive(Debug, Default)]
struct More {
    /// Patterns that go on with a capture.
    capture: Option<Node>,
    /// Expressions whose literal text leads here: only those are tried that a path may match.
    regexes: Vec<(PathRegex, Routes)>,
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
        let mut index = Self::default();
        for (number, route) in (0u32..).zip(routes) {
            match &route.path {
                PathMatch::Pattern(pattern) => index.put_pattern(number, pattern),
                PathMatch::Regex { regex } => index.put_regex(number, regex),
            }
        }
        index
    }

    /// The place of a literal beginning, which is made when there is none.
    fn place(&mut self, literal: &str) -> &mut Place {
        self.depths.insert(literal.matches('/').count());
        self.places.entry(literal.as_bytes().into()).or_default()
    }

    fn put_pattern(&mut self, number: u32, pattern: &PathPattern) {
        if pattern.is_exact() {
            self.place(pattern.as_str()).exact.push(number);
            return;
        }
        // Up to the slash before the first capture or the rest.
        let literal = pattern.literal_prefix();
        let literal = &literal[..literal.len() - 1];
        let place = self.place(literal);
        let mut behind = pattern.segments().skip(literal.matches('/').count()).peekable();
        if behind.peek().is_none() {
            place.rest.push(number);
            return;
        }
        // What is not literal is a capture.
        behind.next();
        let mut node = place.more.get_or_insert_default().capture.get_or_insert_default();
        for segment in behind {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text),
                Segment::Capture(_) => node.capture.get_or_insert_default(),
            };
        }
        if pattern.has_rest() {
            node.rest.push(number);
        } else {
            node.whole.push(number);
        }
    }

    /// Puts an expression where its literal text leads, as far as that has whole segments.
    fn put_regex(&mut self, number: u32, regex: &PathRegex) {
        let prefix = regex.literal_prefix();
        let whole = prefix.rfind('/').map_or("", |end| &prefix[..end]);
        let regexes = &mut self.place(whole).more.get_or_insert_default().regexes;
        match regexes.iter_mut().find(|(known, _)| known == regex) {
            Some((_, routes)) => routes.push(number),
            None => regexes.push((regex.clone(), Routes::from_slice(&[number]))),
        }
    }

    /// Calls `accept` with the index of each route that knows `path`, in the order of precedence,
    /// until it accepts one.
    ///
    /// An exact path is all literals, so it is stronger than every template of its length; and of
    /// two templates the one that goes on literally for longer is the stronger. So the longest
    /// beginning comes first.
    pub(super) fn first(&self, path: &str, mut accept: impl FnMut(usize) -> bool) -> Option<usize> {
        let mut met = Met::default();
        for end in self.depths.ends(path).into_iter().rev() {
            let Some(place) = self.places.get(&path.as_bytes()[..end]) else { continue };
            if end == path.len()
                && let Some(found) = offer(&place.exact, &mut accept)
            {
                return Some(found);
            }
            if let Some(more) = &place.more {
                if let Some(node) = &more.capture
                    && let Some((segment, behind)) = split(&path[end..])
                    && !segment.is_empty()
                    && let Some(found) = node.walk(behind, &mut met, &mut accept)
                {
                    return Some(found);
                }
                let regexes = more.regexes.iter().filter(|(regex, _)| regex.matches(path));
                met.regexes.extend(regexes.map(|(_, routes)| routes));
            }
            if !place.rest.is_empty() {
                met.prefixes.push(&place.rest);
            }
        }
        met.first(&mut accept)
    }
}

impl Depths {
    const LAST: usize = u64::BITS as usize - 1;

    fn insert(&mut self, depth: usize) {
        self.bits |= 1 << depth.min(Self::LAST);
        self.longest = self.longest.max(depth);
    }

    const fn has(self, depth: usize) -> bool {
        let depth = if depth < Self::LAST { depth } else { Self::LAST };
        self.bits & (1 << depth) != 0
    }

    /// Where the beginnings of a path end that have one of these numbers of segments, ascending.
    fn ends(self, path: &str) -> SmallVec<[usize; 16]> {
        let bytes = path.bytes().enumerate().skip(1);
        let slashes = bytes.filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
        // Each segment ends at the next slash, and the last one with the path.
        let ends = std::iter::once(0).chain(slashes).chain([path.len()]).zip(0..=self.longest);
        ends.filter(|(_, depth)| self.has(*depth)).map(|(end, _)| end).collect()
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
    /// Walks down `path`, which is what is left of one at this node. Templates that end at the end
    /// of the path are offered at once, what is open is collected. Literal comes before capture,
    /// which is the order among templates.
    fn walk<'n>(
        &'n self,
        path: &str,
        met: &mut Met<'n>,
        accept: &mut impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        if !self.rest.is_empty() {
            met.prefixes.push(&self.rest);
        }
        let Some((segment, remaining)) = split(path) else { return offer(&self.whole, accept) };
        if let Some(node) = self.literals.get(segment)
            && let Some(found) = node.walk(remaining, met, accept)
        {
            return Some(found);
        }
        let node = self.capture.as_ref().filter(|_| !segment.is_empty())?;
        node.walk(remaining, met, accept)
    }
}

/// The first segment of a path, and what is left behind it.
fn split(path: &str) -> Option<(&str, &str)> {
    let behind = path.strip_prefix('/')?;
    Some(behind.split_at(behind.find('/').unwrap_or(behind.len())))
}

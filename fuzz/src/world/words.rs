//! Hosts, paths and methods as they are written.
//!
//! Words are few, so that routes and requests meet. Some stand for where the table has two ways:
//! long ones, that do not fit where short ones are kept, and pieces of expressions, whose literal
//! text leads into the tree of segments.

use std::cell::RefCell;
use std::collections::HashMap;

use arbitrary::Arbitrary;
use fairway_snapshot::{HostPattern, PathMatch};
use http::Method;

/// Longer texts say nothing new.
const LONGEST_TEXT: usize = 40;
/// Expressions that are kept, for compiling them is most of the work.
const MOST_KEPT: usize = 4096;

/// A host, of a route or of a request.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum WrittenHost<'a> {
    /// Every host, or none.
    Any,
    /// Labels in front of `example`.
    Labels(Vec<Label>),
    /// Likewise, behind `*.`.
    Wildcard(Vec<Label>),
    Text(&'a str),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Label {
    A,
    B,
    Long,
}

/// A path of a route.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum WrittenPath<'a> {
    Pattern(Vec<Segment>, End),
    Regex(Vec<Piece>),
    /// An expression behind `~`.
    Text(&'a str),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Segment {
    Word(Word),
    /// One of two names.
    Capture(bool),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Word {
    A,
    B,
    Ab,
    /// An encoded slash, which is none.
    Slash,
    /// Dots that are no dot segment.
    Dots,
    Long,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum End {
    Plain,
    Slash,
    Rest,
}

/// A piece of a regular expression.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Piece {
    Word(Word),
    Class,
    Maybe,
    Group,
    AnyCase,
    Or,
    Letter,
    Plus,
    All,
    End,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum OneMethod {
    Get,
    Head,
    Post,
    Options,
    Purge,
}

impl WrittenHost<'_> {
    /// As a request has it, or a route.
    pub(super) fn text(&self) -> String {
        let labels = |labels: &[Label]| -> String {
            labels.iter().take(4).map(|label| label.text()).collect()
        };
        match self {
            Self::Any => "*".to_owned(),
            Self::Labels(all) => format!("{}example", labels(all)),
            Self::Wildcard(all) => format!("*.{}example", labels(all)),
            Self::Text(text) => text.chars().take(LONGEST_TEXT).collect(),
        }
    }

    pub(super) fn pattern(&self) -> Option<HostPattern> {
        self.text().parse().ok()
    }
}

impl Label {
    fn text(self) -> &'static str {
        match self {
            Self::A => "a.",
            Self::B => "b.",
            Self::Long => "a-label-of-more-than-24-bytes.",
        }
    }
}

impl Word {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::Ab => "ab",
            Self::Slash => "%2F",
            Self::Dots => "..a",
            Self::Long => "a-segment-of-more-than-24-bytes",
        }
    }
}

impl End {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Slash => "/",
            Self::Rest => "/*",
        }
    }
}

impl Piece {
    fn push(self, out: &mut String) {
        match self {
            Self::Word(word) => {
                out.push('/');
                out.push_str(word.text());
            }
            Self::Class => out.push_str("/[ab]"),
            Self::Maybe => out.push_str("(?:/b)?"),
            // Each group has its own name.
            Self::Group => out.push_str(&format!("/(?<g{}>[^/]+)", out.len())),
            Self::AnyCase => out.push_str("(?i)"),
            Self::Or => out.push_str("|/a"),
            Self::Letter => out.push('b'),
            Self::Plus => out.push('+'),
            Self::All => out.push_str(".*"),
            Self::End => out.push('$'),
        }
    }
}

impl WrittenPath<'_> {
    pub(super) fn parsed(&self) -> Option<PathMatch> {
        parsed(&self.text())
    }

    fn text(&self) -> String {
        match self {
            Self::Pattern(segments, end) => {
                let mut out = String::new();
                for segment in segments.iter().take(6) {
                    out.push('/');
                    out.push_str(match segment {
                        Segment::Word(word) => word.text(),
                        Segment::Capture(true) => "{x}",
                        Segment::Capture(false) => "{longer}",
                    });
                }
                out.push_str(end.text());
                out
            }
            Self::Regex(pieces) => {
                let mut out = String::new();
                pieces.iter().take(6).for_each(|piece| piece.push(&mut out));
                format!("~{out}")
            }
            Self::Text(text) => text.chars().take(LONGEST_TEXT).collect(),
        }
    }
}

/// A path by its text, if it is one.
fn parsed(text: &str) -> Option<PathMatch> {
    thread_local! {
        static KEPT: RefCell<HashMap<String, Option<PathMatch>>> = RefCell::default();
    }
    let Some(expression) = text.strip_prefix('~') else {
        return text.parse().ok().map(PathMatch::Pattern);
    };
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.get(text) {
            return known.clone();
        }
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        let made = expression.parse().ok().map(|regex| PathMatch::Regex { regex });
        kept.insert(text.to_owned(), made.clone());
        made
    })
}

impl OneMethod {
    pub(super) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Post => Method::POST,
            Self::Options => Method::OPTIONS,
            Self::Purge => Method::from_bytes(b"PURGE").expect("it is a method"),
        }
    }
}

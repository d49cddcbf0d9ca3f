//! Expressions that no normalised path matches, as far as that is seen in what every match holds.

#[cfg(test)]
mod tests;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::PathRegex;
use crate::Normalization;
use crate::normalize::{EmptySegments, Keep, Reject, all_encoded, is_unreserved};
use crate::text::triplet;

impl PathRegex {
    /// Why no path matches that is normalised like this, with what to write instead. `None` does
    /// not mean that some path does: only texts and characters are looked at that every match holds.
    #[must_use]
    pub fn never_matches(&self, normalization: &Normalization) -> Option<String> {
        let hir = regex_syntax::parse(self.as_str()).ok()?;
        let mut run = Run { text: String::new(), found: None, normalization };
        run.walk(&hir);
        // What is left reaches to the end of the path.
        let dots =
            [("/.", "."), ("/..", "..")].into_iter().find(|(end, _)| run.text.ends_with(end));
        run.end();
        run.found.or_else(|| dots.map(|(_, segment)| of_dots(segment)))
    }
}

/// Text that stands together in every match.
struct Run<'n> {
    text: String,
    found: Option<String>,
    normalization: &'n Normalization,
}

impl Run<'_> {
    fn walk(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => self.text.push_str(text),
                Err(_) => self.end(),
            },
            HirKind::Capture(group) => self.walk(&group.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.walk(part)),
            HirKind::Repetition(repeated) => {
                // The first time it stands right behind what is before it.
                if repeated.min > 0 {
                    self.walk(&repeated.sub);
                }
                self.end();
            }
            HirKind::Alternation(choices) => {
                self.end();
                let alone = choices.iter().map(|choice| {
                    let mut run = Run { text: String::new(), found: None, ..*self };
                    run.walk(choice);
                    run.end();
                    run.found
                });
                let all: Option<Vec<String>> = alone.collect();
                self.find(all.and_then(|all| all.into_iter().next()));
            }
            HirKind::Class(class) => {
                self.end();
                let none = !(' '..='~').any(|one| holds(class, one) && self.sent(one).is_none());
                self.find(none.then(|| {
                    "no character that it asks for stands in a normalised path: write others, or those percent-encoded".to_owned()
                }));
            }
        }
    }

    fn find(&mut self, found: Option<String>) {
        if self.found.is_none() {
            self.found = found;
        }
    }

    /// Ends the text: what comes next may be anything.
    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.find(self.problem(&text));
    }

    fn problem(&self, text: &str) -> Option<String> {
        if let Some(problem) = text.chars().find_map(|character| self.sent(character)) {
            return Some(problem);
        }
        if text.contains("//") && self.normalization.empty_segments != EmptySegments::Keep {
            return Some("// is merged, or refused: write /".to_owned());
        }
        if let Some(segment) =
            [".", ".."].into_iter().find(|dots| text.contains(&format!("/{dots}/")))
        {
            return Some(of_dots(segment));
        }
        let triplets = text.match_indices('%').map(|(at, _)| &text[at + 1..]);
        triplets.filter(|digits| digits.len() >= 2).find_map(|digits| self.encoded(digits))
    }

    /// Why a character does not stand in a path that is normalised.
    fn sent(&self, character: char) -> Option<String> {
        match character {
            '?' => Some(
                "the query is no part of the path: write the path alone, and query for parameters"
                    .to_owned(),
            ),
            '#' => Some("a fragment is never sent: write the path alone".to_owned()),
            ' ' => Some("a blank is percent-encoded: write %20".to_owned()),
            '\\' if self.normalization.backslash == Reject::Keep => None,
            '\\' => Some("a backslash is refused: write /, or %5C".to_owned()),
            '!'..='~' => None,
            other => {
                let encoded = all_encoded(other.encode_utf8(&mut [0; 4]));
                Some(format!("{other:?} does not stand in a path as it is: write {encoded}"))
            }
        }
    }

    /// Why a triplet does not stand in a path that is normalised.
    fn encoded(&self, digits: &str) -> Option<String> {
        let Some(byte) = triplet(digits.as_bytes()) else {
            return Some(
                "% is followed by two hexadecimal digits: write a literal % as %25".to_owned(),
            );
        };
        let written = &digits[..2];
        match byte {
            _ if is_unreserved(byte) => {
                let plain = char::from(byte);
                Some(format!("%{written} is decoded: write {plain}"))
            }
            0 => Some("%00 is refused: remove it".to_owned()),
            b'/' | b'\\' if self.normalization.encoded_slash == Keep::Reject => {
                Some(format!("%{written} is refused here: remove it"))
            }
            _ if written.bytes().any(|digit| digit.is_ascii_lowercase()) => {
                Some(format!("triplets are compared in upper case: write %{byte:02X}"))
            }
            _ => None,
        }
    }
}

fn of_dots(segment: &str) -> String {
    format!("a segment {segment} is resolved: write the path that it leads to")
}

fn holds(class: &Class, character: char) -> bool {
    match class {
        Class::Unicode(class) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&character))
        }
        Class::Bytes(class) => u8::try_from(character).is_ok_and(|byte| {
            class.iter().any(|range| (range.start()..=range.end()).contains(&byte))
        }),
    }
}

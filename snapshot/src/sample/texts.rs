//! Texts that a regular expression matches.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// How many texts are made of one expression.
const MOST: usize = 24;
/// Characters that are chosen of a class before others; one that may be a slash makes other paths
/// than one that may not.
const NICE: [char; 9] = ['x', '/', 'a', '1', '0', 'v', 'A', '-', '_'];
/// Up to so many repetitions each may be another text.
const VARIED: u32 = 3;

/// Texts that the expression matches and `take` takes, the nicest first: some of very many.
pub(super) fn matching(expression: &str, take: impl Fn(&str) -> bool) -> Vec<String> {
    let Ok(hir) = regex_syntax::parse(expression) else { return Vec::new() };
    let mut texts = texts(&hir);
    texts.retain(|text| take(text));
    texts
}

fn texts(hir: &Hir) -> Vec<String> {
    match hir.kind() {
        // Whether a place is a boundary of words is seen when the text is matched.
        HirKind::Empty | HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => {
            std::str::from_utf8(&literal.0).map(str::to_owned).into_iter().collect()
        }
        HirKind::Class(class) => characters(class),
        HirKind::Repetition(repeated) => repetitions(repeated),
        HirKind::Capture(group) => texts(&group.sub),
        HirKind::Concat(parts) => {
            let empty = vec![String::new()];
            parts.iter().fold(empty, |front, part| joined(&front, &texts(part)))
        }
        HirKind::Alternation(choices) => {
            let all: Vec<Vec<String>> = choices.iter().map(texts).collect();
            let longest = all.iter().map(Vec::len).max().unwrap_or_default();
            // One of each before a second of any.
            let mixed = (0..longest).flat_map(|at| all.iter().filter_map(move |one| one.get(at)));
            mixed.take(MOST).cloned().collect()
        }
    }
}

/// Every text of the one before every text of the other, those first that come early in both.
fn joined(front: &[String], behind: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for sum in 0..front.len() + behind.len() {
        for (index, text) in front.iter().enumerate().take(sum + 1) {
            if let Some(end) = behind.get(sum - index) {
                all.push(format!("{text}{end}"));
            }
        }
    }
    all.truncate(MOST);
    all
}

/// Something before nothing, so that an expression is seen at work.
fn repetitions(repeated: &Repetition) -> Vec<String> {
    let one = texts(&repeated.sub);
    let (least, most) = (repeated.min, repeated.max.unwrap_or(u32::MAX));
    let mut counts = vec![least.max(1), least];
    counts.extend((1..=3).map(|more| least.saturating_add(more)));
    counts.retain(|count| *count <= most);
    let mut all: Vec<String> = Vec::new();
    for count in counts {
        let made = if count <= VARIED {
            (0..count).fold(vec![String::new()], |front, _| joined(&front, &one))
        } else {
            one.iter().map(|text| text.repeat(count as usize)).collect()
        };
        for text in made.into_iter().take(MOST / 4) {
            if !all.contains(&text) {
                all.push(text);
            }
        }
    }
    all
}

/// Some characters of a class: nice ones, and the first and last that can be seen.
fn characters(class: &Class) -> Vec<String> {
    let holds = |character: char| match class {
        Class::Unicode(class) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&character))
        }
        Class::Bytes(class) => u8::try_from(character).is_ok_and(|byte| {
            class.iter().any(|range| (range.start()..=range.end()).contains(&byte))
        }),
    };
    let mut found: Vec<char> = NICE.into_iter().filter(|character| holds(*character)).collect();
    found.truncate(4);
    let visible = || ('!'..='~').filter(|character| holds(*character));
    for more in visible().next().into_iter().chain(visible().next_back()) {
        if !found.contains(&more) {
            found.push(more);
        }
    }
    if found.is_empty() && holds(' ') {
        found.push(' ');
    }
    if found.is_empty()
        && let Class::Unicode(class) = class
    {
        found.extend(class.iter().next().map(regex_syntax::hir::ClassUnicodeRange::start));
    }
    found.into_iter().map(String::from).collect()
}

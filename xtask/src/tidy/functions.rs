//! Functions and their lengths, found by a look at indentation: the sources are formatted, so a
//! function ends at the brace that stands as far left as its first line.

/// A function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// From its first line to its last.
    pub(super) lines: usize,
}

/// Every function of a file that has a body.
pub(super) fn find(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let one_line = line.trim_end().ends_with('}') || line.trim_end().ends_with(';');
        let length = if one_line {
            1
        } else {
            lines[index..].iter().position(|line| *line == closing).map_or(1, |end| end + 1)
        };
        found.push(Function { name, line: index + 1, lines: length });
    }
    found
}

/// The name of the function that a line begins.
fn name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.peek() {
        let prefix = matches!(*word, "pub" | "const" | "async" | "unsafe" | "extern")
            || word.starts_with("pub(");
        // `pub(in a::b)` is two words.
        if !prefix && !word.ends_with(')') {
            break;
        }
        words.next();
    }
    if words.next()? != "fn" {
        return None;
    }
    let name: String =
        words.next()?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

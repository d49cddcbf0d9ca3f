//! Links in Markdown lead to files that exist.

use std::path::Path;

use super::clean;

/// Relative links of a page that lead nowhere.
pub(super) fn check(page: &Path, text: &str, exists: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for target in targets(line) {
            let outside =
                target.contains("://") || target.starts_with('#') || target.starts_with("mailto:");
            let file = target.split('#').next().unwrap_or_default();
            if outside || file.is_empty() {
                continue;
            }
            let folder = page.parent().unwrap_or(Path::new(""));
            if !exists(&clean(&folder.join(file))) {
                problems.push(format!("{}:{number}: {target} leads nowhere", page.display()));
            }
        }
    }
    problems
}

/// What stands between `](` and `)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

//! What libFuzzer tells, in few lines.

/// Enough to see what is wrong; the rest stands in the log.
const MOST_LINES: usize = 30;

/// How much was tried.
pub(super) fn summary(log: &str) -> String {
    let stat = |name: &str| {
        let line = log.lines().rev().find_map(|line| line.strip_prefix(name));
        line.map_or("?", str::trim).to_owned()
    };
    let executions = stat("stat::number_of_executed_units:");
    let rate = stat("stat::average_exec_per_sec:");
    let new = stat("stat::new_units_added:");
    format!("{executions} executions, {rate} a second; {new} inputs were new")
}

/// The file that holds the input that was found.
pub(super) fn finding(log: &str) -> Option<&str> {
    log.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, file)| file)
}

/// What is wrong: from the panic on, or from the error of libFuzzer itself.
pub(super) fn told(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let begin = |mark: &str| lines.iter().position(|line| line.contains(mark));
    let begin = begin("panicked at").or_else(|| begin("ERROR: libFuzzer"));
    let begin = begin.unwrap_or(lines.len().saturating_sub(MOST_LINES));
    lines[begin..].iter().take(MOST_LINES).copied().collect::<Vec<_>>().join("\n")
}

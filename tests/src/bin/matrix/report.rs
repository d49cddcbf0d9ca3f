//! What is printed: the matrix as a table in Markdown, and lines for what is no cell of it.

use std::fmt::Write;

use fairway_tests::matrix::{Downstream, Outcome, Row, Upstream};

/// A cell, and the memory that was used for it.
pub(crate) struct Cell {
    pub(crate) outcome: Result<Outcome, String>,
    pub(crate) peak: Option<u64>,
    /// The most that it may be.
    pub(crate) bound: u64,
}

/// The report, as far as it is.
pub(crate) struct Report {
    table: String,
    lines: String,
    notes: Vec<String>,
    good: bool,
}

/// The columns, in their order.
pub(crate) fn columns() -> impl Iterator<Item = (Downstream, Upstream)> {
    let both = |downstream| Upstream::ALL.into_iter().map(move |upstream| (downstream, upstream));
    Downstream::ALL.into_iter().flat_map(both)
}

fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}

/// Tells what is going on; the report comes at the end.
fn tell(text: &str) {
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("    {text}\n"));
}

impl Report {
    pub(crate) fn new(large: u64) -> Self {
        let mut table = String::from("| |");
        for (downstream, upstream) in columns() {
            let _ = write!(table, " {} to {} |", downstream.name(), upstream.name());
        }
        table.push_str(" what was compared |\n|---|");
        table.push_str(&"---|".repeat(columns().count() + 1));
        table.push('\n');
        let lines = format!("\nLarge is {large} MiB.");
        Self { table, lines, notes: Vec::new(), good: true }
    }

    /// What the gateway uses before the first cell.
    pub(crate) fn idle(&mut self, bytes: u64) {
        let _ = writeln!(
            self.lines,
            " The gateway uses {} when it is idle; beside a cell stands its peak during the cell.",
            mib(bytes)
        );
    }

    pub(crate) fn row(&mut self, row: Row, cells: Vec<Cell>) {
        let _ = write!(self.table, "| {} |", row.name());
        let mut compared: Vec<String> = Vec::new();
        for ((downstream, upstream), cell) in columns().zip(cells) {
            let place = format!("{}, {} to {}", row.name(), downstream.name(), upstream.name());
            let mut word = match cell.outcome {
                Ok(Outcome::Good(text)) => {
                    if !compared.contains(&text) {
                        compared.push(text);
                    }
                    "ok".to_owned()
                }
                Ok(Outcome::Limit(reason)) => {
                    let reason = reason.to_owned();
                    let known = self.notes.iter().position(|note| *note == reason);
                    let number = known.unwrap_or_else(|| {
                        self.notes.push(reason);
                        self.notes.len() - 1
                    });
                    format!("limit {}", number + 1)
                }
                Err(text) => {
                    self.good = false;
                    self.notes.push(format!("{place}: {text}"));
                    format!("FAILED {}", self.notes.len())
                }
            };
            if let Some(peak) = cell.peak {
                let _ = write!(word, ", {}", mib(peak));
                if peak > cell.bound {
                    self.good = false;
                    let most = mib(cell.bound);
                    self.notes.push(format!("{place}: more memory than {most}"));
                    let _ = write!(word, " FAILED {}", self.notes.len());
                }
            }
            tell(&format!("{place}: {word}"));
            let _ = write!(self.table, " {word} |");
        }
        let _ = writeln!(self.table, " {} |", compared.join("; "));
    }

    /// Something that is no cell.
    pub(crate) fn line(&mut self, name: &str, told: Result<String, String>) {
        self.good &= told.is_ok();
        let (word, text) = match told {
            Ok(text) => ("ok", text),
            Err(text) => ("FAILED", text),
        };
        tell(&format!("{name}: {word}: {text}"));
        let _ = write!(self.lines, "\n- {name}: {word}: {text}");
    }

    /// The whole text, and whether everything is as it should be.
    pub(crate) fn finish(mut self) -> (String, bool) {
        for (number, note) in (1..).zip(&self.notes) {
            let _ = write!(self.table, "\n{number}. {note}");
        }
        (format!("{}\n{}\n", self.table, self.lines), self.good)
    }
}

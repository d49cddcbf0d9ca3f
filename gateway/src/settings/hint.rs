//! What was probably meant by a name that is not known.

/// The known name that is near enough to be what was meant, with a question; otherwise nothing.
pub(super) fn did_you_mean(wanted: &str, known: &[&str]) -> Option<String> {
    let scored = known.iter().map(|name| (strsim::damerau_levenshtein(wanted, name), *name));
    let (distance, name) = scored.min()?;
    // A third of the letters, so that a short name is not taken for quite another one.
    let tolerance = (wanted.len() / 3).clamp(1, 3);
    (distance <= tolerance).then(|| format!("did you mean {name}?"))
}

/// The same, or else everything that could have been written.
pub(super) fn did_you_mean_or_all(wanted: &str, known: &[&str]) -> String {
    did_you_mean(wanted, known).unwrap_or_else(|| format!("known are {}", known.join(", ")))
}

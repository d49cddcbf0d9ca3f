//! What was probably meant by a name that is not known.

/// The known name that is near enough to be what was meant.
pub(super) fn nearest<'n>(wanted: &str, known: &[&'n str]) -> Option<&'n str> {
    let scored = known.iter().map(|name| (strsim::damerau_levenshtein(wanted, name), *name));
    let (distance, name) = scored.min()?;
    // A third of the letters, so that a short name is not taken for quite another one.
    let tolerance = (wanted.len() / 3).clamp(1, 3);
    (distance <= tolerance).then_some(name)
}

/// A question for the nearest name, or else everything that could have been written.
pub(super) fn did_you_mean_or_all(wanted: &str, known: &[&str]) -> String {
    match nearest(wanted, known) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("known are {}", known.join(", ")),
    }
}

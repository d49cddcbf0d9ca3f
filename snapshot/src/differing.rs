//! What of a long list has changed, when mostly little has.

use std::ops::Range;

/// Where two lists differ: what lies between the part that both begin with and the part that both
/// end with. It takes a look at each element, and no memory.
pub fn differing<T>(
    old: &[T],
    new: &[T],
    same: impl Fn(&T, &T) -> bool,
) -> (Range<usize>, Range<usize>) {
    let front = old.iter().zip(new).take_while(|(a, b)| same(a, b)).count();
    let ends = old[front..].iter().rev().zip(new[front..].iter().rev());
    let back = ends.take_while(|(a, b)| same(a, b)).count();
    (front..old.len() - back, front..new.len() - back)
}

#[cfg(test)]
mod tests {
    use super::differing;

    #[test]
    fn the_middle_is_what_differs() {
        for (old, new, expected) in [
            ("", "", (0..0, 0..0)),
            ("abc", "abc", (3..3, 3..3)),
            ("abc", "axc", (1..2, 1..2)),
            ("abc", "abxc", (2..2, 2..3)),
            ("abc", "bc", (0..1, 0..0)),
            ("ab", "ba", (0..2, 0..2)),
            // What could be counted to both ends is counted once.
            ("aa", "aaa", (2..2, 2..3)),
            ("aaa", "aa", (2..3, 2..2)),
            ("", "ab", (0..0, 0..2)),
        ] {
            let found = differing(old.as_bytes(), new.as_bytes(), |a, b| a == b);
            assert_eq!(found, expected, "{old} {new}");
        }
    }
}

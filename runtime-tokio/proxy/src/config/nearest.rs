//! Which valid name was probably meant.

/// The name among `names` that is closest to `given`, if one is close enough to be worth saying.
///
/// Names are compared without case and underscores, so `connectTimeOut` is `connect_timeout`. A name
/// whose words are all in `given` (or the other way round) counts as close as well.
pub(crate) fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(given);
    let best = names.into_iter().map(|name| (distance_of(given, &folded, name), name)).min()?;
    // A third of the letters may be wrong: more, and the hint would mislead.
    (best.0 <= (folded.len() / 3).clamp(1, 4)).then_some(best.1)
}

fn distance_of(given: &str, folded: &[char], name: &str) -> usize {
    let distance = distance(folded, &fold(name));
    if distance > 1 && has_same_words(given, name) { 1 } else { distance }
}

fn fold(name: &str) -> Vec<char> {
    // Longer input cannot be close to any name, and the table below is quadratic.
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).take(80).collect()
}

fn has_same_words(a: &str, b: &str) -> bool {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let mut words = few.split('_').peekable();
    few.contains('_') && words.all(|word| many.split('_').any(|other| other == word))
}

/// Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row[j + 1] = cost;
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        let names = ["connect_timeout", "lb_policy", "idle_timeout", "type"];
        for (given, found) in [
            ("conect_timeout", Some("connect_timeout")),
            ("connectTimeOut", Some("connect_timeout")),
            ("lb_polciy", Some("lb_policy")),
            ("idle_connection_timeout", Some("idle_timeout")),
            ("tpye", Some("type")),
            ("rate_limit_settings", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, names), found, "{given}");
        }
    }
}

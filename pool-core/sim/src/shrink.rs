//! Leaving steps out of a failing run until every one that is left is needed.

/// A shortest way to fail that is found by leaving out runs of steps, long ones first, then single ones,
/// over and over. Any step makes sense in any state, so whatever is left is a run.
#[must_use]
pub fn needed<T: Clone>(steps: &[T], fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut left = steps.to_vec();
    if !fails(&left) {
        return left;
    }
    let mut length = left.len().div_ceil(2);
    while length > 0 {
        let before = left.len();
        let mut from = 0;
        while from < left.len() {
            let to = left.len().min(from + length);
            let without: Vec<T> = left[..from].iter().chain(&left[to..]).cloned().collect();
            if fails(&without) {
                left = without;
            } else {
                from = to;
            }
        }
        if length == 1 && left.len() == before {
            break;
        }
        length = if length == 1 { 1 } else { length / 2 };
    }
    left
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn only_what_is_needed_is_left() {
        let fails = |steps: &[u32]| steps.contains(&7) && steps.contains(&30) && steps.len() >= 3;
        let left = needed(&(0..100).collect::<Vec<_>>(), fails);
        assert!(left.len() == 3 && left.contains(&7) && left.contains(&30), "{left:?}");
    }

    #[test]
    fn what_does_not_fail_is_left_alone() {
        assert_eq!(needed(&[1, 2, 3], |_| false), [1, 2, 3]);
        assert_eq!(needed(&[1, 2, 3], |_| true), [0; 0]);
    }
}

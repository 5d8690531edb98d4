//! Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002) over hand-overs.

use anyhow::Result;

/// A part of `0..count`, which as a whole makes the difference, that makes it too, and none of which can be left out.
/// `makes` tells whether a part does; nothing does not.
///
/// First all is left out that comes behind some place: up to there everything happens as it did, so that this seldom misleads,
/// and most is gone.
///
/// Errors: those of `makes`.
pub fn minimise(count: usize, makes: &mut dyn FnMut(&[usize]) -> Result<bool>) -> Result<Vec<usize>> {
    let all: Vec<usize> = (0..count).collect();
    let (mut too_short, mut enough) = (0, count);
    while enough - too_short > 1 {
        let middle = too_short + (enough - too_short) / 2;
        if makes(&all[..middle])? {
            enough = middle;
        } else {
            too_short = middle;
        }
    }
    let mut part = all[..enough].to_vec();
    let mut pieces = 2;
    while part.len() > 1 {
        let size = part.len().div_ceil(pieces);
        let mut smaller = None;
        for from in (0..part.len()).step_by(size) {
            let to = (from + size).min(part.len());
            let rest = [&part[..from], &part[to..]].concat();
            if !rest.is_empty() && makes(&rest)? {
                smaller = Some(rest);
                break;
            }
        }
        match smaller {
            Some(rest) => {
                part = rest;
                pieces = (pieces - 1).max(2);
            }
            None if size == 1 => break,
            None => pieces = (pieces * 2).min(part.len()),
        }
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found if the difference takes all of `needed`, and with how many questions.
    fn found(count: usize, needed: &[usize]) -> (Vec<usize>, usize) {
        let mut asked = 0;
        let mut makes = |part: &[usize]| {
            asked += 1;
            Ok(needed.iter().all(|one| part.contains(one)))
        };
        let found = minimise(count, &mut makes).unwrap();
        (found, asked)
    }

    #[test]
    fn what_is_needed_is_found() {
        for needed in [&[0][..], &[99], &[41], &[0, 99], &[17, 18], &[3, 50, 51, 98], &[1, 20, 40, 60, 80]] {
            assert_eq!(found(100, needed).0, needed);
        }
        assert_eq!(found(1, &[0]).0, [0]);
        assert_eq!(found(2, &[0, 1]).0, [0, 1]);
    }

    #[test]
    fn few_of_many_take_few_questions() {
        let (_, asked) = found(10_000, &[1234]);
        assert!(asked < 60, "{asked}");
        let (_, asked) = found(10_000, &[5, 4321]);
        assert!(asked < 80, "{asked}");
    }

    #[test]
    fn what_is_found_is_minimal_if_one_can_replace_another() {
        let mut makes = |part: &[usize]| Ok(part.contains(&7) || part.contains(&3) && part.contains(&5));
        let part = minimise(20, &mut makes).unwrap();
        assert!(part == [7] || part == [3, 5], "{part:?}");
    }
}

//! What is said of repeated measurements.

use serde::{Deserialize, Serialize};

/// A median and how far the single measurements are apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Half of the measurements are at or below this.
    pub median: f64,
    /// The smallest measurement.
    pub least: f64,
    /// The largest measurement.
    pub most: f64,
    /// One in ten is at or below this: the smallest, if there are fewer than ten.
    pub tenth: f64,
    /// One in ten is at or above this: the largest, if there are fewer than ten.
    pub ninetieth: f64,
}

impl Summary {
    /// Summarises at least one measurement; `None` for none.
    pub fn of(measurements: &[f64]) -> Option<Summary> {
        let mut sorted = measurements.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() {
            0 => return None,
            odd if odd % 2 == 1 => sorted[middle],
            _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
        };
        let last = sorted.len() - 1;
        // So many are beyond the tenth on either side.
        let beyond = sorted.len() / 10;
        Some(Summary {
            median,
            least: sorted[0],
            most: sorted[last],
            tenth: sorted[beyond],
            ninetieth: sorted[last - beyond],
        })
    }

    /// Summarises a function of two series that were measured in turn, pair by pair.
    pub fn of_pairs(first: &[f64], second: &[f64], function: impl Fn(f64, f64) -> f64) -> Option<Summary> {
        let each: Vec<f64> =
            first.iter().zip(second).map(|(first, second)| function(*first, *second)).collect();
        Summary::of(&each)
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Summary::of(&[]), None);
        let three = Summary { median: 2.0, least: 1.0, most: 3.0, tenth: 1.0, ninetieth: 3.0 };
        assert_eq!(Summary::of(&[3.0, 1.0, 2.0]), Some(three));
        assert_eq!(Summary::of(&[4.0, 1.0, 2.0, 3.0]).map(|summary| summary.median), Some(2.5));
    }

    #[test]
    fn one_in_ten_may_be_an_outlier() {
        let twenty: Vec<f64> = (1..=20).map(f64::from).collect();
        let summary = Summary::of(&twenty).unwrap();
        assert_eq!((summary.tenth, summary.ninetieth), (3.0, 18.0));
    }

    #[test]
    fn pairs_are_taken_in_turn() {
        let ratios = Summary::of_pairs(&[2.0, 30.0], &[1.0, 10.0], |first, second| first / second).unwrap();
        assert_eq!((ratios.median, ratios.least, ratios.most), (2.5, 2.0, 3.0));
    }
}

//! Whether one run of the benchmarks is slower than another, row by row.
//!
//! What is compared is the ratio to native, so that two machines that are not equally fast can be compared to some extent.
//! A row is slower if its median has grown by more than [`THRESHOLD_PERCENT`] (or what the command line says), *and* the
//! spreads do not touch: the tenth of the measurements of one is above the ninetieth of the other (of fewer than ten
//! measurements, all of them). Rows that are only in one of the files are listed, and do not fail.

use crate::report::{Report, ratio};
use crate::statistics::Summary;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// What may be owed to chance even in quiet runs with a small spread: caches, placement of code, the hypervisor.
pub const THRESHOLD_PERCENT: f64 = 5.0;

/// With fewer, measurements that happen to be close look like a small spread.
const ROUNDS_FOR_A_SPREAD: usize = 3;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the spread or the threshold.
    Same,
    /// Beyond both, and more.
    Slower,
    /// Beyond both, and less.
    Faster,
}

/// What a row's figure is of: workload, order, "recorded" or "replayed".
type Key = (String, String, &'static str);

/// One row of the comparison.
struct Row {
    key: Key,
    first: Summary,
    second: Summary,
    verdict: Verdict,
}

/// The outcome.
pub struct Comparison {
    rows: Vec<Row>,
    /// What is only in one of them, and how the runs differ.
    remarks: Vec<String>,
}

/// Reads what a run wrote.
pub fn read(path: &Path) -> Result<Report> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not a results.json of this version of benches", path.display()))
}

/// The verdict about two summaries of a ratio to native.
pub fn judge(first: Summary, second: Summary, threshold_percent: f64) -> Verdict {
    let factor = 1.0 + threshold_percent / 100.0;
    if second.tenth > first.ninetieth && second.median > first.median * factor {
        Verdict::Slower
    } else if second.ninetieth < first.tenth && second.median * factor < first.median {
        Verdict::Faster
    } else {
        Verdict::Same
    }
}

/// Compares two runs, the earlier one first.
pub fn compare(first: &Report, second: &Report, threshold_percent: f64) -> Comparison {
    let (before, mut after) = (rows(first), rows(second));
    let mut remarks = first.machine.differences(&second.machine);
    for (which, machine) in [("first", &first.machine), ("second", &second.machine)] {
        remarks.extend(machine.warning().map(|warning| format!("the {which}: {warning}")));
    }
    let scarce = [first, second]
        .iter()
        .any(|report| report.workloads.iter().any(|measured| measured.rounds < ROUNDS_FOR_A_SPREAD));
    if scarce {
        remarks.push(format!(
            "rows were measured in fewer than {ROUNDS_FOR_A_SPREAD} rounds: their spread says little"
        ));
    }
    if first.quick != second.quick {
        remarks.push("one of them is of --quick, which makes fewer operations".into());
    }
    let mut compared = Vec::new();
    for (key, first) in before {
        match after.remove(&key) {
            Some(second) => {
                let verdict = judge(first, second, threshold_percent);
                compared.push(Row { key, first, second, verdict });
            }
            None => remarks.push(format!("only in the first: {}, {}, {}", key.0, key.1, key.2)),
        }
    }
    let added = after.into_keys().map(|key| format!("only in the second: {}, {}, {}", key.0, key.1, key.2));
    remarks.extend(added);
    Comparison { rows: compared, remarks }
}

fn rows(report: &Report) -> BTreeMap<Key, Summary> {
    let orders = report.workloads.iter().flat_map(|measured| {
        measured.orders.iter().flat_map(|order| {
            [("recorded", &order.recorded), ("replayed", &order.replayed)]
                .map(|(what, runs)| ((measured.name.clone(), order.order.clone(), what), runs.ratio))
        })
    });
    orders.collect()
}

impl Comparison {
    /// How many rows have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// There was nothing to compare.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As Markdown: rows that differ first.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| workload | order | | first | second | change | |\n");
        text += "|---|---|---|--:|--:|--:|---|\n";
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        // Stable: rows of one verdict stay in the order of their names.
        rows.sort_by_key(|row| match row.verdict {
            Verdict::Slower => 0,
            Verdict::Faster => 1,
            Verdict::Same => 2,
        });
        for row in rows {
            let (workload, order, what) = &row.key;
            let verdict = match row.verdict {
                Verdict::Same => "",
                Verdict::Slower => "**slower**",
                Verdict::Faster => "faster",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {workload} | {order} | {what} | {} | {} | {:+.0} % | {verdict} |",
                ratio(row.first),
                ratio(row.second),
                100.0 * (row.second.median / row.first.median - 1.0)
            );
        }
        text.push('\n');
        for remark in &self.remarks {
            let _ = writeln!(text, "- {remark}");
        }
        let _ = writeln!(
            text,
            "{} slower, {} faster, {} the same",
            self.count(Verdict::Slower),
            self.count(Verdict::Faster),
            self.count(Verdict::Same)
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, judge};
    use crate::statistics::Summary;

    fn summary(measurements: &[f64]) -> Summary {
        Summary::of(measurements).unwrap()
    }

    #[test]
    fn a_row_differs_beyond_both_spreads_and_the_threshold() {
        let usual = summary(&[1.0, 1.1, 1.2]);
        assert_eq!(judge(usual, summary(&[1.25, 1.3, 1.35]), 5.0), Verdict::Slower);
        assert_eq!(judge(summary(&[1.25, 1.3, 1.35]), usual, 5.0), Verdict::Faster);
        // The spreads touch.
        assert_eq!(judge(usual, summary(&[1.15, 1.9, 2.0]), 5.0), Verdict::Same);
        // They do not, but so small a change may be chance.
        let exact = summary(&[1.0, 1.001, 1.002]);
        assert_eq!(judge(exact, summary(&[1.01, 1.011, 1.012]), 5.0), Verdict::Same);
        assert_eq!(judge(exact, summary(&[1.01, 1.011, 1.012]), 0.5), Verdict::Slower);
    }

    #[test]
    fn one_outlier_of_ten_hides_nothing() {
        let mut usual = vec![1.0; 19];
        usual.push(9.0);
        assert_eq!(judge(summary(&usual), summary(&[1.5; 20]), 5.0), Verdict::Slower);
    }
}

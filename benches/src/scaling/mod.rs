//! How cost and throughput grow: with threads, with the rate of events, with processes, and with a recording's length.

mod length;

use crate::machine::Machine;
use crate::measure::{self, Measured, Rounds};
use crate::report::{bytes, ratio};
use crate::workload::{Command, Workload};
use anyhow::{Context, Result, ensure};
use examples::recorder::Recorder;
use length::Long;
use serde::Serialize;
use std::fmt::Write;

/// Threads on two processors.
const THREADS: [u32; 4] = [1, 2, 4, 8];
/// Steps of computing (about a nanosecond each) between two calls.
const STEPS_BETWEEN: [u32; 5] = [1_000_000, 100_000, 10_000, 1_000, 100];
const ALL_STEPS: u32 = 200_000_000;
/// Processes at a time.
const PROCESSES: [u32; 4] = [1, 10, 100, 500];

/// What was asked for.
pub struct Wanted {
    /// Only axes whose name contains this.
    pub filter: Option<String>,
    /// How often each point is measured.
    pub rounds: usize,
    /// Seconds of the recordings whose growth is measured.
    pub lengths_seconds: Vec<u64>,
}

/// All figures.
#[derive(Serialize)]
pub struct Scaling {
    machine: Machine,
    axes: Vec<Axis>,
    length: Vec<Long>,
}

/// One thing that grows, and what was measured at each of its values.
#[derive(Serialize)]
struct Axis {
    name: &'static str,
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    value: String,
    measured: Measured,
}

/// The rows of an axis: what the value is called, and the program at that value.
fn axes() -> [(&'static str, Vec<(String, Workload)>); 3] {
    let own = |source, arguments: String| Workload::new(source, Command::Own(source, "", arguments));
    let both = |source, value: &u32| (value.to_string(), own(source, value.to_string()).and_sync());
    let rates = STEPS_BETWEEN.iter().map(|steps| {
        let calls = ALL_STEPS / steps;
        (format!("{calls} calls"), own("rate.c", format!("{steps} {ALL_STEPS}")))
    });
    [
        ("threads", THREADS.iter().map(|threads| both("threads.c", threads)).collect()),
        ("calls while computing", rates.collect()),
        ("processes", PROCESSES.iter().map(|processes| both("crowd.c", processes)).collect()),
    ]
}

/// Measures it.
pub fn measure(recorder: &Recorder, machine: Machine, wanted: &Wanted) -> Result<Scaling> {
    let is_wanted = |name: &str| wanted.filter.as_deref().is_none_or(|filter| name.contains(filter));
    let rounds = Rounds { usual: wanted.rounds, few: true };
    let mut measured = Vec::new();
    for (name, points) in axes().into_iter().filter(|(name, _)| is_wanted(name)) {
        let point = |(value, workload): (String, Workload)| {
            eprintln!("{name}: {value}...");
            let measured = measure::measure(&workload, recorder, rounds);
            Ok(Point { measured: measured.with_context(|| format!("{name}: {value}"))?, value })
        };
        let points = points.into_iter().map(point).collect::<Result<Vec<Point>>>()?;
        measured.push(Axis { name, points });
    }
    let length = match is_wanted(length::NAME) {
        true => length::measure(recorder, &wanted.lengths_seconds).context(length::NAME)?,
        false => Vec::new(),
    };
    ensure!(!measured.is_empty() || !length.is_empty(), "nothing that grows has that in its name");
    Ok(Scaling { machine, axes: measured, length })
}

impl Scaling {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = self.machine.line() + "\n";
        text += &self.machine.warning().map(|warning| warning + "\n").unwrap_or_default();
        text += "\nMedian (least..most). Ratios are to the native run of the same round.\n";
        for axis in &self.axes {
            let name = axis.name;
            let _ = write!(
                text,
                "\n| {name} | native s | order | recorded | replayed | events | events/s | trace |"
            );
            text += "\n|--:|--:|---|--:|--:|--:|--:|--:|\n";
            for point in &axis.points {
                for order in &point.measured.orders {
                    // Writing to a String cannot fail.
                    let _ = writeln!(
                        text,
                        "| {} | {:.3} | {} | {} | {} | {} | {:.0} | {} |",
                        point.value,
                        point.measured.native.seconds.median,
                        order.order,
                        ratio(order.recorded.ratio),
                        ratio(order.replayed.ratio),
                        order.events,
                        order.events as f64 / order.recorded.seconds.median,
                        bytes(order.trace_bytes),
                    );
                }
            }
        }
        text + &length::markdown(&self.length)
    }
}

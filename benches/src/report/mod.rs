//! The figures, for people and for programs.

pub mod plot;

use crate::measure::Measured;
use crate::memory::{Memory, TARGET_BYTES};
use crate::statistics::Summary;
use crate::workload::REPLAY_TARGET;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// One line about one workload.
pub fn summary(measured: &Measured) -> String {
    format!(
        "  native {:.3} s, recorded {}, replayed {}",
        measured.native_seconds.median,
        ratio(measured.recorded_ratio),
        ratio(measured.replayed_ratio)
    )
}

/// All figures as Markdown.
pub fn markdown(results: &[Measured], memory: Option<&Memory>) -> String {
    let mut text = String::new();
    if !results.is_empty() {
        text += "Median (least..most). Ratios are to the native run of the same round.\n\n";
        text +=
            "| workload | native s | recorded | target | replayed | target | strace -f | trace | target |\n";
        text += "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    }
    for result in results {
        let (cost, limit) = match &result.cost {
            Some(cost) if cost.unit != "times" => (
                format!("{}, {}", ratio(result.recorded_ratio), difference(cost.measured, cost.unit)),
                format!("{} {}", cost.limit, cost.unit),
            ),
            Some(cost) => (ratio(result.recorded_ratio), format!("{:.2}x", cost.limit)),
            None => (ratio(result.recorded_ratio), String::new()),
        };
        let (cost, limit) = match (result.one_processor_ratio, result.one_processor_limit) {
            (Some(measured), Some(least)) => (
                format!("{cost}; {} of one core", ratio(measured)),
                format!("{limit}; {least:.2}x of one core"),
            ),
            _ => (cost, limit),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {:.3} | {cost} | {limit} | {} | {REPLAY_TARGET:.1}x | {} | {} | {} |",
            result.name,
            result.native_seconds.median,
            ratio(result.replayed_ratio),
            result.strace_ratio.map(ratio).unwrap_or_default(),
            trace(result),
            result.trace_limit_bytes.map(bytes).unwrap_or_default(),
        );
    }
    if let Some(memory) = memory {
        let _ = writeln!(
            text,
            "\nMemory of a process: {} natively, {} recorded ({} more; target {}); {} with the recorder beside it.",
            bytes(memory.native_bytes),
            bytes(memory.recorded_bytes),
            bytes(memory.recorded_bytes.saturating_sub(memory.native_bytes)),
            bytes(TARGET_BYTES),
            bytes(memory.recorded_with_companions_bytes),
        );
    }
    text
}

/// All figures as JSON.
pub fn write_json(path: &Path, results: &[Measured], memory: Option<&Memory>) -> Result<()> {
    #[derive(Serialize)]
    struct Results<'a> {
        workloads: &'a [Measured],
        memory: Option<&'a Memory>,
    }
    let text = serde_json::to_string_pretty(&Results { workloads: results, memory })?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn ratio(summary: Summary) -> String {
    format!("{:.2}x ({:.2}..{:.2})", summary.median, summary.least, summary.most)
}

fn difference(summary: Summary, unit: &str) -> String {
    format!("{:+.1} ({:+.1}..{:+.1}) {unit}", summary.median, summary.least, summary.most)
}

fn trace(result: &Measured) -> String {
    if result.returned_bytes == 0 {
        return bytes(result.trace_bytes);
    }
    let percent = 100.0 * result.trace_bytes as f64 / result.returned_bytes as f64;
    format!("{}, {percent:.1} % of {}", bytes(result.trace_bytes), bytes(result.returned_bytes))
}

fn bytes(count: u64) -> String {
    match count {
        0..=9_999 => format!("{count} B"),
        10_000..=9_999_999 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

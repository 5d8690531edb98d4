//! The figures, for people and for programs.

pub mod plot;

use crate::allocator::{self, Compared};
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

/// All figures.
#[derive(Serialize)]
pub struct Report {
    /// Of the workloads.
    pub workloads: Vec<Measured>,
    /// Of a process's memory.
    pub memory: Option<Memory>,
    /// Of the allocator.
    pub allocator: Vec<Compared>,
}

impl Report {
    /// Nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.workloads.is_empty() && self.memory.is_none() && self.allocator.is_empty()
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let tables = [self.workloads_table(), self.memory_line(), self.allocator_table()];
        tables.into_iter().filter(|table| !table.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// As JSON.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn workloads_table(&self) -> String {
        let mut text = String::new();
        if self.workloads.is_empty() {
            return text;
        }
        text += "Median (least..most). Ratios are to the native run of the same round.\n\n";
        text +=
            "| workload | native s | recorded | target | replayed | target | strace -f | trace | target |\n";
        text += "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
        for result in &self.workloads {
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
        text
    }

    fn memory_line(&self) -> String {
        let Some(memory) = &self.memory else { return String::new() };
        format!(
            "Memory of a process: {} natively, {} recorded ({} more; target {}); {} with the recorder beside it.\n",
            bytes(memory.native_bytes),
            bytes(memory.recorded_bytes),
            bytes(memory.recorded_bytes.saturating_sub(memory.native_bytes)),
            bytes(TARGET_BYTES),
            bytes(memory.recorded_with_companions_bytes),
        )
    }

    fn allocator_table(&self) -> String {
        let mut text = String::new();
        if self.allocator.is_empty() {
            return text;
        }
        text +=
            "The allocator of sync order. Median (least..most), in ratio to glibc's in the same round.\n\n";
        text += "| work | threads | glibc ns | time | target | most memory | target |\n";
        text += "|---|--:|--:|--:|--:|--:|--:|\n";
        for row in &self.allocator {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} | {} | {:.1}x | {} | {:.1}x |",
                row.sort,
                row.threads,
                row.glibc_nanoseconds.median,
                ratio(row.time_ratio),
                allocator::TIME_TARGET,
                ratio(row.memory_ratio),
                allocator::MEMORY_TARGET,
            );
        }
        text
    }
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

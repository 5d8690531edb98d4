//! The figures, for people and for programs.

pub mod plot;
mod tables;

use crate::allocator::Compared;
use crate::log_append::Appended;
use crate::machine::Machine;
use crate::measure::Measured;
use crate::memory::Memory;
use crate::peers::Peers;
use crate::statistics::Summary;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// One line about one workload.
pub fn summary(measured: &Measured) -> String {
    let orders = measured.orders.iter().map(|order| {
        format!(
            "; {}: recorded {}, replayed {}",
            order.order,
            ratio(order.recorded.ratio),
            ratio(order.replayed.ratio)
        )
    });
    format!("  native {:.3} s{}", measured.native.seconds.median, orders.collect::<String>())
}

/// All figures.
#[derive(Serialize, Deserialize)]
pub struct Report {
    /// Where and when.
    pub machine: Machine,
    /// Of the few and short rows.
    pub quick: bool,
    /// Of the workloads.
    pub workloads: Vec<Measured>,
    /// Workloads that need what is not installed, each with the reason.
    pub skipped: Vec<String>,
    /// What could not be measured, each with the reason.
    pub failed: Vec<String>,
    /// Of the log by itself.
    pub log: Vec<Appended>,
    /// Of a process's memory.
    pub memory: Option<Memory>,
    /// Of the allocator.
    pub allocator: Vec<Compared>,
    /// Of other tools.
    pub peers: Option<Peers>,
}

impl Report {
    /// Nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.workloads.is_empty()
            && self.memory.is_none()
            && self.allocator.is_empty()
            && self.log.is_empty()
            && self.peers.is_none()
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let tables = [
            self.heading(),
            self.workloads_table(),
            self.services_table(),
            self.log_lines(),
            self.memory_line(),
            self.allocator_table(),
            self.peers_table(),
            self.absences(),
        ];
        tables.into_iter().filter(|table| !table.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

/// Writes figures as JSON.
pub fn write_json(figures: &impl Serialize, path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(figures)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A ratio with its spread.
pub fn ratio(summary: Summary) -> String {
    format!("{:.2}x ({:.2}..{:.2})", summary.median, summary.least, summary.most)
}

/// A number of bytes, in a unit that keeps it short.
pub fn bytes(count: u64) -> String {
    match count {
        0..=9_999 => format!("{count} B"),
        10_000..=9_999_999 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

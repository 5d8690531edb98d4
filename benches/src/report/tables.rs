//! The tables.

use super::{Report, bytes, ratio};
use crate::measure::{Cost, Ordered};
use crate::memory::TARGET_BYTES;
use crate::service::Service;
use crate::statistics::Summary;
use crate::workload::REPLAY_TARGET;
use crate::{allocator, log_append, peers};
use std::fmt::Write;

// Writing to a String cannot fail, so that the results of `writeln!` are not looked at.
impl Report {
    pub(super) fn heading(&self) -> String {
        let warning = self.machine.warning().map(|warning| format!("\n{warning}\n"));
        format!("{}\n{}", self.machine.line(), warning.unwrap_or_default())
    }

    pub(super) fn workloads_table(&self) -> String {
        let mut text = String::new();
        if self.workloads.is_empty() {
            return text;
        }
        text += "Median (least..most). Ratios are to the native run of the same round. Memory is what the largest of \
                 all processes was resident with: natively, recorded, replayed.\n\n";
        text += "| workload | rounds | native s | order | recorded | target | replayed | target | trace | target | memory |\n";
        text += "|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|\n";
        for result in &self.workloads {
            for order in &result.orders {
                let (cost, limit) = costs(order);
                let _ = writeln!(
                    text,
                    "| {} | {} | {:.3} | {} | {cost} | {limit} | {} | {REPLAY_TARGET:.1}x | {} | {} | {}, {}, {} |",
                    result.name,
                    result.rounds,
                    result.native.seconds.median,
                    order.order,
                    ratio(order.replayed.ratio),
                    trace(order),
                    order.trace_limit_bytes.map(bytes).unwrap_or_default(),
                    bytes(result.native.peak_bytes),
                    bytes(order.recorded.peak_bytes),
                    bytes(order.replayed.peak_bytes),
                );
            }
        }
        text
    }

    pub(super) fn services_table(&self) -> String {
        let mut rows = String::new();
        for result in &self.workloads {
            let mut row = |way: &str, service: &Option<Service>| {
                let Some(service) = service else { return };
                let _ = writeln!(
                    rows,
                    "| {} | {way} | {} | {} | {} |",
                    result.name,
                    number(service.requests_per_second),
                    number(service.p50_microseconds),
                    number(service.p99_microseconds)
                );
            };
            row("native", &result.native.service);
            result.orders.iter().for_each(|order| {
                row(&format!("recorded, {}", order.order), &order.recorded.service);
            });
        }
        if rows.is_empty() {
            return rows;
        }
        format!("| server | | requests/s | p50 µs | p99 µs |\n|---|---|--:|--:|--:|\n{rows}")
    }

    pub(super) fn log_lines(&self) -> String {
        let each = self.log.iter().map(|appended| {
            format!(
                "Appending an event of {} bytes to the log, {}: {:.1} ns, {:.0} cycles ({:.0}..{:.0}; target {}).\n",
                log_append::EVENT_BYTES,
                appended.way,
                appended.nanoseconds.median,
                appended.cycles.median,
                appended.cycles.tenth,
                appended.cycles.ninetieth,
                log_append::TARGET_CYCLES
            )
        });
        each.collect()
    }

    pub(super) fn memory_line(&self) -> String {
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

    pub(super) fn allocator_table(&self) -> String {
        let mut text = String::new();
        if self.allocator.is_empty() {
            return text;
        }
        text +=
            "The allocator of sync order. Median (least..most), in ratio to glibc's in the same round.\n\n";
        text += "| work | threads | glibc ns | time | target | most memory | target |\n";
        text += "|---|--:|--:|--:|--:|--:|--:|\n";
        for row in &self.allocator {
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

    /// A row for each input, a column for each tool.
    pub(super) fn peers_table(&self) -> String {
        let Some(peers) = &self.peers else { return String::new() };
        let tools = unique(peers.compared.iter().map(|compared| compared.peer.as_str()));
        let workloads = unique(peers.compared.iter().map(|compared| compared.workload.as_str()));
        let mut text = format!(
            "Peers, times native (median); one that takes more than {} s is stopped.\n\n| workload | {} |\n|---|{}\n",
            peers::LIMIT_SECONDS,
            tools.join(" | "),
            "--:|".repeat(tools.len())
        );
        for workload in workloads {
            let _ = write!(text, "| {workload} |");
            for tool in &tools {
                let mut all = peers.compared.iter();
                let cell = all.find(|compared| compared.workload == workload && compared.peer == *tool).map(
                    |compared| {
                        let ratio = compared.ratio.map(|ratio| format!("{ratio:.1}x"));
                        ratio.or_else(|| Some(format!("fails: {}", compared.failure.as_deref()?)))
                    },
                );
                let _ = write!(text, " {} |", cell.flatten().unwrap_or_default().replace('|', "/"));
            }
            text.push('\n');
        }
        text.push('\n');
        peers.skipped.iter().for_each(|reason| text += &format!("Skipped: {reason}\n"));
        text
    }

    pub(super) fn absences(&self) -> String {
        let skipped = self.skipped.iter().map(|line| format!("Skipped: {line}\n"));
        skipped.chain(self.failed.iter().map(|line| format!("Not measured: {line}\n"))).collect()
    }
}

/// What recording costs, and what it should.
fn costs(order: &Ordered) -> (String, String) {
    let mut cost = ratio(order.recorded.ratio);
    let mut limits = Vec::new();
    if let Some(Cost { unit, measured, limit }) = &order.cost {
        if unit == "times" {
            limits.extend(limit.map(|limit| format!("{limit:.2}x")));
        } else {
            cost += &format!(", {}", difference(*measured, unit));
            limits.extend(limit.map(|limit| format!("{limit} {unit}")));
        }
    }
    if let Some(Cost { measured, limit, .. }) = &order.one_processor {
        cost += &format!("; {} of one core", ratio(*measured));
        limits.extend(limit.map(|limit| format!("{limit:.2}x of one core")));
    }
    (cost, limits.join("; "))
}

fn difference(summary: Summary, unit: &str) -> String {
    format!("{:+.1} ({:+.1}..{:+.1}) {unit}", summary.median, summary.least, summary.most)
}

fn number(summary: Summary) -> String {
    format!("{:.0} ({:.0}..{:.0})", summary.median, summary.least, summary.most)
}

fn trace(order: &Ordered) -> String {
    // Of a program that is given next to nothing, a share says nothing.
    if order.returned_bytes < 100_000 {
        return bytes(order.trace_bytes);
    }
    let percent = 100.0 * order.trace_bytes as f64 / order.returned_bytes as f64;
    format!("{}, {percent:.1} % of {}", bytes(order.trace_bytes), bytes(order.returned_bytes))
}

/// Each once, in the order of their first appearance.
fn unique<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    all.for_each(|one| {
        if !seen.contains(&one) {
            seen.push(one);
        }
    });
    seen
}

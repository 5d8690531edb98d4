//! `imitate stats`.

use super::dump::{call_name, instruction_name};
use super::recording::Recording;
use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use tracer_core::event::{Header, Kind};
use tracer_core::trace::directory::events_path;
use tracer_core::trace::reader::{Body, Event, Item};

/// Sums over the events of one sort.
#[derive(Clone, Copy, Default, Serialize)]
struct Sums {
    /// How many there were.
    count: u64,
    /// How many of them were calls that failed.
    errors: u64,
    /// Bytes that the kernel gave to the program.
    returned_bytes: u64,
    /// Bytes, read or mapped, that the trace keeps as a reference to a file.
    referenced_bytes: u64,
    /// Bytes that the events take in their streams, before compression.
    stream_bytes: u64,
}

impl Sums {
    fn add(&mut self, event: &Event) {
        self.count += 1;
        self.stream_bytes += stored_size(event);
        for item in event.items().iter() {
            match item {
                Item::Output { bytes, .. } => self.returned_bytes += bytes.len() as u64,
                Item::OutputFile { range, .. } => {
                    self.returned_bytes += range.length;
                    self.referenced_bytes += range.length;
                }
                Item::MapFile { range, .. } => self.referenced_bytes += range.length,
                _ => {}
            }
        }
        if let Body::Call { result: -4095..0, .. } = event.body {
            self.errors += 1;
        }
    }

    fn plus(self, other: Sums) -> Sums {
        Sums {
            count: self.count + other.count,
            errors: self.errors + other.errors,
            returned_bytes: self.returned_bytes + other.returned_bytes,
            referenced_bytes: self.referenced_bytes + other.referenced_bytes,
            stream_bytes: self.stream_bytes + other.stream_bytes,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Stats {
    streams: usize,
    /// The seed, if it was recorded with chaos.
    chaos: Option<u64>,
    /// Bytes of the compressed `events` file.
    events_file_bytes: u64,
    /// Bytes before compression for each byte in the file.
    compression_ratio: f64,
    total: Sums,
    /// By system call, or by kind for other events.
    by_sort: BTreeMap<String, Sums>,
}

/// Prints counts of the trace in `directory` on stdout.
pub fn print_stats(directory: &Path, json: bool) -> Result<()> {
    let recording = Recording::open(directory)?;
    let mut by_sort = BTreeMap::<String, Sums>::new();
    for stream in recording.streams() {
        for event in recording.events(stream).into_iter().flatten() {
            let event = event?;
            by_sort.entry(sort(&event)).or_default().add(&event);
        }
    }
    let path = events_path(directory);
    let file = std::fs::metadata(&path).with_context(|| format!("cannot look at {}", path.display()))?;
    let stats = Stats {
        streams: recording.streams().count(),
        chaos: recording.manifest.chaos(),
        events_file_bytes: file.len(),
        compression_ratio: recording.stream_bytes() as f64 / file.len().max(1) as f64,
        total: by_sort.values().copied().fold(Sums::default(), Sums::plus),
        by_sort,
    };
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &stats).context("cannot write JSON")?;
        writeln!(out)?;
    } else {
        writeln!(out, "{}", table(&stats).trim_fmt())?;
        writeln!(
            out,
            "\nstreams: {}; {}; {} on disk, compressed {:.1} times",
            stats.streams,
            HumanBytes(stats.total.stream_bytes),
            HumanBytes(stats.events_file_bytes),
            stats.compression_ratio,
        )?;
        if let Some(seed) = stats.chaos {
            writeln!(out, "recorded with chaos, seed {seed}")?;
        }
    }
    recording.warn_if_it_ends_early();
    Ok(())
}

/// What an event is counted as.
fn sort(event: &Event) -> String {
    match event.kind {
        Kind::Call | Kind::Entry => call_name(event.number),
        Kind::Clock => format!("{} (vDSO)", call_name(event.number)),
        Kind::Instruction => format!("({})", instruction_name(event.number)),
        other => format!("({other:?})").to_lowercase(),
    }
}

/// Bytes that an event takes in its stream.
fn stored_size(event: &Event) -> u64 {
    let words = match &event.body {
        Body::Call { arguments, .. } => 1 + arguments.len(),
        Body::Clock { .. } | Body::Check { .. } => 3,
        Body::Instruction { .. } => 4,
        Body::Turn { .. } => 2,
        Body::Start { .. } | Body::Signal { .. } | Body::Note { .. } | Body::Stop { .. } => 0,
    };
    (Header::SIZE + words * 8 + event.items().as_bytes().len()) as u64
}

fn table(stats: &Stats) -> Table {
    let mut rows: Vec<(&str, &Sums)> =
        stats.by_sort.iter().map(|(sort, sums)| (sort.as_str(), sums)).collect();
    rows.sort_by_key(|(_, sums)| std::cmp::Reverse((sums.stream_bytes, sums.count)));
    rows.push(("total", &stats.total));
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["CALL", "COUNT", "ERRORS", "RETURNED", "BY REFERENCE", "IN TRACE"]);
    for (sort, sums) in rows {
        table.add_row([
            sort.to_owned(),
            HumanCount(sums.count).to_string(),
            HumanCount(sums.errors).to_string(),
            HumanBytes(sums.returned_bytes).to_string(),
            HumanBytes(sums.referenced_bytes).to_string(),
            HumanBytes(sums.stream_bytes).to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

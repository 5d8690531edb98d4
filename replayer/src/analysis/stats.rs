//! `imitate stats`.

use super::family::{Family, Member, text};
use super::objects::{Objects, Sort};
use super::recording::Recording;
use super::table::{bytes, count, table, time};
use super::transfer::Direction;
use super::walk::{Seen, walk};
use crate::arguments::{By, SortBy, Stats};
use crate::inspect::event_name;
use crate::manage::locate;
use anyhow::{Context, Result};
use comfy_table::Table;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
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
    /// Bytes that the program read from files, sockets, pipes and so on.
    read_bytes: u64,
    /// Bytes that it wrote there.
    written_bytes: u64,
    /// Bytes that the kernel gave to the program, whatever they mean.
    returned_bytes: u64,
    /// Bytes, read or mapped, that the trace keeps as a reference to a file.
    referenced_bytes: u64,
    /// Nanoseconds that calls and operations slept, as far as the trace tells.
    slept_ns: u64,
    /// Bytes that the events take in their streams, before compression.
    stream_bytes: u64,
}

impl Sums {
    fn add(&mut self, seen: &Seen) {
        let event = seen.event;
        self.count += 1;
        self.stream_bytes += stored_size(event);
        for item in event.items().iter() {
            match item {
                Item::Output { bytes, .. } => self.returned_bytes += bytes.len() as u64,
                Item::OutputFile { range, .. } => {
                    self.returned_bytes = self.returned_bytes.saturating_add(range.length);
                    self.referenced_bytes = self.referenced_bytes.saturating_add(range.length);
                }
                Item::Slept { nanoseconds } => self.slept_ns = self.slept_ns.saturating_add(nanoseconds),
                Item::MapFile { range, .. } => {
                    self.referenced_bytes = self.referenced_bytes.saturating_add(range.length);
                }
                _ => {}
            }
        }
        if let Body::Operation { slept, .. } = event.body {
            self.slept_ns = self.slept_ns.saturating_add(u64::from(slept) * 1000);
        }
        for moved in seen.moved.iter().filter(|moved| !moved.transfer.mapped) {
            let sum = match moved.transfer.direction {
                Direction::Read => &mut self.read_bytes,
                Direction::Written => &mut self.written_bytes,
            };
            *sum = sum.saturating_add(moved.transfer.length());
        }
        if seen.call.as_ref().is_some_and(|call| call.failed()) {
            self.errors += 1;
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    streams: usize,
    /// The seed, if it was recorded with chaos.
    chaos: Option<u64>,
    /// How many hand-overs of a list were made, and how many others, if there was a list.
    hand_overs: Option<[u32; 2]>,
    /// Bytes of the compressed `events` file.
    events_file_bytes: u64,
    /// Bytes before compression for each byte in the file.
    compression_ratio: f64,
    total: Sums,
    /// By system call, or by kind for other events.
    by_sort: BTreeMap<String, Sums>,
    /// By stream, rising.
    by_thread: Vec<OfThread>,
    /// By what the calls were about, in the order in which it was met.
    by_object: Vec<OfObject>,
}

#[derive(Serialize)]
struct OfThread {
    stream: u32,
    process: u32,
    thread: u32,
    name: String,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct OfObject {
    sort: Sort,
    name: String,
    opened: u64,
    #[serde(flatten)]
    sums: Sums,
}

/// Prints counts of a trace on stdout.
pub fn print_stats(options: &Stats) -> Result<()> {
    let directory = locate(options.which.trace.as_deref())?;
    let recording = Recording::open(&directory)?;
    let family = Family::of(&recording);
    let mut total = Sums::default();
    let mut by_sort = BTreeMap::<String, Sums>::new();
    let mut by_stream = BTreeMap::<u32, Sums>::new();
    let mut by_object = BTreeMap::<usize, Sums>::new();
    let objects = walk(&recording, &family, |seen, _| {
        total.add(seen);
        by_sort.entry(sort(seen.event)).or_default().add(seen);
        by_stream.entry(seen.stream).or_default().add(seen);
        if let Some(object) = seen.object {
            by_object.entry(object).or_default().add(seen);
        }
        Ok(true)
    })?;
    let path = events_path(&directory);
    let file = std::fs::metadata(&path).with_context(|| format!("cannot look at {}", path.display()))?;
    let report = Report {
        streams: recording.streams().count(),
        chaos: recording.manifest.chaos(),
        hand_overs: recording.manifest.hand_overs(),
        events_file_bytes: file.len(),
        compression_ratio: recording.stream_bytes() as f64 / file.len().max(1) as f64,
        total,
        by_sort,
        by_thread: by_stream.into_iter().map(|(stream, sums)| of_thread(&family, stream, sums)).collect(),
        by_object: by_object
            .into_iter()
            .filter_map(|(object, sums)| of_object(&objects, object, sums))
            .collect(),
    };
    let mut out = std::io::stdout().lock();
    if options.json {
        serde_json::to_writer(&mut out, &report).context("cannot write JSON")?;
        writeln!(out)?;
    } else {
        print(&report, options, &mut out)?;
    }
    recording.warn_if_it_ends_early();
    Ok(())
}

fn print(report: &Report, options: &Stats, out: &mut impl Write) -> Result<()> {
    writeln!(out, "{}", rows(report, options).trim_fmt())?;
    writeln!(
        out,
        "\nstreams: {}; {}; {} on disk, compressed {:.1} times",
        report.streams,
        bytes(report.total.stream_bytes),
        bytes(report.events_file_bytes),
        report.compression_ratio,
    )?;
    if let Some([made, others]) = report.hand_overs {
        writeln!(out, "recorded with a list of hand-overs, {made} of which were made, and {others} others")?;
    } else if let Some(seed) = report.chaos {
        writeln!(out, "recorded with chaos, seed {seed}")?;
    }
    Ok(())
}

/// The table that was asked for: as it asks, or else largest in the trace first, or most data first.
fn rows(report: &Report, options: &Stats) -> Table {
    let mut rows: Vec<(Vec<String>, &Sums)> = match options.by {
        By::Call => report.by_sort.iter().map(|(sort, sums)| (vec![sort.clone()], sums)).collect(),
        By::Thread => {
            let row = |of: &OfThread| vec![of.thread.to_string(), of.stream.to_string(), of.name.clone()];
            report.by_thread.iter().map(|of| (row(of), &of.sums)).collect()
        }
        By::Object => {
            let row = |of: &OfObject| vec![of.sort.to_string(), of.name.clone(), count(of.opened)];
            report.by_object.iter().map(|of| (row(of), &of.sums)).collect()
        }
    };
    rows.sort_by_key(|(_, sums)| {
        let moved = sums.read_bytes.saturating_add(sums.written_bytes);
        let first = match options.sort {
            Some(SortBy::Count) => sums.count,
            Some(SortBy::Slept) => sums.slept_ns,
            None if options.by == By::Object => moved,
            None => sums.stream_bytes,
        };
        std::cmp::Reverse((first, sums.count))
    });
    rows.truncate(options.top.unwrap_or(usize::MAX));
    let own: &[&str] = match options.by {
        By::Call => &["CALL"],
        By::Thread => &["<THREAD", "STREAM", "<NAME"],
        By::Object => &["SORT", "<NAME", "OPENED"],
    };
    let mut total = vec![String::new(); own.len()];
    total[0] = "total".to_owned();
    if options.by != By::Object {
        rows.push((total, &report.total));
    }
    let sums = ["COUNT", "ERRORS", "READ", "WRITTEN", "RETURNED", "BY REFERENCE", "SLEPT", "IN TRACE"];
    let mut table = table(&[own, &sums].concat());
    for (mut row, sums) in rows {
        row.extend([count(sums.count), count(sums.errors)]);
        let sizes = [sums.read_bytes, sums.written_bytes, sums.returned_bytes, sums.referenced_bytes];
        row.extend(sizes.map(bytes));
        row.extend([time(sums.slept_ns), bytes(sums.stream_bytes)]);
        table.add_row(row);
    }
    table
}

fn of_thread(family: &Family, stream: u32, sums: Sums) -> OfThread {
    let none = Member::default();
    let member = family.members.get(&stream).unwrap_or(&none);
    OfThread { stream, process: member.process, thread: member.thread, name: member.short_name(), sums }
}

fn of_object(objects: &Objects, object: usize, sums: Sums) -> Option<OfObject> {
    let object = objects.get(object)?;
    Some(OfObject { sort: object.sort, name: text(&object.name), opened: object.opened, sums })
}

/// What an event is counted as. Signals are one sort.
fn sort(event: &Event) -> String {
    match event.kind {
        Kind::Call | Kind::Entry | Kind::Operation => event_name(event).into_owned(),
        Kind::Clock => format!("{} (vDSO)", event_name(event)),
        Kind::Signal => "(signal)".to_owned(),
        _ => format!("({})", event_name(event)),
    }
}

/// Bytes that an event takes in its stream.
fn stored_size(event: &Event) -> u64 {
    let words = match &event.body {
        Body::Call { arguments, .. } => 1 + arguments.len(),
        Body::Clock { .. } | Body::Check { .. } => 3,
        Body::Instruction { .. } | Body::Operation { .. } => 4,
        Body::Turn { .. } => 2,
        Body::Start { .. } | Body::Signal { .. } | Body::Note { .. } | Body::Stop { .. } => 0,
    };
    (Header::SIZE + words * 8 + event.items().as_bytes().len()) as u64
}

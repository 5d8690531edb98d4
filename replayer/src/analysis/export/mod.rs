//! `imitate export`: traces as tables, for DuckDB, DataFusion, Spark and others.

mod columns;
mod file;
mod rows;
mod texts;

use super::family::{End, Family, Member, readable, shown};
use super::locks;
use super::objects::{Object, Objects};
use super::recording::Recording;
use super::transfer::Direction;
use super::walk::{Seen, walk};
use crate::arguments::Export;
use crate::inspect::{event_name, kind_name, print_event};
use crate::manage::{command_line, locate};
use crate::status::{Ending, signal_name};
use ahash::HashMap;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use file::TableFile;
use rows::VERSION;
use std::borrow::Cow;
use std::path::Path;
use texts::{Text, Texts, known, mostly_known};
use tracer_core::event::{Kind, operation};
use tracer_core::syscalls::print::errno_name;
use tracer_core::trace::manifest::{Ended, Manifest};
use tracer_core::trace::reader::{Body, Event, Item, Items};

/// Pages of a column are some MiB, allocated and freed for each group. glibc would give them back to the kernel each time.
fn keep_freed_memory() {
    const KEPT: i32 = 1 << 26;
    const MAPPED: i32 = 1 << 24;
    // SAFETY: these change what later calls of malloc and free do, and nothing that was allocated; a refusal changes nothing.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
    }
}

/// Writes the tables of traces.
pub fn export(options: &Export) -> Result<()> {
    keep_freed_memory();
    let traces = match options.traces.as_slice() {
        [] => vec![locate(None)?],
        named => named.iter().map(|name| locate(Some(name))).collect::<Result<_>>()?,
    };
    if options.name.is_some() && traces.len() > 1 {
        bail!("--name is for one trace, here are {}", traces.len())
    }
    for trace in traces {
        let own = || trace.file_name().map(|name| name.to_string_lossy().into_owned());
        let name =
            options.name.clone().or_else(own).context("the trace has no name: give it one with --name")?;
        if name.contains('/') {
            bail!("{name} cannot be the name of a file")
        }
        one(&trace, &name, options).with_context(|| format!("cannot export {}", trace.display()))?;
    }
    Ok(())
}

/// Objects whose names are kept: most programs use a few again and again, others each file once.
const OBJECTS: usize = 64;

/// The files of one trace.
struct Tables {
    trace: Text,
    /// What events are called, by kind and number: the kind, and the name.
    names: HashMap<(u8, u16), (Text, Text)>,
    /// Objects that were met lately, at the rest of their number.
    objects: [Met; OBJECTS],
    /// The text of the call that was met last.
    text: String,
    texts: Texts,
    events: TableFile<rows::Event>,
    syscalls: TableFile<rows::Syscall>,
    operations: TableFile<rows::Operation>,
    hand_overs: TableFile<rows::HandOver>,
    /// Events so far.
    position: u64,
    /// Which stream of each process ran last, and its last event.
    ran: HashMap<u32, (u32, u64)>,
}

/// What is said of an object.
struct Met {
    /// What it was called then: while this is kept, another name cannot be in the same place.
    named: Bytes,
    sort: Text,
    name: Text,
}

fn one(directory: &Path, trace: &str, options: &Export) -> Result<()> {
    let target = &options.parquet;
    let recording = Recording::open(directory)?;
    let family = Family::of(&recording);
    let mut tables = Tables {
        trace: trace.into(),
        names: HashMap::default(),
        objects: std::array::from_fn(|_| Met { named: Bytes::new(), sort: known(""), name: known("") }),
        text: String::new(),
        texts: Texts::new(),
        events: TableFile::create(target, "events", trace)?,
        syscalls: TableFile::create(target, "syscalls", trace)?,
        operations: TableFile::create(target, "operations", trace)?,
        hand_overs: TableFile::create(target, "hand_overs", trace)?,
        position: 0,
        ran: HashMap::default(),
    };
    walk(&recording, &family, |seen, objects| tables.take(&family, seen, objects).map(|()| true))?;
    let Tables { events, syscalls, operations, hand_overs, position, .. } = tables;
    events.finish()?;
    syscalls.finish()?;
    operations.finish()?;
    hand_overs.finish()?;
    let mut streams = TableFile::create(target, "streams", trace)?;
    for (stream, member) in &family.members {
        streams.push(stream_row(trace, &family, *stream, member))?;
    }
    streams.finish()?;
    if options.locks {
        let report = locks::of(directory)?;
        lock_table(target, "locks", trace, report.objects)?;
        lock_table(target, "lock_sites", trace, report.sites)?;
    }
    // Last: a trace that is there is there as a whole.
    let mut traces = TableFile::create(target, "traces", trace)?;
    traces.push(trace_row(trace, &recording, position))?;
    traces.finish()?;
    recording.warn_if_it_ends_early();
    Ok(())
}

impl Tables {
    /// What an event is called. Signals of one number, for one, are all called the same.
    fn name(&mut self, event: &Event) -> (Text, Text) {
        let names = self.names.entry((event.kind as u8, event.number));
        names.or_insert_with(|| (known(kind_name(event.kind)), mostly_known(event_name(event)))).clone()
    }

    /// What sort of object it is, and its name.
    fn object(&mut self, number: usize, object: &Object) -> (Text, Text) {
        let last = &mut self.objects[number % OBJECTS];
        let (sort, named) = (object.sort.name(), &object.name);
        if !std::ptr::eq(&*last.named, &**named) || last.sort.data() != sort.as_bytes() {
            let name = match readable(named) {
                Cow::Borrowed(_) => named.clone(),
                Cow::Owned(other) => other.into(),
            };
            *last = Met { named: named.clone(), sort: known(sort), name: name.into() };
        }
        (last.sort.clone(), last.name.clone())
    }

    fn take(&mut self, family: &Family, seen: &Seen, objects: &Objects) -> Result<()> {
        let (trace, position) = (self.trace.clone(), self.position);
        let (kind, name) = self.name(seen.event);
        let (stream, event) = (seen.stream, seen.event.index);
        let leader = family.leader(stream);
        // That a thread has got the right to run says what the table says.
        let counts = !matches!(seen.event.kind, Kind::Turn | Kind::Check);
        let before = if counts { self.ran.insert(leader, (stream, event)) } else { None };
        if let Some((from_stream, from_event)) = before.filter(|(before, _)| *before != stream) {
            let (to_stream, to_event) = (stream, event);
            let trace = trace.clone();
            self.hand_overs.push(rows::HandOver {
                trace,
                leader,
                from_stream,
                from_event,
                to_stream,
                to_event,
                position,
            })?;
        }
        if let Some(call) = &seen.call {
            let object = seen.object.and_then(|number| Some((number, objects.get(number)?)));
            let (object_sort, object) = object.map(|(number, object)| self.object(number, object)).unzip();
            self.text.clear();
            print_event(&mut self.text, seen.event)?;
            let bytes = |direction| {
                let moved = seen.moved.iter().filter(|moved| moved.transfer.direction == direction);
                let lengths =
                    moved.filter(|moved| !moved.transfer.mapped).map(|moved| moved.transfer.length());
                lengths.fold(0, u64::saturating_add)
            };
            self.syscalls.push(rows::Syscall {
                trace: trace.clone(),
                stream,
                event,
                position,
                name: name.clone(),
                result: (!call.entered).then_some(call.result),
                error: call.failed().then(|| mostly_known(errno_name((-call.result) as i32))),
                object_sort,
                object,
                read_bytes: bytes(Direction::Read),
                written_bytes: bytes(Direction::Written),
                slept_ns: slept(seen.event.items()),
                text: self.texts.copy(&shown(&self.text)),
            })?;
        }
        if let Body::Operation { object, place, after, result, slept, .. } = seen.event.body {
            self.operations.push(rows::Operation {
                trace: trace.clone(),
                stream,
                event,
                position,
                name: name.clone(),
                address: object,
                place,
                after_stream: after,
                result,
                refused: seen.event.flags & operation::REFUSED != 0,
                slept_ns: u64::from(slept) * 1000,
            })?;
        }
        self.position += 1;
        self.events.push(rows::Event { trace, stream, event, position, kind, name })
    }
}

/// For how long a call slept, if that is known.
fn slept(items: &Items) -> Option<u64> {
    items.iter().find_map(|item| match item {
        Item::Slept { nanoseconds } => Some(nanoseconds),
        _ => None,
    })
}

fn lock_table(target: &Path, name: &str, trace: &str, rows: Vec<locks::Row>) -> Result<()> {
    let mut table = TableFile::create(target, name, trace)?;
    let trace: Text = trace.into();
    for locks::Row { process, sort, address, name, sums } in rows {
        table.push(rows::Lock {
            trace: trace.clone(),
            process,
            kind: known(sort.name()),
            address,
            name: name.as_str().into(),
            threads: sums.threads.len() as u32,
            taken: sums.taken,
            waited: sums.waited,
            refused: sums.refused,
            wait_ns: sums.wait_ns,
            longest_wait_ns: sums.longest_wait_ns,
            hold_ns: sums.hold_ns,
            longest_hold_ns: sums.longest_hold_ns,
        })?;
    }
    table.finish()
}

fn stream_row(trace: &str, family: &Family, stream: u32, member: &Member) -> rows::Stream {
    let image = member.images.last();
    let (exit_status, signal) = match member.end {
        End::Ended(Ending::Exited(status)) => (Some(status), None),
        End::Ended(Ending::Killed(signal)) => (None, Some(signal_name(signal))),
        _ => (None, None),
    };
    rows::Stream {
        trace: trace.to_owned(),
        stream,
        leader: family.leader(stream),
        creator: member.creator,
        process: member.process,
        thread: member.thread,
        is_thread: member.is_thread,
        name: member.short_name(),
        executable: image.map(|image| image.executable.clone()),
        arguments: image.map(|image| image.arguments.join(" ")),
        ended: member.end.to_string(),
        exit_status,
        signal,
        events: member.events,
        turns: member.turns,
    }
}

fn trace_row(trace: &str, recording: &Recording, events: u64) -> rows::Trace {
    let manifest: &Manifest = &recording.manifest;
    let said = match &manifest.ended {
        Ended::Early(reason) => Some(reason.clone()),
        Ended::Recording | Ended::Complete => None,
    };
    let ended_early = said.or_else(|| recording.ends_early().map(str::to_owned));
    rows::Trace {
        schema_version: VERSION,
        trace: trace.to_owned(),
        command: command_line(manifest),
        directory: manifest.directory.to_text().into_owned(),
        kernel: manifest.host.kernel.clone(),
        machine: manifest.host.machine.clone(),
        processor: manifest.host.processor.clone(),
        recorder: manifest.recorder.version.clone(),
        order: manifest.order.clone(),
        chaos_seed: manifest.chaos(),
        began_ns: manifest.began,
        finished_ns: (manifest.finished > 0).then_some(manifest.finished),
        complete: ended_early.is_none() && manifest.ended == Ended::Complete,
        ended_early,
        events,
    }
}

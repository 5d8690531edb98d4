//! `imitate dump`.

mod batches;
mod json;
mod text;

pub use text::event as print_event;

use crate::analysis::{Family, Member, ProcessEvents, Recording, processes};
use crate::arguments::Dump;
use crate::manage::locate;
use crate::status::signal_name;
use anyhow::{Result, bail};
use batches::in_order;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use tracer_core::event::{Instruction, Kind, Operation};
use tracer_core::syscalls;
use tracer_core::trace::reader::Event;

/// Prints the events on stdout, stream by stream, or process by process: a trace has no clock that would order the
/// events of two processes.
pub fn dump(options: &Dump) -> Result<()> {
    let directory = locate(options.which.trace.as_deref())?;
    let recording = Recording::open(&directory)?;
    let family = Family::of(&recording);
    let mut out = BufWriter::new(std::io::stdout().lock());
    if let Some(stream) = options.stream
        && recording.streams().all(|known| known != stream)
    {
        bail!("{} has no stream {stream}", directory.display())
    }
    let print = |events: Vec<(u32, Event)>| print(&family, &events, options);
    let wanted = |stream: &u32| options.stream.is_none_or(|only| only == *stream);
    let printed = if options.interleave {
        let all = processes(&recording, &family);
        let events = all.values().flat_map(|streams| ProcessEvents::new(&recording, streams));
        in_order(Batches::of(events), print, |text| Ok(out.write_all(&text)?))
    } else {
        let events = recording.streams().filter(wanted).flat_map(|stream| {
            recording.events(stream).into_iter().flatten().map(move |event| Ok((stream, event?)))
        });
        in_order(Batches::of(events), print, |text| Ok(out.write_all(&text)?))
    };
    out.flush()?;
    printed?;
    recording.warn_if_it_ends_early();
    Ok(())
}

/// Events, many at a time.
struct Batches<Events> {
    events: Events,
    /// What comes after the batch that was given last.
    failed: Option<tracer_core::trace::Error>,
}

impl<Events> Batches<Events> {
    fn of(events: Events) -> Batches<Events> {
        Batches { events, failed: None }
    }
}

impl<Events: Iterator<Item = tracer_core::trace::Result<(u32, Event)>>> Iterator for Batches<Events> {
    type Item = Result<Vec<(u32, Event)>>;

    fn next(&mut self) -> Option<Result<Vec<(u32, Event)>>> {
        const SIZE: usize = 1024;
        if let Some(error) = self.failed.take() {
            return Some(Err(error.into()));
        }
        let mut batch = Vec::with_capacity(SIZE);
        while batch.len() < SIZE {
            match self.events.next() {
                Some(Ok(event)) => batch.push(event),
                // What came before is shown first.
                Some(Err(error)) if batch.is_empty() => return Some(Err(error.into())),
                Some(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
                None => break,
            }
        }
        (!batch.is_empty()).then_some(Ok(batch))
    }
}

/// The lines of `events`.
fn print(family: &Family, events: &[(u32, Event)], options: &Dump) -> Result<Vec<u8>> {
    const EXPECTED: usize = 100;
    const EXPECTED_JSON: usize = 512;
    if options.json {
        let mut out = json::Writer::with_capacity(events.len() * EXPECTED_JSON);
        events.iter().try_for_each(|(stream, event)| out.event(&Place::of(family, *stream), event))?;
        return Ok(out.finish());
    }
    let mut out = String::with_capacity(events.len() * EXPECTED);
    for (stream, event) in events {
        if options.places {
            write!(out, "{} ", crate::place::Place { stream: *stream, event: event.index })?;
        }
        write!(out, "{} ", Place::of(family, *stream))?;
        text::event(&mut out, event)?;
        out.push('\n');
    }
    Ok(out.into_bytes())
}

/// Whose event it is.
struct Place {
    stream: u32,
    /// Process id as the program saw it, if it is known.
    process: Option<u32>,
    /// Thread id as the program saw it, if it is known.
    thread: Option<u32>,
}

impl Place {
    fn of(family: &Family, stream: u32) -> Place {
        let member = family.members.get(&stream);
        let known = |id: fn(&Member) -> u32| member.map(id).filter(|id| *id != 0);
        Place { stream, process: known(|member| member.process), thread: known(|member| member.thread) }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.thread.or(self.process) {
            Some(id) => write!(f, "[{id}]"),
            None => write!(f, "[stream {}]", self.stream),
        }
    }
}

/// What `dump` says of an event.
pub fn event_text(event: &Event) -> String {
    let mut text = String::new();
    // A string takes everything.
    let _ = text::event(&mut text, event);
    text
}

/// The name of a system call, or its number if no name is known.
pub fn call_name(number: u16) -> Cow<'static, str> {
    match syscalls::lookup(number.into()) {
        Some(call) => call.name.into(),
        None => format!("syscall_{number}").into(),
    }
}

/// In a word what an event is: a call, an instruction, a signal by its name, others by their kind.
pub fn event_name(event: &Event) -> Cow<'static, str> {
    match event.kind {
        Kind::Call | Kind::Entry | Kind::Clock => call_name(event.number),
        Kind::Instruction => instruction_name(event.number),
        Kind::Operation => operation_name(event.number),
        Kind::Signal => signal_name(event.number.into()).into(),
        other => kind_name(other).into(),
    }
}

/// As a kind is called in tables.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Start => "start",
        Kind::Call => "call",
        Kind::Entry => "entry",
        Kind::Clock => "clock",
        Kind::Instruction => "instruction",
        Kind::Signal => "signal",
        Kind::Check => "check",
        Kind::Turn => "turn",
        Kind::Note => "note",
        Kind::Stop => "stop",
        Kind::Operation => "operation",
    }
}

/// `mutex_lock` and so on.
fn operation_name(number: u16) -> Cow<'static, str> {
    match Operation::from_number(number) {
        Some(operation) => operation.name().into(),
        None => format!("operation_{number}").into(),
    }
}

/// `rdtsc` and so on.
fn instruction_name(number: u16) -> Cow<'static, str> {
    let known =
        [(Instruction::Rdtsc, "rdtsc"), (Instruction::Rdtscp, "rdtscp"), (Instruction::Cpuid, "cpuid")];
    match known.into_iter().find(|(instruction, _)| *instruction as u16 == number) {
        Some((_, name)) => name.into(),
        None => format!("instruction_{number}").into(),
    }
}

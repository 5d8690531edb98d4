//! `imitate dump`.

mod json;
mod text;

use super::recording::Recording;
use crate::arguments::Dump;
use crate::manage::locate;
use anyhow::{Context, Result, bail};
use std::io::{BufWriter, Write};
use tracer_core::event::Instruction;
use tracer_core::syscalls;
use tracer_core::trace::reader::{Event, Item};

/// Prints the events on stdout, stream by stream: a trace has no clock that would order the events of two
/// streams.
pub fn dump(options: &Dump) -> Result<()> {
    let directory = locate(options.which.trace.as_deref())?;
    let recording = Recording::open(&directory)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let streams: Vec<u32> = match options.stream {
        Some(stream) if recording.streams().all(|known| known != stream) => {
            bail!("{} has no stream {stream}", directory.display())
        }
        Some(stream) => vec![stream],
        None => recording.streams().collect(),
    };
    for stream in streams {
        if let Err(error) = dump_stream(&recording, stream, options.json, &mut out) {
            out.flush()?;
            return Err(error);
        }
    }
    out.flush()?;
    recording.warn_if_it_ends_early();
    Ok(())
}

fn dump_stream(recording: &Recording, stream: u32, json: bool, out: &mut impl Write) -> Result<()> {
    let mut place = Place { stream, process: recording.process_id(stream), thread: None };
    for event in recording.events(stream).with_context(|| format!("stream {stream} is missing"))? {
        let event = event?;
        place.learn(&event);
        if json {
            serde_json::to_writer(&mut *out, &json::event(&place, &event)).context("cannot write JSON")?;
            writeln!(out)?;
        } else {
            writeln!(out, "{} {}", place, text::event(&event))?;
        }
    }
    Ok(())
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
    /// The start of an image says who the thread is.
    fn learn(&mut self, event: &Event) {
        for item in event.items().iter() {
            if let Item::Identity { identity } = item {
                self.process = Some(identity.process);
                self.thread = Some(identity.thread);
            }
        }
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

/// The name of a system call, or its number if no name is known.
pub(super) fn call_name(number: u16) -> String {
    match syscalls::lookup(number.into()) {
        Some(call) => call.name.to_owned(),
        None => format!("syscall_{number}"),
    }
}

/// `rdtsc` and so on.
pub(super) fn instruction_name(number: u16) -> String {
    let known = [Instruction::Rdtsc, Instruction::Rdtscp, Instruction::Cpuid];
    match known.into_iter().find(|instruction| *instruction as u16 == number) {
        Some(instruction) => format!("{instruction:?}").to_lowercase(),
        None => format!("instruction_{number}"),
    }
}

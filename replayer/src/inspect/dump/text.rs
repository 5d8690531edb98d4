//! An event as a line of text, in the manner of strace.

use super::{call_name, instruction_name, operation_name};
use crate::status::signal_name;
use std::fmt::{Result, Write};
use tracer_core::event::{Kind, flags, operation, turn};
use tracer_core::syscalls;
use tracer_core::trace::memory::EventMemory;
use tracer_core::trace::reader::{Arguments, Body, Event, Item, Items};

/// Appends the event, without a line's end. A string takes everything: there are no errors.
pub fn event(out: &mut String, event: &Event) -> Result {
    match &event.body {
        Body::Start { items } => start(out, items),
        Body::Call { result, arguments, items } => call(out, event, *result, arguments, items),
        Body::Clock { result, seconds, fraction } => {
            let name = call_name(event.number);
            let digits = if event.number == libc::SYS_gettimeofday as u16 { 6 } else { 9 };
            match event.number == libc::SYS_time as u16 {
                true => write!(out, "{name}() = {result} (vDSO)"),
                false => write!(out, "{name}(...) = {result} {seconds}.{fraction:0digits$} (vDSO)"),
            }
        }
        Body::Instruction { rax, rbx, rcx, rdx } => instruction(out, event.number, [*rax, *rbx, *rcx, *rdx]),
        Body::Signal { items } => signal(out, event.number, items),
        Body::Check { registers, memory, calls } => {
            write!(out, "(check: registers {registers:016x}, memory {memory:016x}, calls {calls:016x})")
        }
        Body::Turn { turn, .. } => match event.flags & (turn::SHARED | turn::SECTION) {
            turn::SECTION => write!(out, "=== section {turn} ==="),
            0 => write!(out, "=== runs: turn {turn} ==="),
            _ => write!(out, "=== runs: turn {turn} among processes ==="),
        },
        Body::Operation { object, place, after, result, slept, .. } => {
            operation(out, event, *object, *place, *after, *result)?;
            if *slept > 0 { write!(out, " slept {slept} us") } else { Ok(()) }
        }
        Body::Stop { items } => stop(out, event.number, items),
        Body::Note { items } => write!(out, "# {}", note(items)),
    }
}

/// What a thread did to a synchronisation object.
fn operation(
    out: &mut String,
    event: &Event,
    object: u64,
    place: u64,
    after: Option<u32>,
    result: i64,
) -> Result {
    let name = operation_name(event.number);
    match (event.flags & operation::REFUSED, after) {
        (0, Some(after)) => {
            write!(out, "{name}({object:#x}) = {result} (place {place}, after stream {after})")
        }
        (0, None) => write!(out, "{name}({object:#x}) = {result} (place {place})"),
        _ => write!(out, "{name}({object:#x}) = {result}"),
    }
}

/// Where a thread was stopped to let others run.
fn stop(out: &mut String, number: u16, items: &Items) -> Result {
    let address = items.iter().find_map(|item| match item {
        Item::State { address, .. } => Some(address),
        _ => None,
    });
    let spins = if number == 0 { "" } else { ", at which it spins" };
    write!(out, "=== stopped before the instruction at {:#x}{spins} ===", address.unwrap_or(0))
}

/// The text of a note.
pub fn note(items: &Items) -> String {
    let text = items.iter().find_map(|item| match item {
        Item::Text { text, .. } => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    });
    text.unwrap_or_default()
}

fn start(out: &mut String, items: &Items) -> Result {
    out.push_str("start");
    for item in items.iter() {
        match item {
            Item::Executable { path } => write!(out, " \"{}\"", path.escape_ascii())?,
            Item::Arguments { strings } => {
                out.push_str(" [");
                for (at, string) in strings.enumerate() {
                    let separator = if at > 0 { ", " } else { "" };
                    write!(out, "{separator}\"{}\"", string.escape_ascii())?;
                }
                out.push(']');
            }
            Item::Directory { path } => write!(out, " in \"{}\"", path.escape_ascii())?,
            _ => {}
        }
    }
    Ok(())
}

fn call(out: &mut String, event: &Event, result: i64, arguments: &Arguments, items: &Items) -> Result {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    match syscalls::lookup(event.number.into()) {
        Some(call) => {
            let result = (event.kind != Kind::Entry).then_some(result);
            syscalls::print::print(out, call, &all, result, &EventMemory::new(items));
        }
        None => {
            let shown: Vec<_> = arguments.iter().map(|argument| format!("{argument:#x}")).collect();
            write!(out, "{}({}) = {result}", call_name(event.number), shown.join(", "))?;
        }
    }
    for item in items.iter() {
        match item {
            Item::OutputFile { range, .. } | Item::MapFile { range, .. } => {
                write!(out, " <file {} from byte {}>", range.file, range.offset)?;
            }
            Item::FileChange { file, change } => {
                write!(out, " <mapped file {file} has {} bytes>", change.size)?;
            }
            Item::Stream { stream } => write!(out, " <stream {stream}>")?,
            Item::Slept { nanoseconds } => write!(out, " slept {} us", (nanoseconds + 500) / 1000)?,
            _ => {}
        }
    }
    for (flag, remark) in [
        (flags::RESTART, " (interrupted, will be restarted)"),
        (flags::UNRECORDED, " (not recorded from here on)"),
        (flags::REFUSED, " (not supported: was not made)"),
    ] {
        if event.flags & flag != 0 {
            out.push_str(remark);
        }
    }
    Ok(())
}

fn instruction(out: &mut String, number: u16, [rax, rbx, rcx, rdx]: [u64; 4]) -> Result {
    let name = instruction_name(number);
    // Both counters come in two halves.
    let counter = (rdx << 32) | (rax & 0xffff_ffff);
    match &*name {
        "rdtsc" => write!(out, "rdtsc = {counter:#x}"),
        "rdtscp" => write!(out, "rdtscp = {counter:#x}, processor {rcx:#x}"),
        _ => write!(out, "{name} = {rax:#x}, {rbx:#x}, {rcx:#x}, {rdx:#x}"),
    }
}

/// The signal, with `si_code` and, where somebody sent it, the sender.
fn signal(out: &mut String, number: u16, items: &Items) -> Result {
    let name = signal_name(number.into());
    let information = items.iter().find_map(|item| match item {
        Item::Output { bytes, .. } => Some(bytes),
        _ => None,
    });
    let word = |at: usize| {
        information
            .and_then(|bytes| bytes.get(at..at + 4))
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, i32::from_le_bytes)
    };
    let (code, sender) = (word(8), word(16));
    let place = items.iter().find_map(|item| match item {
        Item::State { address, .. } => Some(format!(" before the instruction at {address:#x}")),
        _ => None,
    });
    let place = place.unwrap_or_default();
    match code {
        libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL => {
            write!(out, "--- {name} {{si_code={code}, si_pid={sender}}}{place} ---")
        }
        _ => write!(out, "--- {name} {{si_code={code}}}{place} ---"),
    }
}

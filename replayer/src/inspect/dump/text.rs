//! An event as a line of text, in the manner of strace.

use super::{call_name, instruction_name, operation_name};
use crate::status::signal_name;
use tracer_core::event::{Kind, flags, operation, turn};
use tracer_core::syscalls::{self, Memory};
use tracer_core::trace::memory::EventMemory;
use tracer_core::trace::reader::{Arguments, Body, Event, Item, Items};

/// The event, without a line's end.
pub fn event(event: &Event) -> String {
    match &event.body {
        Body::Start { items } => start(items),
        Body::Call { result, arguments, items } => call(event, *result, arguments, items),
        Body::Clock { result, seconds, fraction } => {
            let name = call_name(event.number);
            let digits = if event.number == libc::SYS_gettimeofday as u16 { 6 } else { 9 };
            match event.number == libc::SYS_time as u16 {
                true => format!("{name}() = {result} (vDSO)"),
                false => format!("{name}(...) = {result} {seconds}.{fraction:0digits$} (vDSO)"),
            }
        }
        Body::Instruction { rax, rbx, rcx, rdx } => instruction(event.number, [*rax, *rbx, *rcx, *rdx]),
        Body::Signal { items } => signal(event.number, items),
        Body::Check { registers, memory, calls } => {
            format!("(check: registers {registers:016x}, memory {memory:016x}, calls {calls:016x})")
        }
        Body::Turn { turn, .. } => match event.flags & (turn::SHARED | turn::SECTION) {
            turn::SECTION => format!("=== section {turn} ==="),
            0 => format!("=== runs: turn {turn} ==="),
            _ => format!("=== runs: turn {turn} among processes ==="),
        },
        Body::Operation { object, place, after, result, slept, .. } => {
            let slept = if *slept > 0 { format!(" slept {slept} us") } else { String::new() };
            operation(event, *object, *place, *after, *result) + &slept
        }
        Body::Stop { items } => stop(event.number, items),
        Body::Note { items } => format!("# {}", note(items)),
    }
}

/// What a thread did to a synchronisation object.
fn operation(event: &Event, object: u64, place: u64, after: Option<u32>, result: i64) -> String {
    let name = operation_name(event.number);
    match (event.flags & operation::REFUSED, after) {
        (0, Some(after)) => format!("{name}({object:#x}) = {result} (place {place}, after stream {after})"),
        (0, None) => format!("{name}({object:#x}) = {result} (place {place})"),
        _ => format!("{name}({object:#x}) = {result}"),
    }
}

/// Where a thread was stopped to let others run.
fn stop(number: u16, items: &Items) -> String {
    let address = items.iter().find_map(|item| match item {
        Item::State { address, .. } => Some(address),
        _ => None,
    });
    let spins = if number == 0 { "" } else { ", at which it spins" };
    format!("=== stopped before the instruction at {:#x}{spins} ===", address.unwrap_or(0))
}

/// The text of a note.
pub fn note(items: &Items) -> String {
    let text = items.iter().find_map(|item| match item {
        Item::Text { text, .. } => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    });
    text.unwrap_or_default()
}

fn start(items: &Items) -> String {
    let mut line = "start".to_owned();
    for item in items.iter() {
        match item {
            Item::Executable { path } => line.push_str(&format!(" {}", quoted(path))),
            Item::Arguments { strings } => {
                line.push_str(&format!(" [{}]", strings.map(quoted).collect::<Vec<_>>().join(", ")));
            }
            Item::Directory { path } => line.push_str(&format!(" in {}", quoted(path))),
            _ => {}
        }
    }
    line
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

/// [`EventMemory`] as the printer of system calls wants it.
struct Told<'a>(EventMemory<'a>);

impl Memory for Told<'_> {
    fn read(&self, address: u64, target: &mut [u8]) -> bool {
        self.0.read(address, target)
    }
}

fn call(event: &Event, result: i64, arguments: &Arguments, items: &Items) -> String {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let memory = Told(EventMemory::new(items));
    let entered = event.kind == Kind::Entry;
    let mut line = match syscalls::lookup(event.number.into()) {
        Some(call) if entered => syscalls::print::print_call(call, &all, &memory),
        Some(call) => syscalls::print::print(call, &all, result, &memory),
        None => {
            let shown: Vec<_> = arguments.iter().map(|argument| format!("{argument:#x}")).collect();
            format!("{}({}) = {result}", call_name(event.number), shown.join(", "))
        }
    };
    for item in items.iter() {
        match item {
            Item::OutputFile { range, .. } | Item::MapFile { range, .. } => {
                line.push_str(&format!(" <file {} from byte {}>", range.file, range.offset));
            }
            Item::FileChange { file, change } => {
                line.push_str(&format!(" <mapped file {file} has {} bytes>", change.size));
            }
            Item::Stream { stream } => line.push_str(&format!(" <stream {stream}>")),
            _ => {}
        }
    }
    for (flag, remark) in [
        (flags::RESTART, " (interrupted, will be restarted)"),
        (flags::UNRECORDED, " (not recorded from here on)"),
        (flags::REFUSED, " (not supported: was not made)"),
    ] {
        if event.flags & flag != 0 {
            line.push_str(remark);
        }
    }
    line
}

fn instruction(number: u16, [rax, rbx, rcx, rdx]: [u64; 4]) -> String {
    let name = instruction_name(number);
    // Both counters come in two halves.
    let counter = (rdx << 32) | (rax & 0xffff_ffff);
    match name.as_str() {
        "rdtsc" => format!("rdtsc = {counter:#x}"),
        "rdtscp" => format!("rdtscp = {counter:#x}, processor {rcx:#x}"),
        _ => format!("{name} = {rax:#x}, {rbx:#x}, {rcx:#x}, {rdx:#x}"),
    }
}

/// The signal, with `si_code` and, where somebody sent it, the sender.
fn signal(number: u16, items: &Items) -> String {
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
            format!("--- {name} {{si_code={code}, si_pid={sender}}}{place} ---")
        }
        _ => format!("--- {name} {{si_code={code}}}{place} ---"),
    }
}

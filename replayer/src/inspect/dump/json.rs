//! An event as a JSON object.
//!
//! It is written as it is gone through: to build it first takes three times as long. So whoever adds a member puts it where
//! its name belongs in the alphabet, as the names of all objects are in that order.

use super::{Place, call_name, instruction_name, kind_name, operation_name, text};
use crate::status::signal_name;
use anyhow::{Context, Result};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::Formatter;
use std::borrow::Cow;
use std::io::{self, Write};
use tracer_core::event::{Kind, operation, turn};
use tracer_core::trace::reader::{Body, Event, Item, Items, Strings};

/// Makes a structure of what an event can have. What it does not have is left out, which is something else than `null`.
macro_rules! members {
    ($($name:ident: $value:ty,)*) => {
        #[derive(Default)]
        struct Line<'a> { $($name: Option<$value>,)* }

        impl Serialize for Line<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $(if let Some(value) = &self.$name {
                    map.serialize_entry(stringify!($name), value)?;
                })*
                map.end()
            }
        }
    };
}

members! {
    after: Option<u32>,
    arguments: &'a [u64],
    calls: u64,
    event: u64,
    flags: u8,
    fraction: i64,
    items: List<'a>,
    kind: &'static str,
    memory: u64,
    name: Cow<'static, str>,
    object: u64,
    passes: u64,
    place: Option<u64>,
    process: Option<u32>,
    rax: u64,
    rbx: u64,
    rcx: u64,
    rdx: u64,
    registers: u64,
    result: Option<i64>,
    seconds: i64,
    shared: bool,
    slept_us: u32,
    spins: u64,
    stream: u32,
    text: &'a str,
    turn: u64,
}

/// Appends events to a text, each as an object.
pub struct Writer {
    out: Vec<u8>,
    /// What `dump` says of the event that was met last.
    text: String,
}

impl Writer {
    /// With room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer { out: Vec::with_capacity(bytes), text: String::new() }
    }

    /// Appends a line: what every event has, what its kind has, and its items.
    pub fn event(&mut self, place: &Place, event: &Event) -> Result<()> {
        self.text.clear();
        match &event.body {
            Body::Note { items } => self.text.push_str(&text::note(items)),
            _ => text::event(&mut self.text, event)?,
        }
        let line = line(place, event, &self.text);
        line.serialize(&mut serde_json::Serializer::with_formatter(&mut self.out, Compact))
            .context("cannot write JSON")?;
        self.out.push(b'\n');
        Ok(())
    }

    /// All lines.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}

fn line<'a>(place: &Place, event: &'a Event, text: &'a str) -> Line<'a> {
    let items = event.items();
    let mut line = Line {
        event: Some(event.index),
        items: (!items.as_bytes().is_empty()).then_some(List(items)),
        kind: Some(kind_name(event.kind)),
        process: Some(place.process),
        stream: Some(place.stream),
        text: Some(text),
        ..Line::default()
    };
    match &event.body {
        Body::Call { result, arguments, .. } => {
            line.name = Some(call_name(event.number));
            line.arguments = Some(arguments);
            line.result = Some((event.kind == Kind::Call).then_some(*result));
            line.flags = Some(event.flags >> 3);
        }
        Body::Clock { result, seconds, fraction } => {
            line.name = Some(call_name(event.number));
            line.result = Some(Some(*result));
            (line.seconds, line.fraction) = (Some(*seconds), Some(*fraction));
        }
        Body::Instruction { rax, rbx, rcx, rdx } => {
            line.name = Some(instruction_name(event.number));
            (line.rax, line.rbx, line.rcx, line.rdx) = (Some(*rax), Some(*rbx), Some(*rcx), Some(*rdx));
        }
        Body::Signal { .. } => line.name = Some(signal_name(event.number.into()).into()),
        Body::Check { registers, memory, calls } => {
            (line.registers, line.memory, line.calls) = (Some(*registers), Some(*memory), Some(*calls));
        }
        Body::Turn { turn, spins } => {
            (line.turn, line.spins) = (Some(*turn), Some(*spins));
            line.shared = Some(event.flags & turn::SHARED != 0);
        }
        Body::Operation { object, place, after, passes, result, slept } => {
            line.name = Some(operation_name(event.number));
            line.object = Some(*object);
            line.place = Some((event.flags & operation::REFUSED == 0).then_some(*place));
            (line.after, line.passes) = (Some(*after), Some(*passes));
            (line.result, line.slept_us) = (Some(Some(*result)), Some(*slept));
        }
        Body::Start { .. } | Body::Stop { .. } | Body::Note { .. } => {}
    }
    line
}

/// The items of an event.
struct List<'a>(&'a Items);

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Shown))
    }
}

/// Bytes are a string if they are UTF-8, else an array of numbers.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_bytes(self.0),
        }
    }
}

fn texts(strings: Strings<'_>) -> Vec<Bytes<'_>> {
    strings.map(Bytes).collect()
}

struct Shown<'a>(Item<'a>);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        macro_rules! object {
            ($($name:literal: $value:expr),* $(,)?) => {{
                let mut map = serializer.serialize_map(None)?;
                $(map.serialize_entry($name, &$value)?;)*
                map.end()
            }};
        }
        match self.0 {
            Item::Output { argument, address, bytes } => {
                object! { "address": address, "argument": argument, "output": Bytes(bytes) }
            }
            Item::OutputFile { argument, address, range } => object! {
                "address": address, "argument": argument,
                "length": range.length, "offset": range.offset, "output_file": range.file,
            },
            Item::Text { argument, address, text } => {
                object! { "address": address, "argument": argument, "text": Bytes(text) }
            }
            Item::Input { argument, address, summary, prefix } => object! {
                "address": address, "argument": argument, "hash": format_args!("{:016x}", summary.hash),
                "input": Bytes(prefix), "length": summary.length,
            },
            Item::Stream { stream } => object! { "stream": stream },
            Item::MapFile { file, range } => {
                object! { "length": range.length, "map_file": file, "offset": range.offset }
            }
            Item::MapPath { offset, path } => object! { "map_path": Bytes(path), "offset": offset },
            Item::FileChange { file, change } => object! {
                "length": change.length, "mapped_file": file, "offset": change.offset, "size": change.size,
                "source": change.source,
            },
            Item::FileBytes { offset, bytes } => object! { "file_bytes": Bytes(bytes), "offset": offset },
            Item::State { address, .. } => object! { "between_instructions": address },
            Item::Slept { nanoseconds } => object! { "slept_ns": nanoseconds },
            Item::Ticket { ticket } => object! { "ticket": ticket },
            Item::Moved { bytes } => object! { "moved": Bytes(bytes) },
            Item::Executable { path } => object! { "executable": Bytes(path) },
            Item::Arguments { strings } => object! { "arguments": texts(strings) },
            Item::Environment { strings } => object! { "environment": texts(strings) },
            Item::Maps { text } => object! { "maps": Bytes(text) },
            Item::AuxiliaryVector { bytes } => {
                let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
                object! { "auxiliary_vector": words.collect::<Vec<_>>() }
            }
            Item::Directory { path } => object! { "directory": Bytes(path) },
            Item::Identity { identity } => object! {
                "parent": identity.parent, "process": identity.process, "stack_limit": identity.stack_limit,
                "thread": identity.thread,
            },
        }
    }
}

/// JSON without spaces, in which arrays of bytes, the most of what programs are given, are written all at once.
struct Compact;

impl Formatter for Compact {
    fn write_byte_array<W: ?Sized + Write>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        /// Numbers that are put together before they are written.
        const TOGETHER: usize = 256;
        let mut text = [0; TOGETHER * WIDTH];
        writer.write_all(b"[")?;
        for (at, bytes) in value.chunks(TOGETHER).enumerate() {
            let mut length = 0;
            for byte in bytes {
                let (number, digits) = NUMBERS[usize::from(*byte)];
                text[length..length + WIDTH].copy_from_slice(&number);
                length += digits;
            }
            // Each has a comma in front of it, which the first one needs not.
            writer.write_all(&text[usize::from(at == 0)..length])?;
        }
        writer.write_all(b"]")
    }
}

/// Bytes of a comma and the longest number.
const WIDTH: usize = 4;

/// Of each byte a comma and the number, and how long that is.
const NUMBERS: [([u8; WIDTH], usize); 256] = {
    let mut numbers = [([b','; WIDTH], 0); 256];
    let mut byte = 0;
    while byte < 256 {
        let digits = [b'0' + (byte / 100) as u8, b'0' + (byte / 10 % 10) as u8, b'0' + (byte % 10) as u8];
        let skipped = if byte < 10 {
            2
        } else if byte < 100 {
            1
        } else {
            0
        };
        let mut at = skipped;
        while at < 3 {
            numbers[byte].0[1 + at - skipped] = digits[at];
            at += 1;
        }
        numbers[byte].1 = WIDTH - skipped;
        byte += 1;
    }
    numbers
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_bytes_are_like_arrays_of_other_numbers() {
        for length in [0, 1, 255, 256, 257, 1000] {
            // Not UTF-8 from the first byte on.
            let bytes: Vec<u8> = (0..length).map(|at: usize| !(at as u8)).collect();
            let mut written = Vec::new();
            let mut serializer = serde_json::Serializer::with_formatter(&mut written, Compact);
            (&mut serializer).serialize_bytes(&bytes).unwrap();
            assert_eq!(written, serde_json::to_vec(&bytes).unwrap());
        }
    }
}

//! An event as a JSON object.

use super::{Place, call_name, event_text, instruction_name, kind_name, operation_name, text};
use crate::status::signal_name;
use serde_json::{Map, Value, json};
use tracer_core::event::{Kind, operation};
use tracer_core::trace::reader::{Body, Event, Item};

/// The event: what every event has, what its kind has, and its items.
pub fn event(place: &Place, event: &Event) -> Value {
    let mut object = Map::new();
    object.insert("stream".into(), place.stream.into());
    object.insert("process".into(), place.process.into());
    object.insert("event".into(), event.index.into());
    object.insert("kind".into(), kind_name(event.kind).into());
    let fields = match &event.body {
        Body::Start { .. } => json!({}),
        Body::Call { result, arguments, .. } => json!({
            "name": call_name(event.number),
            "arguments": arguments.to_vec(),
            "result": (event.kind == Kind::Call).then_some(result),
            "flags": event.flags >> 3,
        }),
        Body::Clock { result, seconds, fraction } => json!({
            "name": call_name(event.number), "result": result, "seconds": seconds, "fraction": fraction,
        }),
        Body::Instruction { rax, rbx, rcx, rdx } => json!({
            "name": instruction_name(event.number), "rax": rax, "rbx": rbx, "rcx": rcx, "rdx": rdx,
        }),
        Body::Signal { .. } => json!({ "name": signal_name(event.number.into()) }),
        Body::Check { registers, memory, calls } => {
            json!({ "registers": registers, "memory": memory, "calls": calls })
        }
        Body::Turn { turn, spins } => json!({ "turn": turn, "spins": spins, "shared": event.flags & 1 != 0 }),
        Body::Operation { object, place, after, passes, result, slept } => json!({
            "name": operation_name(event.number),
            "object": object,
            "place": (event.flags & operation::REFUSED == 0).then_some(place),
            "after": after,
            "passes": passes,
            "result": result,
            "slept_us": slept,
        }),
        Body::Stop { .. } => json!({}),
        Body::Note { items } => json!({ "text": text::note(items) }),
    };
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    if !matches!(event.kind, Kind::Note) {
        object.insert("text".into(), event_text(event).into());
    }
    let items: Vec<Value> = event.items().iter().map(item).collect();
    if !items.is_empty() {
        object.insert("items".into(), items.into());
    }
    Value::Object(object)
}

/// Bytes are a string if they are UTF-8, else an array of numbers.
fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.into(),
    }
}

fn strings<'a>(strings: impl Iterator<Item = &'a [u8]>) -> Value {
    strings.map(bytes).collect()
}

fn item(item: Item<'_>) -> Value {
    match item {
        Item::Output { argument, address, bytes: data } => {
            json!({ "output": bytes(data), "address": address, "argument": argument })
        }
        Item::OutputFile { argument, address, range } => json!({
            "output_file": range.file, "offset": range.offset, "length": range.length,
            "address": address, "argument": argument,
        }),
        Item::Text { argument, address, text } => {
            json!({ "text": bytes(text), "address": address, "argument": argument })
        }
        Item::Input { argument, address, summary, prefix } => json!({
            "input": bytes(prefix), "length": summary.length, "hash": format!("{:016x}", summary.hash),
            "address": address, "argument": argument,
        }),
        Item::Stream { stream } => json!({ "stream": stream }),
        Item::MapFile { file, range } => {
            json!({ "map_file": file, "offset": range.offset, "length": range.length })
        }
        Item::MapPath { offset, path } => json!({ "map_path": bytes(path), "offset": offset }),
        Item::FileChange { file, change } => json!({
            "mapped_file": file, "size": change.size, "offset": change.offset, "length": change.length,
            "source": change.source,
        }),
        Item::FileBytes { offset, bytes: data } => json!({ "file_bytes": bytes(data), "offset": offset }),
        Item::State { address, .. } => json!({ "between_instructions": address }),
        Item::Slept { nanoseconds } => json!({ "slept_ns": nanoseconds }),
        Item::Ticket { ticket } => json!({ "ticket": ticket }),
        Item::Moved { bytes: data } => json!({ "moved": bytes(data) }),
        Item::Executable { path } => json!({ "executable": bytes(path) }),
        Item::Arguments { strings: list } => json!({ "arguments": strings(list) }),
        Item::Environment { strings: list } => json!({ "environment": strings(list) }),
        Item::Maps { text } => json!({ "maps": bytes(text) }),
        Item::AuxiliaryVector { bytes: vector } => {
            let words = vector.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
            json!({ "auxiliary_vector": words.collect::<Vec<_>>() })
        }
        Item::Directory { path } => json!({ "directory": bytes(path) }),
        Item::Identity { identity } => json!({
            "process": identity.process, "thread": identity.thread, "parent": identity.parent,
            "stack_limit": identity.stack_limit,
        }),
    }
}

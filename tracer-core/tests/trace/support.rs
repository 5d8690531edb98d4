//! What the tests of the trace share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use tracer_core::event::{Header, ItemHeader, Kind, Tag, padded};

/// A directory of the test's own, removed when it ends.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty directory.
    pub fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = directory.join(format!("trace-{}-{number}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        Scratch(directory)
    }

    /// The path of `name` in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How often a property is tried: 64 times, or a quarter of `PROPTEST_CASES`, which asks for a longer search.
pub fn bounded() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.div_ceil(4), ..default }
}

/// `length` bytes that do not compress, always the same (Marsaglia's xorshift64).
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(length)
    .collect()
}

/// An item as it is stored.
pub fn item(tag: Tag, argument: u8, value: u64, data: &[u8]) -> Vec<u8> {
    let header = ItemHeader { tag: tag as u8, argument, reserved: 0, length: data.len() as u32, value };
    let padding = vec![0; padded(data.len()) - data.len()];
    [&header.to_bytes()[..], data, &padding].concat()
}

/// An event as it is stored.
pub fn event(kind: Kind, flags: u8, number: u16, body: &[u8]) -> Vec<u8> {
    let header = Header { kind: kind as u8, flags, number, length: body.len() as u32 };
    [&header.to_bytes()[..], body].concat()
}

/// Numbers as they are stored.
pub fn words(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A call with its arguments and stored items.
pub fn call(number: u16, result: i64, arguments: &[u64], items: &[u8]) -> Vec<u8> {
    let body = [&words(&[result as u64])[..], &words(arguments), items].concat();
    event(Kind::Call, arguments.len() as u8, number, &body)
}

/// Fewer than `most` bytes.
pub fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

/// A valid item of any tag that needs no particular place.
pub fn any_item() -> impl Strategy<Value = Vec<u8>> {
    let free = prop::sample::select(vec![
        Tag::Output,
        Tag::Text,
        Tag::Executable,
        Tag::Maps,
        Tag::Directory,
        Tag::Moved,
    ]);
    prop_oneof![
        (free, 0..6_u8, any::<u64>(), bytes(40))
            .prop_map(|(tag, argument, value, data)| { item(tag, argument, value, &data) }),
        any::<u32>().prop_map(|stream| item(Tag::Stream, 0, stream.into(), &[])),
        any::<u64>().prop_map(|ticket| item(Tag::Ticket, 0, ticket, &[])),
        any::<u64>().prop_map(|nanoseconds| item(Tag::Slept, 0, nanoseconds, &[])),
        bytes(33).prop_map(|data| item(Tag::ShortInput, 1, 0x1000, &data)),
        (any::<u64>(), 0..1_u64 << 40, 0..1_u64 << 40).prop_map(|(file, offset, length)| {
            item(Tag::OutputFile, 1, 0x1000, &words(&[file, offset, length]))
        }),
        (bytes(33), any::<u64>()).prop_map(|(prefix, hash)| {
            item(Tag::Input, 1, 0x1000, &[words(&[prefix.len() as u64, hash]), prefix].concat())
        }),
    ]
}

/// A valid event of any kind.
pub fn any_event() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (
            any::<u16>(),
            any::<i64>(),
            prop::collection::vec(any::<u64>(), 0..7),
            prop::collection::vec(any_item(), 0..4)
        )
            .prop_map(|(number, result, arguments, items)| call(
                number,
                result,
                &arguments,
                &items.concat()
            )),
        any::<[u64; 3]>().prop_map(|values| event(Kind::Clock, 0, 228, &words(&values))),
        any::<[u64; 3]>().prop_map(|values| event(Kind::Check, 0, 0, &words(&values))),
        (1..4_u16, any::<[u64; 4]>()).prop_map(|(number, values)| event(
            Kind::Instruction,
            0,
            number,
            &words(&values)
        )),
        (1..14_u16, any::<[u64; 4]>()).prop_map(|(number, values)| event(
            Kind::Operation,
            0,
            number,
            &words(&values)
        )),
        any::<[u64; 2]>().prop_map(|turn| event(Kind::Turn, 0, 0, &words(&turn))),
        bytes(40).prop_map(|text| event(Kind::Note, 0, 0, &item(Tag::Text, 0, 0, &text))),
        bytes(4).prop_map(|state| event(Kind::Stop, 0, 1, &item(Tag::State, 0, 7, &state.repeat(8)))),
        any::<[u8; 32]>().prop_map(|quarter| {
            event(Kind::Signal, 0, 14, &item(Tag::Output, 0, 0x7000, &quarter.repeat(4)))
        }),
        prop::collection::vec(any_item(), 0..4).prop_map(|items| event(Kind::Start, 0, 0, &items.concat())),
    ]
}

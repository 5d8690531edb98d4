//! Events: what was logged is what is read; a cut stream gives a prefix and says so; damage is an error that
//! names the event.

use proptest::prelude::*;
use tracer_core::event::{FileChange, FileRange, Header, ImageIdentity, InputSummary, Kind, Tag, operation};
use tracer_core::trace::memory::EventMemory;
use tracer_core::trace::reader::{Body, Event, Events, Item};

use crate::support::{any_event, bounded, bytes, call, event, item, words};

fn read(bytes: &[u8]) -> (Vec<Event>, Option<String>, Option<String>) {
    let mut events = Events::new(4, bytes);
    let mut good = Vec::new();
    let mut error = None;
    for event in &mut events {
        match event {
            Ok(event) => good.push(event),
            Err(found) => error = Some(found.to_string()),
        }
    }
    (good, events.ends_early().map(str::to_owned), error)
}

/// The only event in `bytes`.
fn single(bytes: &[u8]) -> Event {
    let (mut events, ends_early, error) = read(bytes);
    assert_eq!((events.len(), ends_early, error), (1, None, None));
    events.remove(0)
}

/// An event as it was stored, from what the reader made of it.
fn store_again(event: &Event) -> Vec<u8> {
    let fixed = match &event.body {
        Body::Call { result, arguments, .. } => [&[*result as u64][..], arguments].concat(),
        Body::Clock { result, seconds, fraction } => vec![*result as u64, *seconds as u64, *fraction as u64],
        Body::Instruction { rax, rbx, rcx, rdx } => vec![*rax, *rbx, *rcx, *rdx],
        Body::Check { registers, memory, calls } => vec![*registers, *memory, *calls],
        Body::Turn { turn, spins } => vec![*turn, *spins],
        Body::Operation { object, place, passes, result, after, slept } => {
            let before = after.map_or(0, |stream| u64::from(stream) + 1) << operation::PLACE_BITS;
            let result = u64::from(*result as u32) | u64::from(*slept) << 32;
            vec![*object, place | before, *passes, result]
        }
        Body::Start { .. } | Body::Signal { .. } | Body::Note { .. } | Body::Stop { .. } => vec![],
    };
    let body = [&words(&fixed)[..], event.items().as_bytes()].concat();
    crate::support::event(event.kind, event.flags, event.number, &body)
}

proptest! {
    #![proptest_config(bounded())]

    #[test]
    fn events_come_back_as_logged(stored in prop::collection::vec(any_event(), 0..8)) {
        let (events, ends_early, error) = read(&stored.concat());
        prop_assert_eq!((ends_early, error), (None, None));
        prop_assert!(events.iter().map(|event| event.index).eq(0..stored.len() as u64));
        prop_assert_eq!(events.iter().map(store_again).collect::<Vec<_>>(), stored);
    }

    #[test]
    fn every_cut_gives_a_prefix_and_says_so(stored in prop::collection::vec(any_event(), 1..5)) {
        let whole = stored.concat();
        let ends: Vec<usize> =
            stored.iter().scan(0, |end, event| { *end += event.len(); Some(*end) }).collect();
        for length in 0..whole.len() {
            let (events, ends_early, error) = read(&whole[..length]);
            prop_assert_eq!(error, None);
            let complete = ends.iter().filter(|&&end| end <= length).count();
            prop_assert_eq!(events.iter().map(store_again).collect::<Vec<_>>(), &stored[..complete]);
            let between = length == 0 || ends.contains(&length);
            prop_assert_eq!(ends_early.is_none(), between, "cut to {} bytes", length);
        }
    }

    #[test]
    fn flipped_and_random_bytes_never_panic(
        stored in prop::collection::vec(any_event(), 0..5),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        random in bytes(300),
    ) {
        let mut damaged = [stored.concat(), random].concat();
        let length = damaged.len();
        for (place, byte) in flips {
            if length > 0 {
                damaged[place.index(length)] = byte;
            }
        }
        let (events, ends_early, error) = read(&damaged);
        // What was accepted is what the bytes say, to the last bit.
        let accepted: Vec<u8> = events.iter().flat_map(store_again).collect();
        prop_assert!(damaged.starts_with(&accepted));
        prop_assert!(accepted.len() == length || ends_early.is_some() || error.is_some());
        for event in &events {
            let mut target = [0; 16];
            for item in event.items().iter() {
                if let Item::Output { address, bytes, .. } = item {
                    let covered = EventMemory::new(event.items()).read(address, &mut target);
                    prop_assert!(covered || bytes.len() < 16);
                }
            }
        }
    }
}

#[test]
fn malformed_events_are_named() {
    let good = call(0, 0, &[], &[]);
    let start = |items: &[u8]| event(Kind::Start, 0, 0, items);
    let false_length = |mut item: Vec<u8>, length: u32| {
        item[4..8].copy_from_slice(&length.to_le_bytes());
        item
    };
    let reserved = |mut item: Vec<u8>| {
        item[2] = 1;
        item
    };
    let text = || item(Tag::Text, 0, 0, b"abc");
    let unpadded = [&text()[..19], &[1; 5]].concat();
    let unknown_tag = [&[99][..], &text()[1..]].concat();
    for (bytes, expected) in [
        ([0; 8].to_vec(), "expected the kind of an event (1 to 11), found 0"),
        (vec![12, 0, 0, 0, 0, 0, 0, 0], "found 12"),
        (event(Kind::Call, 7, 0, &words(&[0; 8])), "a call has more than 6 arguments"),
        (event(Kind::Call, 3, 0, &words(&[0; 3])), "32 bytes before items cannot have 24 bytes"),
        (event(Kind::Turn, 0, 0, &words(&[0; 3])), "cannot have 24 bytes"),
        (event(Kind::Start, 0, 0, &[0; 12]), "must be a multiple of 8, found 12"),
        (event(Kind::Instruction, 0, 4, &words(&[0; 4])), "found 4"),
        (event(Kind::Operation, 0, 99, &words(&[0; 4])), "found 99"),
        (start(&[0; 8]), "item 0: only 8 bytes remain for it"),
        (start(&false_length(text(), 9)), "item 0: it declares 9 bytes of data, but 8 remain"),
        (start(&false_length(text(), u32::MAX)), "item 0: it declares 4294967295 bytes of data"),
        (
            start(&[text(), reserved(text())].concat()),
            "item 1: its reserved bytes or its padding are not zero",
        ),
        (start(&unpadded), "its reserved bytes or its padding are not zero"),
        (start(&unknown_tag), "its tag is 99, which is unknown"),
        (start(&item(Tag::Stream, 0, 1 << 32, &[])), "tag Stream does not go with 0 bytes"),
        (start(&item(Tag::Ticket, 0, 0, &[1])), "tag Ticket does not go with 1 bytes"),
        (start(&item(Tag::Arguments, 0, 0, b"no end")), "tag Arguments does not go with 6 bytes"),
        (start(&item(Tag::FileChange, 0, 0, &[0; 24])), "tag FileChange does not go with 24 bytes"),
        (start(&item(Tag::State, 0, 0, &[0; 12])), "tag State does not go with 12 bytes"),
        (start(&item(Tag::Identity, 0, 0, &[0; 8])), "tag Identity does not go with 8 bytes"),
        (
            start(&item(Tag::MapFile, 0, 0, &words(&[0, u64::MAX, 1]))),
            "tag MapFile does not go with 24 bytes",
        ),
        (start(&item(Tag::Input, 0, 0, &words(&[3, 0, 0]))), "tag Input does not go with 24 bytes"),
        (start(&item(Tag::ShortInput, 0, 0, &[0; 33])), "tag ShortInput does not go with 33 bytes"),
        (
            event(Kind::Signal, 0, 9, &item(Tag::Output, 0, 0, &[0; 64])),
            "a signal must have one Output of 128",
        ),
        (event(Kind::Note, 0, 0, &[]), "a note must have one Text"),
        (event(Kind::Stop, 0, 0, &[]), "a stop must have one State"),
    ] {
        let (events, ends_early, error) = read(&[&good[..], &bytes].concat());
        assert_eq!((events.len(), ends_early), (1, None));
        let error = error.unwrap();
        assert!(error.starts_with("stream 4, event 1: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn a_false_length_ends_early_without_a_large_allocation() {
    let header = Header { kind: Kind::Start as u8, flags: 0, number: 0, length: !7 };
    let (events, ends_early, error) = read(&header.to_bytes());
    assert_eq!((events, error), (vec![], None));
    assert_eq!(
        ends_early.unwrap(),
        "stream 4 ends within event 0, after 0 of the 4294967288 bytes of its body"
    );
}

#[test]
fn items_are_typed() {
    let numbers = [1 << 32 | 2, 3 << 32 | 4, 5, 6, 7, 8, 9, 10];
    let stored = [
        item(Tag::MapFile, 4, 9, &words(&[9, 4096, 8192])),
        item(Tag::MapPath, 0, 4096, b"/lib/x"),
        item(Tag::Input, 1, 0x10, &[words(&[50, 60]), b"prefix".to_vec()].concat()),
        item(Tag::Environment, 0, 0, b"A=1\0\0B=\0"),
        item(Tag::AuxiliaryVector, 0, 0, &words(&[6, 4096])),
        item(Tag::Identity, 0, 0, &words(&numbers)),
        item(Tag::FileChange, 0, 3, &words(&[100, 10, 20, 0x7000])),
        item(Tag::FileBytes, 0, 10, b"new"),
        item(Tag::State, 0, 0x40_1000, &words(&[1, 2])),
        item(Tag::Moved, 0, 0, b"moved"),
        item(Tag::Slept, 0, 4_000_000, b""),
        item(Tag::ShortInput, 1, 0x20, b"short"),
    ];
    let event = single(&event(Kind::Start, 0, 0, &stored.concat()));
    let items: Vec<Item> = event.items().iter().collect();
    let range = FileRange { file: 9, offset: 4096, length: 8192 };
    assert_eq!(items[0], Item::MapFile { file: 9, range });
    assert_eq!(items[1], Item::MapPath { offset: 4096, path: b"/lib/x" });
    let summary = InputSummary { length: 50, hash: 60 };
    assert_eq!(items[2], Item::Input { argument: 1, address: 0x10, summary, prefix: b"prefix" });
    let Item::Environment { strings } = items[3] else { panic!("{:?}", items[3]) };
    assert!(strings.eq([&b"A=1"[..], b"", b"B="]));
    assert_eq!(items[4], Item::AuxiliaryVector { bytes: &words(&[6, 4096]) });
    let identity = ImageIdentity {
        process: 2,
        thread: 1,
        parent: 4,
        stream: 3,
        stack_limit: [5, 6],
        ignored_signals: 7,
        blocked_signals: 8,
        random: [9, 10],
    };
    assert_eq!(items[5], Item::Identity { identity });
    let change = FileChange { size: 100, offset: 10, length: 20, source: 0x7000 };
    assert_eq!(items[6], Item::FileChange { file: 3, change });
    assert_eq!(items[7], Item::FileBytes { offset: 10, bytes: b"new" });
    assert_eq!(items[8], Item::State { address: 0x40_1000, bytes: &words(&[1, 2]) });
    assert_eq!(items[9], Item::Moved { bytes: b"moved" });
    assert_eq!(items[10], Item::Slept { nanoseconds: 4_000_000 });
    let summary = InputSummary { length: 5, hash: xxhash_rust::xxh3::xxh3_64(b"short") };
    assert_eq!(items[11], Item::Input { argument: 1, address: 0x20, summary, prefix: b"short" });
}

#[test]
fn memory_is_what_the_event_tells() {
    let items = [
        item(Tag::Text, 0, 0x100, b"/etc/passwd"),
        item(Tag::Input, 1, 0x200, &[words(&[4, 0]), b"read".to_vec()].concat()),
        item(Tag::Output, 1, 0x200, b"WR"),
        item(Tag::Output, 2, 0x300, b"abc"),
        item(Tag::Output, 3, 0x303, b"def"),
        item(Tag::Text, 4, u64::MAX - 1, b"ab"),
    ];
    let event = single(&call(0, 0, &[1, 2], &items.concat()));
    let memory = EventMemory::new(event.items());
    let read = |address, length| {
        let mut target = vec![0; length];
        memory.read(address, &mut target).then_some(target)
    };
    assert_eq!(read(0x100, 12).unwrap(), b"/etc/passwd\0");
    assert_eq!(read(0x104, 3).unwrap(), b"/pa");
    assert_eq!(read(0x100, 13), None);
    assert_eq!(read(0x200, 4).unwrap(), b"WRad");
    assert_eq!(read(0x301, 5).unwrap(), b"bcdef");
    assert_eq!(read(0x2ff, 1), None);
    assert_eq!(read(u64::MAX - 1, 2).unwrap(), b"ab");
    assert_eq!(read(0, 0).unwrap(), b"");
}

//! The rearrangement of chunks: it loses nothing, whatever the bytes, and believes nothing.

use proptest::prelude::*;
use tracer_core::event::Tag;
use tracer_core::trace::transform::{COLUMNS, Encoder, NONE, decode, encoded_bound};

use crate::support::{any_event, bounded, call, item, noise};

/// `bytes` there and back; what they were rearranged to.
fn there_and_back(encoder: &mut Encoder, bytes: &[u8]) -> Vec<u8> {
    let (mut encoded, mut decoded) = (vec![1, 2, 3], vec![4, 5, 6]);
    if encoder.encode(bytes, &mut encoded) == NONE {
        return Vec::new();
    }
    assert!(encoded.len() <= encoded_bound(bytes.len()), "{} for {}", encoded.len(), bytes.len());
    decode(&encoded, bytes.len(), &mut decoded).unwrap();
    assert!(decoded == bytes);
    encoded
}

/// Many events, much alike, with one in a hundred bytes wrong in some cases, and cut anywhere.
fn nearly_events() -> impl Strategy<Value = Vec<u8>> {
    let events = prop::collection::vec(any_event(), 0..6);
    let places = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (events, 1..6_usize, places, any::<prop::sample::Index>()).prop_map(|(events, times, places, cut)| {
        let mut bytes = events.concat().repeat(times);
        let length = bytes.len();
        if length > 0 {
            places.iter().for_each(|(place, byte)| bytes[place.index(length)] = *byte);
            bytes.truncate(length - cut.index(length) / 4);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(bounded())]

    #[test]
    fn nothing_is_lost(chunks in prop::collection::vec(nearly_events(), 1..4)) {
        let mut encoder = Encoder::default();
        for chunk in chunks {
            there_and_back(&mut encoder, &chunk);
        }
    }

    #[test]
    fn random_bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        there_and_back(&mut Encoder::default(), &bytes);
    }

    #[test]
    fn nothing_is_believed(
        chunk in nearly_events(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut: prop::sample::Index,
    ) {
        let mut encoded = there_and_back(&mut Encoder::default(), &chunk);
        let length = encoded.len();
        if length > 0 {
            damage.iter().for_each(|(place, byte)| encoded[place.index(length)] = *byte);
            encoded.truncate(length - cut.index(length) / 8);
        }
        let mut decoded = Vec::new();
        if decode(&encoded, chunk.len(), &mut decoded).is_ok() {
            prop_assert_eq!(decoded.len(), chunk.len());
        }
        prop_assert!(decoded.len() <= chunk.len());
    }

    #[test]
    fn random_columns_are_survived(encoded in prop::collection::vec(0..4_u8, 0..200), length in 0..500_usize) {
        let mut decoded = Vec::new();
        if decode(&encoded, length, &mut decoded).is_ok() {
            prop_assert_eq!(decoded.len(), length);
        }
    }
}

/// What `ls -l` does for one file: structures of which a few words differ, the same path three times.
fn look_at(number: u64) -> Vec<u8> {
    let path = format!("/usr/share/doc/package-{number}/copyright");
    let path = item(Tag::Text, 1, 0x7ffd_0000, path.as_bytes());
    let mut status = [0; 256];
    for (at, word) in [(0, 0x25e), (32, 1_000_000 + number), (40, number * 977), (64, 1_700_000_000)] {
        status[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
    let status = item(Tag::Output, 4, 0x7ffd_1000, &status);
    let attribute = |name: &str| [&path[..], &item(Tag::Text, 1, 0x5555_0000, name.as_bytes())].concat();
    [
        call(332, 0, &[!99, 0x7ffd_0000, 0x900, 0x25e, 0x7ffd_1000], &[path.clone(), status].concat()),
        call(192, -61, &[0x7ffd_0000, 0x5555_0000, 0, 255], &attribute("security.selinux")),
        call(191, -61, &[0x7ffd_0000, 0x5555_0000, 0, 0], &attribute("system.posix_acl_access")),
    ]
    .concat()
}

#[test]
fn alike_events_become_much_smaller() {
    let events: Vec<u8> = (0..1000).flat_map(look_at).collect();
    let compressed = |bytes: &[u8]| zstd::bulk::compress(bytes, 1).unwrap().len();
    let columns = there_and_back(&mut Encoder::default(), &events);
    let (plain, rearranged) = (compressed(&events), compressed(&columns));
    assert!(rearranged * 3 < plain * 2, "{plain} bytes without, {rearranged} with rearrangement");
}

#[test]
fn large_data_and_many_items_survive() {
    let list: Vec<u8> = (0..3000).flat_map(|at| item(Tag::Output, 1, at * 64, &noise(40))).collect();
    let large = item(Tag::Output, 1, 0x1000, &noise(100_000));
    let bytes = [call(19, 0, &[3, 4, 5], &list), call(0, 100_000, &[3, 0x1000, 1 << 20], &large)].concat();
    let mut encoder = Encoder::default();
    there_and_back(&mut encoder, &bytes);
    let mut target = Vec::new();
    assert_eq!(encoder.encode(&bytes, &mut target), COLUMNS);
    assert_eq!(encoder.encode(b"no event", &mut target), NONE);
    // More items than can be counted: not rearranged, not lost.
    let endless = call(0, 0, &[], &item(Tag::Ticket, 0, 1, &[]).repeat(70_000));
    assert_eq!(encoder.encode(&endless, &mut target), NONE);
}

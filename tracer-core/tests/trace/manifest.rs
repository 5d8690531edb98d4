//! The manifest: every value survives JSON, and damage is an error.

use std::path::Path;

use proptest::prelude::*;
use tracer_core::trace::byte_string::ByteString;
use tracer_core::trace::files::{Identity, Kept, ReferencedFile};
use tracer_core::trace::manifest::{
    Ended, Host, Manifest, MappedObject, Process, ProcessEnded, Recorder, Totals,
};

use crate::support::bounded;

/// Text, and bytes that are no text.
fn byte_string() -> impl Strategy<Value = ByteString> {
    prop_oneof![
        any::<String>().prop_map(|text| ByteString::from(text.as_str())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(ByteString),
    ]
}

fn process() -> impl Strategy<Value = Process> {
    let ended = prop_oneof![
        any::<u8>().prop_map(ProcessEnded::Exited),
        any::<u8>().prop_map(ProcessEnded::Signalled),
        Just(ProcessEnded::Replaced),
        any::<String>().prop_map(ProcessEnded::CutShort),
        any::<String>().prop_map(ProcessEnded::Unrecorded),
    ];
    let arguments = prop::collection::vec(byte_string(), 0..4);
    (any::<(u32, u32, Option<u32>, u64)>(), byte_string(), arguments, ended).prop_map(
        |((stream, process_id, parent_stream, events), executable, arguments, ended)| Process {
            stream,
            process_id,
            parent_stream,
            executable,
            arguments,
            ended,
            events,
        },
    )
}

fn file() -> impl Strategy<Value = ReferencedFile> {
    let kept = prop_oneof![
        Just(Kept::Reference),
        any::<u64>().prop_map(Kept::Copied),
        any::<u64>().prop_map(Kept::Reflinked),
        any::<String>().prop_map(Kept::Unavailable),
    ];
    (any::<[u64; 5]>(), byte_string(), any::<Option<String>>(), kept).prop_map(
        |([id, device, inode, size, modified], path, hash, kept)| ReferencedFile {
            id,
            path,
            identity: Identity { device, inode, size, modified },
            hash,
            kept,
        },
    )
}

fn object() -> impl Strategy<Value = MappedObject> {
    (byte_string(), any::<String>(), any::<[u64; 4]>()).prop_map(
        |(path, build_id, [size, modified, device, inode])| MappedObject {
            path,
            build_id,
            size,
            modified,
            device,
            inode,
        },
    )
}

prop_compose! {
    fn manifest()(
        texts in any::<[String; 7]>(),
        command in prop::collection::vec(byte_string(), 0..4),
        directory in byte_string(),
        options in any::<std::collections::BTreeMap<String, String>>(),
        processes in prop::collection::vec(process(), 0..3),
        objects in prop::collection::vec(object(), 0..3),
        files in prop::collection::vec(file(), 0..3),
        numbers in any::<[u64; 8]>(),
        ended in prop_oneof![
            Just(Ended::Recording), Just(Ended::Complete), any::<String>().prop_map(Ended::Early),
        ],
        notes in any::<Vec<String>>(),
    ) -> Manifest {
        let [version, build_id, kernel, machine, processor, processor_flags, order] = texts;
        let [began, finished, streams, events, stream_bytes, events_file_bytes, kept_bytes, loader_cache] = numbers;
        let host = Host { kernel, machine, processor, processor_flags, loader_cache };
        let mut manifest =
            Manifest::begin(Recorder { version, build_id }, command, directory, host, &order);
        (manifest.began, manifest.finished) = (began, finished);
        manifest.totals = Totals { streams, events, stream_bytes, events_file_bytes, kept_bytes };
        Manifest { options, processes, objects, files, ended, notes, ..manifest }
    }
}

fn parse(bytes: &[u8]) -> Result<Manifest, String> {
    Manifest::parse(bytes, Path::new("manifest.json")).map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(bounded())]

    #[test]
    fn every_manifest_survives(manifest in manifest()) {
        let bytes = serde_json::to_vec_pretty(&manifest).unwrap();
        prop_assert_eq!(parse(&bytes), Ok(manifest));
    }

    #[test]
    fn every_truncation_is_an_error_with_a_place(manifest in manifest(), cut: prop::sample::Index) {
        let bytes = serde_json::to_vec_pretty(&manifest).unwrap();
        let error = parse(&bytes[..cut.index(bytes.len())]).unwrap_err();
        prop_assert!(error.starts_with("manifest.json is damaged or not part of a trace: at byte "), "{}", error);
    }

    #[test]
    fn random_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn flipped_bytes_never_panic(manifest in manifest(), place: prop::sample::Index, byte: u8) {
        let mut bytes = serde_json::to_vec_pretty(&manifest).unwrap();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Err(error) = parse(&bytes) {
            prop_assert!(error.starts_with("manifest.json "), "{}", error);
        }
    }
}

#[test]
fn text_stays_readable_and_other_bytes_become_hexadecimal() {
    let json = |bytes: &[u8]| serde_json::to_string(&ByteString::from(bytes)).unwrap();
    assert_eq!(json("caf\u{e9}".as_bytes()), "\"caf\u{e9}\"");
    assert_eq!(json(&[b'a', 0xff]), r#"{"bytes":"61ff"}"#);
    for wrong in [r#"{"bytes":"6"}"#, r#"{"bytes":"zz"}"#, "3", r#"{"byte":"61"}"#] {
        assert!(serde_json::from_str::<ByteString>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let error = parse(format!("{{\"notes\": {}", "[".repeat(1_000_000)).as_bytes()).unwrap_err();
    assert!(error.contains("at byte "), "{error}");
}

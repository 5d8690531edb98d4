//! The `events` file: what was appended comes back; a cut file gives a prefix and says so; any other damage
//! is an error.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::support::{Scratch, bounded, noise};
use proptest::prelude::*;
use tracer_core::trace::chunk::{ChunkHeader, FileHeader, Index, MAXIMUM_CHUNK, VERSION, Writer};
use tracer_core::trace::{Error, Result};

/// One call of `append`.
#[derive(Clone, Debug)]
struct Append {
    stream: u32,
    bytes: Vec<u8>,
}

/// Few streams, so that chunks interleave; both compressible and incompressible bytes.
fn appends() -> impl Strategy<Value = Vec<Append>> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (any::<u8>(), 0..3000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    prop::collection::vec((0..4_u32, bytes).prop_map(|(stream, bytes)| Append { stream, bytes }), 0..12)
}

/// Writes `appends`, completes their streams and the file; gives back what each stream must read as.
fn write(path: &Path, appends: &[Append]) -> BTreeMap<u32, Vec<u8>> {
    let mut writer = Writer::create(path).unwrap();
    let mut expected: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for Append { stream, bytes } in appends {
        writer.append(*stream, bytes, false).unwrap();
        expected.entry(*stream).or_default().extend(bytes);
    }
    for &stream in expected.keys() {
        writer.append(stream, &[], true).unwrap();
    }
    writer.finish().unwrap();
    expected
}

/// Everything that the file gives, read through `Read`.
fn read(path: &Path) -> Result<(Index, BTreeMap<u32, Vec<u8>>)> {
    let index = Index::open(path)?;
    let mut streams = BTreeMap::new();
    for summary in index.streams() {
        let mut bytes = Vec::new();
        let mut reader = index.stream(summary.stream).unwrap();
        reader.read_to_end(&mut bytes).map_err(|error| error.downcast::<Error>().unwrap())?;
        assert_eq!(bytes.len() as u64, summary.bytes);
        assert_eq!(reader.is_complete(), summary.complete);
        streams.insert(summary.stream, bytes);
    }
    Ok((index, streams))
}

/// Asserts that each stream of `found` is the beginning of the same stream of `expected`.
fn assert_prefixes(found: &BTreeMap<u32, Vec<u8>>, expected: &BTreeMap<u32, Vec<u8>>) {
    for (stream, bytes) in found {
        assert!(expected[stream].starts_with(bytes), "stream {stream} is not what was written");
    }
}

proptest! {
    #![proptest_config(bounded())]

    #[test]
    fn streams_come_back_as_written(appends in appends()) {
        let scratch = Scratch::new();
        let path = scratch.path("events");
        let expected = write(&path, &appends);
        let (index, found) = read(&path).unwrap();
        prop_assert_eq!(index.ends_early(), None);
        prop_assert!(index.streams().all(|summary| summary.complete));
        prop_assert_eq!(index.length(), fs::metadata(&path).unwrap().len());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn every_truncation_gives_a_prefix_and_says_so(appends in appends().prop_filter("small", |appends| {
        appends.iter().map(|append| append.bytes.len()).sum::<usize>() < 4000
    })) {
        let scratch = Scratch::new();
        let path = scratch.path("events");
        let expected = write(&path, &appends);
        let whole = fs::read(&path).unwrap();
        for length in (0..whole.len()).rev() {
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length as u64).unwrap();
            let (index, found) = read(&path).unwrap();
            prop_assert!(index.ends_early().is_some(), "cut to {} bytes, not noticed", length);
            assert_prefixes(&found, &expected);
        }
    }

    #[test]
    fn flipped_bits_never_give_wrong_data(
        appends in appends(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..4),
    ) {
        let scratch = Scratch::new();
        let path = scratch.path("events");
        let expected = write(&path, &appends);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        for (place, bit) in flips {
            damaged[place.index(whole.len())] ^= 1 << bit;
        }
        fs::write(&path, &damaged).unwrap();
        // A flip within zstd's own slack may change nothing that was stored; then the data must be right.
        if let Ok((index, found)) = read(&path) {
            assert_prefixes(&found, &expected);
            prop_assert_eq!(index.ends_early(), None);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn random_bytes_are_an_error(
        bytes in prop::collection::vec(any::<u8>(), FileHeader::SIZE..500),
        good_beginning: bool,
    ) {
        let scratch = Scratch::new();
        let path = scratch.path("events");
        let mut file = if good_beginning { FileHeader::to_bytes().to_vec() } else { Vec::new() };
        file.extend(bytes);
        fs::write(&path, &file).unwrap();
        match Index::open(&path) {
            Err(error) => prop_assert_eq!(error.kind(), std::io::ErrorKind::InvalidData),
            // Too short for another header, so taken for a cut.
            Ok(index) => {
                prop_assert!(good_beginning && file.len() < FileHeader::SIZE + ChunkHeader::SIZE);
                prop_assert!(index.ends_early().is_some());
            }
        }
    }

    #[test]
    fn forged_headers_never_panic(
        stream in 0..3_u32, sequence in 0..3_u32, flags in 0..8_u16, transform in 0..2_u16, length: u32,
        stored in 0..200_u32, checksum: u64, data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let scratch = Scratch::new();
        let path = scratch.path("events");
        let header = ChunkHeader { stream, sequence, flags, transform, length, stored, checksum };
        fs::write(&path, [&FileHeader::to_bytes()[..], &header.to_bytes(), &data].concat()).unwrap();
        if let Ok((index, found)) = read(&path) {
            prop_assert!(index.ends_early().is_some() || found.values().all(Vec::is_empty));
        }
    }
}

/// A file with one stream, complete.
fn simple(scratch: &Scratch, bytes: &[u8]) -> PathBuf {
    let path = scratch.path("events");
    write(&path, &[Append { stream: 7, bytes: bytes.to_vec() }]);
    path
}

#[test]
fn an_append_larger_than_a_chunk_is_split() {
    let scratch = Scratch::new();
    let bytes: Vec<u8> = (0..MAXIMUM_CHUNK as u32 / 2).flat_map(u32::to_le_bytes).collect();
    let (index, found) = read(&simple(&scratch, &bytes)).unwrap();
    // Two full ones, and the empty last one that `write` adds.
    assert_eq!(index.streams().next().unwrap().chunks, 3);
    assert!(found[&7] == bytes);
}

#[test]
fn an_ended_stream_takes_no_more() {
    let scratch = Scratch::new();
    let mut writer = Writer::create(&scratch.path("events")).unwrap();
    writer.append(1, b"all", true).unwrap();
    let error = writer.append(1, b"more", false).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("stream 1 was completed before"), "{error}");
    assert_eq!(writer.bytes_appended(), 3);
}

#[test]
fn an_existing_file_is_not_overwritten() {
    let scratch = Scratch::new();
    let path = simple(&scratch, b"precious");
    let error = Writer::create(&path).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(read(&path).unwrap().1[&7], b"precious");
}

#[test]
fn damage_is_named_with_file_place_and_finding() {
    let scratch = Scratch::new();
    let path = simple(&scratch, &[5; 1000]);
    let whole = fs::read(&path).unwrap();
    let message = |place: usize| {
        let mut damaged = whole.clone();
        damaged[place] ^= 0xff;
        fs::write(&path, damaged).unwrap();
        read(&path).err().unwrap().to_string()
    };
    let data = FileHeader::SIZE + ChunkHeader::SIZE;
    let other_format =
        format!("has trace format {}, but this imitate reads format {VERSION}", VERSION ^ 0xff);
    for (place, expected) in [
        (0, "at byte 0, expected the magic bytes"),
        (8, &*other_format),
        (FileHeader::SIZE, "at byte 24, expected a chunk"),
        (FileHeader::SIZE + 5, "at byte 24, the chunk header's checksum is"),
        (data, "at byte 24, the chunk does not decompress"),
    ] {
        let message = message(place);
        assert!(message.contains(expected), "byte {place}: {message}");
        assert!(message.contains(path.to_str().unwrap()), "{message}");
    }
}

#[test]
fn a_missing_chunk_and_bytes_after_the_end_are_noticed() {
    let scratch = Scratch::new();
    let path = simple(&scratch, &[5; 1000]);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert!(Index::open(&path).err().unwrap().to_string().contains("1 bytes follow the end mark"));
    // Without the first chunk: what follows is the empty last one and the end mark.
    let rest = &whole[whole.len() - 2 * ChunkHeader::SIZE..];
    fs::write(&path, [&whole[..FileHeader::SIZE], rest].concat()).unwrap();
    assert!(Index::open(&path).err().unwrap().to_string().contains("expected chunk 0 of stream 7, found 1"));
}

#[test]
fn a_full_disk_is_told_apart_and_leaves_a_good_file() {
    // The file size limit is the process's, so this part runs in a child of its own.
    let scratch = Scratch::new();
    let path = scratch.path("events");
    if std::env::var_os("TRACE_CHUNKS_LIMITED").is_none() {
        // Its own output goes to a pipe: in a file, the limit would be its too.
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "chunks::a_full_disk_is_told_apart_and_leaves_a_good_file"])
            .env("TRACE_CHUNKS_LIMITED", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let limit = libc::rlimit { rlim_cur: 100_000, rlim_max: 100_000 };
    // SAFETY: `limit` is a valid rlimit; SIG_IGN is a valid disposition, and no handler is replaced that
    // anything here relies on.
    unsafe {
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
    let mut writer = Writer::create(&path).unwrap();
    let noise = noise(60_000);
    writer.append(0, &noise, false).unwrap();
    let length = writer.bytes_written();
    let error = writer.append(0, &noise, false).unwrap_err();
    assert!(error.is_storage_full(), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().len(), length);
    writer.append(0, b"fits", true).unwrap();
    writer.finish().unwrap();
    let (index, found) = read(&path).unwrap();
    assert_eq!(index.ends_early(), None);
    assert!(found[&0] == [&noise[..], b"fits"].concat());
}

//! Writing the `events` file.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::Compressor;

use super::{ChunkHeader, FileHeader, MAXIMUM_CHUNK, chunk_flags};
use crate::trace::error::{Context, Error, Result};
use crate::trace::transform;

/// zstd's level unless another is chosen. One core must keep up with the program; on rearranged events level 3
/// is not much slower than level 1 (1.8 against 2.2 GB/s measured) and leaves 5 percent less; level 6 takes five
/// times as long.
pub const DEFAULT_LEVEL: i32 = 3;

/// Chunks shorter than this are always compressed: there is little to save by not trying.
const PROBE_FROM: usize = 32 << 10;
/// Bytes of each sample and number of samples, spread over a chunk, that decide whether it is worth
/// compressing.
const PROBE_SAMPLE: usize = 2 << 10;
const PROBE_SAMPLES: usize = 8;

/// Bytes that are compressed for [`Writer::warm_up`].
const WARM_UP: usize = 31 << 10;

/// Appends chunks to an `events` file.
///
/// Everything that [`Writer::append`] has accepted is in the kernel's hands when it returns and survives
/// whatever kills this process. After an error, the file ends where it ended before the failed call.
pub struct Writer {
    file: File,
    path: PathBuf,
    /// Length of the file that is known to be good.
    position: u64,
    /// More than `position` bytes may be in the file, because undoing a failed write failed too.
    cut_back_owed: bool,
    chunks: u64,
    bytes_appended: u64,
    streams: HashMap<u32, Progress>,
    /// `None` until it is needed: it has a lot of memory.
    compressor: Option<Compressor<'static>>,
    level: i32,
    encoder: transform::Encoder,
    rearranged: Vec<u8>,
    compressed: Vec<u8>,
}

#[derive(Default)]
struct Progress {
    next_sequence: u32,
    ended: bool,
}

impl Writer {
    /// Creates `path`, which must not exist, readable and writable by its owner only, and writes the file's
    /// header.
    pub fn create(path: &Path) -> Result<Writer> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut writer = Writer {
            file: file.context("create", path)?,
            path: path.to_owned(),
            position: 0,
            cut_back_owed: false,
            chunks: 0,
            bytes_appended: 0,
            streams: HashMap::new(),
            compressor: None,
            level: DEFAULT_LEVEL,
            encoder: transform::Encoder::default(),
            rearranged: Vec::new(),
            compressed: Vec::new(),
        };
        write_at_end(&mut writer.file, &FileHeader::to_bytes(), &[]).context("write the header of", path)?;
        writer.position = FileHeader::SIZE as u64;
        Ok(writer)
    }

    /// Compresses later chunks at zstd's `level` (negative: faster; up to 22).
    pub fn set_level(&mut self, level: i32) -> Result<()> {
        self.level = level;
        match &mut self.compressor {
            Some(compressor) => compressor.set_compression_level(level),
            None => Ok(()),
        }
        .context("set the compression level for", &self.path)
    }

    /// Does now what the first chunk would else have to wait for: memory is made and touched, by compressing as much as
    /// a small program's start.
    pub fn warm_up(&mut self) {
        self.compress(&[0; WARM_UP]);
    }

    /// Appends `bytes` to `stream`; with `last`, the stream is complete. Nothing is written for no bytes,
    /// unless they are the last. More than [`MAXIMUM_CHUNK`] bytes become several chunks.
    ///
    /// Errors: [`Error::is_storage_full`] tells a full disk from the rest. A stream that was completed takes
    /// no more bytes.
    pub fn append(&mut self, stream: u32, bytes: &[u8], last: bool) -> Result<()> {
        if self.streams.get(&stream).is_some_and(|progress| progress.ended) {
            return Err(Error::refused(&self.path, format!("stream {stream} was completed before")));
        }
        let mut rest = bytes;
        while rest.len() > MAXIMUM_CHUNK {
            let (piece, behind) = rest.split_at(MAXIMUM_CHUNK);
            self.append_chunk(stream, piece, false)?;
            rest = behind;
        }
        if rest.is_empty() && !last { Ok(()) } else { self.append_chunk(stream, rest, last) }
    }

    /// Writes the mark that tells a complete file from one that ends early. Streams that were not completed
    /// stay so. It is the last call, but may be made again if it failed.
    pub fn finish(&mut self) -> Result<()> {
        self.write(ChunkHeader::end(self.chunks), &[])
    }

    /// Bytes that the file has.
    pub fn bytes_written(&self) -> u64 {
        self.position
    }

    /// Uncompressed bytes that were appended, of all streams.
    pub fn bytes_appended(&self) -> u64 {
        self.bytes_appended
    }

    fn append_chunk(&mut self, stream: u32, bytes: &[u8], last: bool) -> Result<()> {
        let transform = self.compress(bytes);
        let scratch = std::mem::take(&mut self.compressed);
        let stored = if transform.is_some() { &scratch } else { bytes };
        let flags = [(last, chunk_flags::LAST), (transform.is_some(), chunk_flags::COMPRESSED)];
        let header = ChunkHeader {
            stream,
            sequence: self.streams.get(&stream).map_or(0, |progress| progress.next_sequence),
            flags: flags.iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag),
            transform: transform.unwrap_or(transform::NONE),
            length: bytes.len() as u32,
            stored: stored.len() as u32,
            checksum: xxh3_64(bytes),
        };
        let written = self.write(header, stored);
        self.compressed = scratch;
        written?;
        let progress = self.streams.entry(stream).or_default();
        progress.next_sequence += 1;
        progress.ended = last;
        self.chunks += 1;
        self.bytes_appended += bytes.len() as u64;
        Ok(())
    }

    /// Fills `self.compressed` from `bytes`, and says how they were rearranged before; `None` if they are better
    /// stored as they are.
    fn compress(&mut self, bytes: &[u8]) -> Option<u16> {
        if bytes.len() >= PROBE_FROM && looks_random(bytes) {
            return None;
        }
        let transform = self.encoder.encode(bytes, &mut self.rearranged);
        let source = if transform == transform::NONE { bytes } else { &self.rearranged };
        self.compressed.clear();
        self.compressed.reserve(zstd::zstd_safe::compress_bound(source.len()));
        // If zstd cannot (for want of memory), the bytes are stored as they are.
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(self.level).ok()?),
        };
        let length = compressor.compress_to_buffer(source, &mut self.compressed).ok()?;
        (length < bytes.len()).then_some(transform)
    }

    /// Appends a header and what it describes; on failure the file is cut back.
    fn write(&mut self, header: ChunkHeader, stored: &[u8]) -> Result<()> {
        if self.cut_back_owed {
            self.cut_back().context("cut back", &self.path)?;
        }
        if let Err(error) = write_at_end(&mut self.file, &header.to_bytes(), stored) {
            // A reader tolerates half a chunk at the end, but not in front of the next one.
            self.cut_back_owed = self.cut_back().is_err();
            return Err(error).context("write", &self.path);
        }
        self.position += (ChunkHeader::SIZE + stored.len()) as u64;
        Ok(())
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.position)?;
        self.file.seek(SeekFrom::Start(self.position))?;
        self.cut_back_owed = false;
        Ok(())
    }
}

/// Writes `header` and `stored` with as few system calls as the kernel allows.
fn write_at_end(file: &mut File, header: &[u8], stored: &[u8]) -> io::Result<()> {
    let mut slices = [IoSlice::new(header), IoSlice::new(stored)];
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the byte values in samples of `bytes` are about equally frequent, as in random, encrypted and already
/// compressed data. Such data would cost compression's time for nothing, and its recording must keep up.
fn looks_random(bytes: &[u8]) -> bool {
    let mut counts = [0_u64; 256];
    let stride = (bytes.len() - PROBE_SAMPLE) / (PROBE_SAMPLES - 1);
    for sample in 0..PROBE_SAMPLES {
        for &byte in &bytes[sample * stride..][..PROBE_SAMPLE] {
            counts[usize::from(byte)] += 1;
        }
    }
    // The chance that two bytes are equal, times 256: 1 for random bytes (1.02 with samples of this size), and
    // 1.25 where coding by frequency would save some 2 percent.
    let equal_pairs: u64 = counts.iter().map(|count| count * count).sum();
    let all = (PROBE_SAMPLE * PROBE_SAMPLES) as u64;
    equal_pairs * 256 * 4 < all * all * 5
}

//! Finding the chunks of each stream.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ChunkHeader, FileHeader, StreamReader, VERSION, chunk_flags};
use crate::trace::directory::open_regular;
use crate::trace::error::{Context, Error, Result};

/// An open `events` file and where its chunks are.
///
/// It is read with `pread`, not mapped: a mapping would turn another process's truncation of the file into a
/// SIGBUS here.
pub struct Index {
    source: Arc<Source>,
    streams: BTreeMap<u32, Entry>,
    ends_early: Option<String>,
    length: u64,
}

/// The file, shared by the streams' readers.
pub(super) struct Source {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

/// A chunk's place.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    /// Offset of the header in the file.
    pub(super) offset: u64,
    pub(super) header: ChunkHeader,
}

#[derive(Default)]
struct Entry {
    chunks: Arc<Vec<Chunk>>,
    bytes: u64,
    complete: bool,
}

/// What an [`Index`] knows of a stream without decompressing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// The stream's number.
    pub stream: u32,
    /// Number of its chunks.
    pub chunks: u64,
    /// Its uncompressed length in bytes.
    pub bytes: u64,
    /// Whether its last chunk is there.
    pub complete: bool,
}

impl Index {
    /// Walks the headers of the `events` file at `path`.
    ///
    /// A file that ends within a chunk, or without an end mark, is read up to there; see
    /// [`Index::ends_early`]. Errors: it cannot be read, is of another version, or a header is damaged.
    pub fn open(path: &Path) -> Result<Index> {
        let (file, metadata) = open_regular(path)?;
        let mut walk = Walk {
            source: Source { file, path: path.to_owned() },
            length: metadata.len(),
            streams: BTreeMap::new(),
            chunks: 0,
        };
        let ends_early = walk.walk()?;
        Ok(Index { source: Arc::new(walk.source), streams: walk.streams, ends_early, length: walk.length })
    }

    /// The streams, in the order of their numbers.
    pub fn streams(&self) -> impl Iterator<Item = StreamSummary> + '_ {
        self.streams.iter().map(|(&stream, entry)| StreamSummary {
            stream,
            chunks: entry.chunks.len() as u64,
            bytes: entry.bytes,
            complete: entry.complete,
        })
    }

    /// Reads a stream from its beginning; `None` if no chunk of it is in the file. Readers are independent of
    /// each other and of the index.
    pub fn stream(&self, stream: u32) -> Option<StreamReader> {
        let entry = self.streams.get(&stream)?;
        Some(StreamReader::new(self.source.clone(), entry.chunks.clone(), entry.complete))
    }

    /// Why the file is not complete, `None` if it is.
    pub fn ends_early(&self) -> Option<&str> {
        self.ends_early.as_deref()
    }

    /// The file's length in bytes when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// The state of [`Index::open`].
struct Walk {
    source: Source,
    length: u64,
    streams: BTreeMap<u32, Entry>,
    chunks: u64,
}

impl Walk {
    /// Collects all chunks. Gives back why the file ends early, if it does.
    fn walk(&mut self) -> Result<Option<String>> {
        let Some(header) = self.header::<{ FileHeader::SIZE }>(0)? else {
            return Ok(Some(format!("the file ends within its header, after {} bytes", self.length)));
        };
        let found = FileHeader::version(&header).map_err(|what| self.malformed(0, what))?;
        if found != VERSION {
            let path = self.source.path.clone();
            return Err(Error::Version { path, found, supported: VERSION });
        }
        let mut offset = FileHeader::SIZE as u64;
        while offset < self.length {
            let Some(bytes) = self.header::<{ ChunkHeader::SIZE }>(offset)? else {
                return Ok(Some(format!("the file ends within a chunk's header, at byte {}", self.length)));
            };
            let header = ChunkHeader::from_bytes(&bytes).map_err(|what| self.malformed(offset, what))?;
            let end = offset + (ChunkHeader::SIZE as u64 + u64::from(header.stored));
            if header.flags & chunk_flags::END != 0 {
                return self.check_end(offset, end, header).map(|()| None);
            }
            if end > self.length {
                return Ok(Some(format!("the file ends within a chunk, at byte {}", self.length)));
            }
            self.add(Chunk { offset, header })?;
            offset = end;
        }
        Ok(Some(format!("the file has no end mark after its {} chunks", self.chunks)))
    }

    fn add(&mut self, chunk: Chunk) -> Result<()> {
        let header = chunk.header;
        let entry = self.streams.entry(header.stream).or_default();
        let (stream, expected) = (header.stream, entry.chunks.len());
        if entry.complete {
            let what = format!("stream {stream} goes on after its last chunk");
            return Err(self.malformed(chunk.offset, what));
        }
        if header.sequence as usize != expected {
            let what = format!("expected chunk {expected} of stream {stream}, found {}", header.sequence);
            return Err(self.malformed(chunk.offset, what));
        }
        entry.bytes += u64::from(header.length);
        entry.complete = header.flags & chunk_flags::LAST != 0;
        // Not shared with a reader yet, so this never copies.
        Arc::make_mut(&mut entry.chunks).push(chunk);
        self.chunks += 1;
        Ok(())
    }

    fn check_end(&self, offset: u64, end: u64, header: ChunkHeader) -> Result<()> {
        if header.sequence != self.chunks as u32 {
            let what = format!("the end mark counts {} chunks, found {}", header.sequence, self.chunks);
            return Err(self.malformed(offset, what));
        }
        if end != self.length {
            let what = format!("{} bytes follow the end mark", self.length - end);
            return Err(self.malformed(end, what));
        }
        Ok(())
    }

    /// `SIZE` bytes at `offset`, `None` if the file ends before.
    fn header<const SIZE: usize>(&self, offset: u64) -> Result<Option<[u8; SIZE]>> {
        let mut bytes = [0; SIZE];
        match self.source.file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error).context("read", &self.source.path),
        }
    }

    fn malformed(&self, offset: u64, what: String) -> Error {
        Error::malformed(&self.source.path, offset, what)
    }
}

//! Reading one stream back.

use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::Decompressor;

use super::chunk_flags;
use super::index::{Chunk, Source};
use crate::trace::error::{Context, Error, Result};
use crate::trace::transform;

/// The uncompressed bytes of one stream, each chunk checked against its checksum before any of it is given
/// out. Errors are [`Error`]s inside [`io::Error`].
pub struct StreamReader {
    source: Arc<Source>,
    chunks: Arc<Vec<Chunk>>,
    complete: bool,
    /// How many of `chunks` were read.
    read: usize,
    decompressor: Option<Decompressor<'static>>,
    stored: Vec<u8>,
    /// Decompressed but not yet put back in order.
    rearranged: Vec<u8>,
    plain: Vec<u8>,
    /// How much of `plain` was given out.
    given: usize,
}

impl StreamReader {
    pub(super) fn new(source: Arc<Source>, chunks: Arc<Vec<Chunk>>, complete: bool) -> StreamReader {
        StreamReader {
            source,
            chunks,
            complete,
            read: 0,
            decompressor: None,
            stored: Vec::new(),
            rearranged: Vec::new(),
            plain: Vec::new(),
            given: 0,
        }
    }

    /// Whether the stream's last chunk is in the file.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The next chunk's bytes, `None` after the last. Bytes of the previous chunk that were not read are
    /// skipped.
    pub fn next_chunk(&mut self) -> Result<Option<&[u8]>> {
        // Also if it fails, there is nothing to give out.
        self.given = 0;
        self.plain.clear();
        let Some(&chunk) = self.chunks.get(self.read) else { return Ok(None) };
        if let Err(error) = self.load(chunk) {
            self.plain.clear();
            return Err(error);
        }
        self.read += 1;
        self.given = self.plain.len();
        Ok(Some(&self.plain))
    }

    /// Fills `self.plain` with a chunk's bytes.
    fn load(&mut self, Chunk { offset, header }: Chunk) -> Result<()> {
        let path = &self.source.path;
        let malformed = |what: String| Error::malformed(path, offset, what);
        let length = header.length as usize;
        let compressed = header.flags & chunk_flags::COMPRESSED != 0;
        let stored = if compressed { &mut self.stored } else { &mut self.plain };
        stored.resize(header.stored as usize, 0);
        let data = offset + super::ChunkHeader::SIZE as u64;
        self.source.file.read_exact_at(stored, data).context("read", path)?;
        if compressed {
            let decompressor = match &mut self.decompressor {
                Some(decompressor) => decompressor,
                none => none.insert(Decompressor::new().context("set up decompression for", path)?),
            };
            let rearranged = header.transform != transform::NONE;
            let (target, most) = if rearranged {
                (&mut self.rearranged, transform::encoded_bound(length))
            } else {
                (&mut self.plain, length)
            };
            // zstd writes no more than the capacity, whatever the frame claims.
            target.clear();
            target.reserve(most);
            decompressor
                .decompress_to_buffer(&self.stored, target)
                .map_err(|error| malformed(format!("the chunk does not decompress: {error}")))?;
            if rearranged {
                transform::decode(&self.rearranged, length, &mut self.plain).map_err(malformed)?;
            }
        }
        if self.plain.len() != length {
            let found = self.plain.len();
            return Err(malformed(format!("the chunk declares {length} bytes but holds {found}")));
        }
        let computed = xxh3_64(&self.plain);
        if computed != header.checksum {
            let what = format!(
                "the chunk's checksum is {:016x}, but its bytes give {computed:016x}",
                header.checksum
            );
            return Err(malformed(what));
        }
        Ok(())
    }
}

impl BufRead for StreamReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.given == self.plain.len() && self.next_chunk()?.is_some() {
            self.given = 0;
        }
        Ok(&self.plain[self.given..])
    }

    fn consume(&mut self, amount: usize) {
        self.given = (self.given + amount).min(self.plain.len());
    }
}

impl Read for StreamReader {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(target)?;
        self.consume(length);
        Ok(length)
    }
}

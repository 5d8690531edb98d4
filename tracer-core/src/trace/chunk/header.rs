//! The fixed-size headers of the `events` file. All numbers are little-endian; every byte is covered by a
//! checksum, a constant or a range.

use xxhash_rust::xxh3::xxh3_64;

use super::MAXIMUM_CHUNK;
use crate::trace::transform::{COLUMNS, NONE};

/// The format of the `events` file that this build writes and reads.
pub const VERSION: u32 = 8;

/// First bytes of an `events` file. The first byte is no text and the last two are changed by a transfer in
/// text mode, so that such damage shows at once.
const FILE_MAGIC: [u8; 8] = *b"\x89IMIT\x1a\r\n";
/// First bytes of every chunk.
const CHUNK_MAGIC: [u8; 4] = *b"chnk";

/// Start of the `events` file: magic, [`VERSION`], four zero bytes, XXH3-64 of these 16 bytes.
pub struct FileHeader;

impl FileHeader {
    /// Size in bytes.
    pub const SIZE: usize = 24;

    /// The header as it is stored.
    pub fn to_bytes() -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..8].copy_from_slice(&FILE_MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let checksum = xxh3_64(&bytes[..16]);
        bytes[16..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The format version that `bytes` declare, or what is wrong with them. A version other than [`VERSION`]
    /// is given back without looking further, since what follows may differ.
    pub fn version(bytes: &[u8; Self::SIZE]) -> Result<u32, String> {
        if bytes[..8] != FILE_MAGIC {
            return Err(format!("expected the magic bytes {FILE_MAGIC:02x?}, found {:02x?}", &bytes[..8]));
        }
        let version = word(bytes, 8);
        if version == VERSION && *bytes != Self::to_bytes() {
            return Err(format!("the file header's rest is damaged: {:02x?}", &bytes[12..]));
        }
        Ok(version)
    }
}

/// Bits of [`ChunkHeader::flags`].
pub mod chunk_flags {
    /// The stream ends with this chunk.
    pub const LAST: u16 = 1;
    /// The stored bytes are a zstd frame; without it, they are stored as they are.
    pub const COMPRESSED: u16 = 2;
    /// Not a chunk of a stream but the end of the file: `stream` is `u32::MAX`, `sequence` the low 32 bits of
    /// the number of chunks before.
    pub const END: u16 = 4;
    /// All bits that have a meaning.
    pub const KNOWN: u16 = LAST | COMPRESSED | END;
}

/// Start of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// The stream that the bytes belong to.
    pub stream: u32,
    /// Number of the chunk in its stream (0 = first), so that a missing one is noticed.
    pub sequence: u32,
    /// See [`chunk_flags`].
    pub flags: u16,
    /// How the bytes were rearranged before compression, see [`crate::trace::transform`].
    pub transform: u16,
    /// Bytes of the stream in this chunk.
    pub length: u32,
    /// Bytes that follow this header in the file.
    pub stored: u32,
    /// XXH3-64 of the stream's bytes.
    pub checksum: u64,
}

impl ChunkHeader {
    /// Size in bytes, with the magic in front and the XXH3-64 of all before it behind.
    pub const SIZE: usize = 40;
    const CHECKED: usize = 32;

    /// The mark that ends a complete file of `chunks` chunks.
    pub fn end(chunks: u64) -> ChunkHeader {
        ChunkHeader {
            stream: u32::MAX,
            sequence: chunks as u32,
            flags: chunk_flags::END,
            transform: NONE,
            length: 0,
            stored: 0,
            checksum: 0,
        }
    }

    /// The header as it is stored.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&CHUNK_MAGIC);
        bytes[4..8].copy_from_slice(&self.stream.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.flags.to_le_bytes());
        bytes[14..16].copy_from_slice(&self.transform.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.length.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.stored.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.checksum.to_le_bytes());
        let checksum = xxh3_64(&bytes[..Self::CHECKED]);
        bytes[32..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The header stored in `bytes`, or what is wrong with them. A header that comes back promises no more
    /// than [`MAXIMUM_CHUNK`] bytes, stored or not.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Result<ChunkHeader, String> {
        if bytes[..4] != CHUNK_MAGIC {
            return Err(format!("expected a chunk ({CHUNK_MAGIC:02x?}), found {:02x?}", &bytes[..4]));
        }
        let (found, computed) = (long(bytes, 32), xxh3_64(&bytes[..Self::CHECKED]));
        if found != computed {
            return Err(format!(
                "the chunk header's checksum is {found:016x}, but its bytes give {computed:016x}"
            ));
        }
        let low = word(bytes, 12);
        let header = ChunkHeader {
            stream: word(bytes, 4),
            sequence: word(bytes, 8),
            flags: low as u16,
            transform: (low >> 16) as u16,
            length: word(bytes, 16),
            stored: word(bytes, 20),
            checksum: long(bytes, 24),
        };
        header.check().map(|()| header)
    }

    fn check(&self) -> Result<(), String> {
        if self.flags & !chunk_flags::KNOWN != 0 {
            return Err(format!("the chunk has unknown flags {:#x}", self.flags));
        }
        if self.flags & chunk_flags::END != 0 {
            let regular = *self == ChunkHeader::end(self.sequence.into());
            return regular.then_some(()).ok_or_else(|| format!("the end mark is irregular: {self:?}"));
        }
        let compressed = self.flags & chunk_flags::COMPRESSED != 0;
        if !(self.transform == NONE || (self.transform == COLUMNS && compressed)) {
            return Err(format!("the chunk has the unknown transform {}", self.transform));
        }
        let plausible = self.length as usize <= MAXIMUM_CHUNK
            && if compressed { self.stored < self.length } else { self.stored == self.length };
        if !plausible {
            return Err(format!(
                "the chunk's lengths are impossible: {} bytes stored as {}, compressed: {compressed}",
                self.length, self.stored
            ));
        }
        // Else a file could hold chunks without end that move no stream forward.
        if self.length == 0 && self.flags & chunk_flags::LAST == 0 {
            return Err("the chunk is empty, but not the last of its stream".into());
        }
        Ok(())
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

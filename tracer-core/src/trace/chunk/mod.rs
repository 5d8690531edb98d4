//! The `events` file: a [`FileHeader`], then chunks, each a [`ChunkHeader`] and its stored bytes, then an end
//! mark. Chunks of all streams are interleaved in the order in which they were written, so that whatever
//! kills the writer, the file is whole up to its last complete chunk.
//!
//! Nothing depends on an index at the end: [`Index::open`] walks the headers.

mod header;
mod index;
mod stream;
mod writer;

pub use header::{ChunkHeader, FileHeader, VERSION, chunk_flags};
pub use index::{Index, StreamSummary};
pub use stream::StreamReader;
pub use writer::{DEFAULT_LEVEL, Writer};

/// Most uncompressed bytes in one chunk: it bounds what a reader allocates, whatever a header claims.
pub const MAXIMUM_CHUNK: usize = 16 << 20;

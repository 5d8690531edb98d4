//! What a replay that is *watched* tells beside: each call of libc's synchronisation functions, each sleep for a futex.
//!
//! A watched replay's memfd is longer: behind the rings lie [`CHUNKS`] chunks of [`Record`]s. A thread takes a chunk for
//! itself, fills it from its beginning, and takes another. A record that was never written has a sequence number of 0.

use super::{Control, SESSION_SIZE};
use core::mem::size_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of a chunk.
pub const CHUNK: usize = 64 << 10;
/// Chunks that a session has room for.
pub const CHUNKS: usize = 1 << 16;
/// Size of the memfd of a session that is watched.
pub const WATCHED_SIZE: usize = SESSION_SIZE + CHUNKS * CHUNK;
/// Records in a chunk.
pub const RECORDS: usize = CHUNK / size_of::<Record>();

/// Offset of a chunk in the memfd.
pub const fn chunk_offset(chunk: usize) -> usize {
    SESSION_SIZE + chunk * CHUNK
}

/// One thing that happened. All bytes are valid.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its place among all records of the session, from 1 on.
    pub sequence: u64,
    /// Nanoseconds of CLOCK_MONOTONIC, in the replay.
    pub time: u64,
    /// Events that the thread had taken; in sync order, operations on synchronisation objects that it had made.
    pub event: u64,
    /// Address of the object, of the futex, or of the word that is cleared when the created thread ends.
    pub object: u64,
    /// The mutex that a wait for a condition gives up.
    pub mutex: u64,
    /// Where the function returns to, or the futex call (or libc's `syscall`, if it was made by that).
    pub caller: u64,
    /// The thread's stream.
    pub stream: u32,
    /// A [`what`].
    pub what: u16,
    /// The place of the function in [`super::functions::FUNCTIONS`].
    pub function: u16,
    /// A mutex's kind, as glibc has it; of a thread that is created, the stream.
    pub kind: u32,
    /// What the function returned.
    pub result: i32,
}

/// What a [`Record`] says.
pub mod what {
    /// The thread is about to enter a function.
    pub const CALLS: u16 = 1;
    /// It has come back from it (sync order only).
    pub const RETURNS: u16 = 2;
    /// It makes a futex call that sleeps.
    pub const SLEEPS: u16 = 3;
    /// It has come back from that.
    pub const WAKES: u16 = 4;
    /// It is about to create a thread.
    pub const CREATES: u16 = 5;
    /// It begins an image: nothing of what the process had before is there.
    pub const EXECUTES: u16 = 6;
}

/// The part of [`Control`] that is about this.
#[repr(C)]
pub struct Watch {
    /// Not 0: the replay is watched.
    pub on: AtomicU32,
    /// How many chunks were taken, or would have been.
    pub chunks: AtomicU64,
    /// The sequence number of the last record.
    pub sequence: AtomicU64,
}

impl Watch {
    /// Takes a chunk; `None` if there are no more.
    pub fn take_chunk(&self) -> Option<usize> {
        let chunk = self.chunks.fetch_add(1, Ordering::Relaxed) as usize;
        (chunk < CHUNKS).then_some(chunk)
    }

    /// The next sequence number.
    pub fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::AcqRel) + 1
    }
}

impl Control {
    /// Whether the session is a watched replay.
    pub fn is_watched(&self) -> bool {
        self.watch.on.load(Ordering::Relaxed) != 0
    }
}

impl Record {
    /// From its bytes in the memfd.
    pub fn from_bytes(bytes: &[u8; size_of::<Record>()]) -> Record {
        // SAFETY: any bytes are a valid record.
        unsafe { bytes.as_ptr().cast::<Record>().read_unaligned() }
    }
}

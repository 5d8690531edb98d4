//! What a replay that is *watched* tells beside: each call of libc's synchronisation functions, each sleep for a futex, and
//! if it is asked for, who accesses which memory ([`accesses`]).
//!
//! A watched replay's memfd is longer: behind the rings lie [`CHUNKS`] chunks of [`Record`]s. A thread takes a chunk for
//! itself, fills it from its beginning, and takes another. A record that was never written has a sequence number of 0.
//! Behind them lie the list of pages whose accesses are to be told, and that of the accesses whose stacks are.

use super::{Control, SESSION_SIZE};
use core::mem::size_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of a chunk.
pub const CHUNK: usize = 64 << 10;
/// Chunks that a session has room for.
pub const CHUNKS: usize = 1 << 16;
/// Pages whose accesses one replay can tell.
pub const PAGES: usize = 4096;
/// Where their addresses lie in the memfd, 8 bytes each, in ascending order.
pub const PAGE_LIST: usize = SESSION_SIZE + CHUNKS * CHUNK;
/// Accesses of which one replay can tell the stack.
pub const STACKS: usize = 256;
/// Where the list of them lies in the memfd, in ascending order: of each the stream, and how many accesses of it were told
/// before, 8 bytes each.
pub const STACK_LIST: usize = PAGE_LIST + PAGES * size_of::<u64>();
/// Size of the memfd of a session that is watched.
pub const WATCHED_SIZE: usize = STACK_LIST + STACKS * size_of::<[u64; 2]>();
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
    /// A mutex's kind, as glibc has it, or the word in which a read-write lock says who has it; of a thread that is created,
    /// the stream.
    pub kind: u32,
    /// What the function returned, or the futex call.
    pub result: i32,
    /// Where the top of the stack is, at a call or an access.
    pub stack: u64,
    /// The word that lies there, at an access.
    pub top: u64,
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
    /// More than one thread has used the page at `object`, and one of them has written to it.
    pub const SHARES: u16 = 7;
    /// It reads or writes memory: see [`super::Access`].
    pub const ACCESSES: u16 = 8;
    /// What lay at `object`, `mutex` bytes, is gone; what will lie there is something else.
    pub const FORGETS: u16 = 9;
    /// A part of the stack at the access, or hand-over, that is told next: see [`super::StackPart`].
    pub const STACK: u16 = 10;
    /// It is stopped between two instructions, at the `mutex`-th passage of the one at `object` since its last hook.
    pub const STOPS: u16 = 11;
    /// Its turn has ended here, before its event `event`.
    pub const HANDS_OVER: u16 = 12;
}

/// What is told of accesses to memory, in [`Watch::accesses`].
pub mod accesses {
    /// Nothing.
    pub const NONE: u32 = 0;
    /// The pages that more than one thread uses.
    pub const PAGES: u32 = 1;
    /// Each access to the pages of the list.
    pub const ALL: u32 = 2;
}

/// What a [`Record`] says that tells of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The lowest address, in the page whose protection showed it.
    pub address: u64,
    /// The instruction.
    pub instruction: u64,
    /// Its bytes; what cannot be read is zeros.
    pub code: [u8; 16],
    /// Where the top of the stack is.
    pub stack: u64,
    /// The word that lies there: in a function that has no frame yet, where it returns to.
    pub top: u64,
    /// It writes.
    pub writes: bool,
}

impl Access {
    /// Whether nobody else gets in between what it reads and what it writes: `xchg` with memory, and what has a `lock` prefix.
    pub fn is_atomic(&self) -> bool {
        const LOCK: u8 = 0xf0;
        /// Segments, sizes of operand and address, and `repne` and `rep`, which announce transactions to `lock`.
        const OTHERS: [u8; 10] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3];
        const REX: core::ops::RangeInclusive<u8> = 0x40..=0x4f;
        const XCHG: core::ops::RangeInclusive<u8> = 0x86..=0x87;
        let mut rest = self.code.iter().skip_while(|byte| OTHERS.contains(byte));
        match rest.next() {
            Some(byte) if REX.contains(byte) => rest.next().is_some_and(|byte| XCHG.contains(byte)),
            Some(byte) => *byte == LOCK || XCHG.contains(byte),
            None => false,
        }
    }

    /// As a record of the thread with this stream, which has taken so many events.
    pub fn to_record(self, stream: u32, event: u64) -> Record {
        let [first, second] =
            [0, 8].map(|at| u64::from_le_bytes(core::array::from_fn(|i| self.code[at + i])));
        Record {
            sequence: 0,
            time: first,
            event,
            object: self.address,
            mutex: second,
            caller: self.instruction,
            stream,
            what: what::ACCESSES,
            function: self.writes.into(),
            kind: 0,
            result: 0,
            stack: self.stack,
            top: self.top,
        }
    }

    /// From a record that says [`what::ACCESSES`].
    pub fn from_record(record: &Record) -> Access {
        let mut code = [0; 16];
        code[..8].copy_from_slice(&record.time.to_le_bytes());
        code[8..].copy_from_slice(&record.mutex.to_le_bytes());
        Access {
            address: record.object,
            instruction: record.caller,
            code,
            stack: record.stack,
            top: record.top,
            writes: record.function != 0,
        }
    }
}

/// A part of a stack: the first one has rip, rsp and rbp, those behind it what lies at rsp and above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackPart {
    /// Its place among them.
    pub number: u16,
    /// What it has.
    pub words: [u64; StackPart::WORDS],
}

impl StackPart {
    /// Words in a part.
    pub const WORDS: usize = 6;

    /// As a record of the thread with this stream.
    pub fn to_record(self, stream: u32) -> Record {
        let [time, event, object, mutex, caller, top] = self.words;
        let what = what::STACK;
        let function = self.number;
        Record { time, event, object, mutex, caller, top, stream, what, function, ..Record::default() }
    }

    /// From a record that says [`what::STACK`].
    pub fn from_record(record: &Record) -> StackPart {
        let Record { time, event, object, mutex, caller, top, function, .. } = *record;
        StackPart { number: function, words: [time, event, object, mutex, caller, top] }
    }
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
    /// One of [`accesses`].
    pub accesses: AtomicU32,
    /// Not 0: each hand-over is told, with the stack of the thread that had the right to run.
    pub hand_overs: AtomicU32,
    /// Pages in the list.
    pub pages: AtomicU32,
    /// Accesses in the list.
    pub stacks: AtomicU32,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_is_what_its_record_says() {
        let code = std::array::from_fn(|i| i as u8 + 1);
        let access = Access { address: 1, instruction: 2, code, stack: 3, top: 4, writes: true };
        let record = access.to_record(5, 6);
        assert_eq!((record.what, record.stream, record.event), (what::ACCESSES, 5, 6));
        assert_eq!(Access::from_record(&record), access);
    }

    #[test]
    fn a_part_of_a_stack_is_what_its_record_says() {
        let part = StackPart { number: 3, words: [1, 2, 3, 4, 5, 6] };
        let record = part.to_record(7);
        assert_eq!((record.what, record.stream), (what::STACK, 7));
        assert_eq!(StackPart::from_record(&record), part);
    }
}

//! What a debugger asks of a replay, and what it is told: the last part of [`super::Control`].
//!
//! The request is written before the program begins (`imitate replay-exec --request`), or while it stands still under
//! the debugger. Everything is a word of 8 bytes, so that the debugger, which reads and writes the program's memory, needs to
//! know nothing but offsets.

use core::sync::atomic::{AtomicU64, Ordering};

/// Watched places: as many as the processor has registers for.
pub const WATCHES: usize = 4;
/// Bytes of code at the program's place that are part of a state: more than the library changes there.
pub const STATE_CODE: u64 = 40;
/// Words that a state can have.
pub const STATE_WORDS: usize = 4096;
/// General registers, instruction pointer and flags, as in a signal frame of the kernel.
pub const REGISTERS: usize = 18;

/// Where the program is to stop, in [`Debugger::goal`].
pub mod goal {
    /// Nowhere.
    pub const NONE: u64 = 0;
    /// Where thread [`super::Debugger::stream`] is about to do what [`super::Debugger::event`] is, or as soon after as it is in
    /// its own code.
    pub const EVENT: u64 = 1;
    /// Where that thread, with that event next, is in the state [`super::Debugger::state`].
    pub const STATE: u64 = 2;
    /// At the hit [`super::Debugger::number`] of the watched places.
    pub const HIT: u64 = 3;
    /// At that hit, but which it is the debugger finds out meanwhile, in another replay: the program waits at a hit until
    /// [`super::Debugger::number`] is higher, or this is [`HIT`].
    pub const FOLLOW: u64 = 4;
}

/// What has come of it, in [`Debugger::answer`].
pub mod answer {
    /// It runs.
    pub const NONE: u64 = 0;
    /// The program stands still and is to stop at [`super::Debugger::resume`], where it goes on when it is released.
    pub const REACHED: u64 = 1;
    /// The same, but the thread has gone past the event without being in that state.
    pub const PASSED: u64 = 2;
}

/// What a watched place is watched for, in [`Watch::kind`].
pub mod watch {
    /// It is none.
    pub const NONE: u64 = 0;
    /// It is written.
    pub const WRITE: u64 = 1;
    /// It gets another value.
    pub const CHANGE: u64 = 2;
    /// It is executed.
    pub const EXECUTE: u64 = 3;
}

/// A place in memory.
#[repr(C)]
pub struct Watch {
    /// Where it begins.
    pub address: AtomicU64,
    /// Its bytes: 1, 2, 4 or 8.
    pub length: AtomicU64,
    /// A [`watch`].
    pub kind: AtomicU64,
    /// What the stack pointer must be for a hit to count; 0: anything.
    pub stack_pointer: AtomicU64,
    /// Which stream's thread must do it, plus one; 0: any.
    pub thread: AtomicU64,
}

/// A watched place was hit.
#[repr(C)]
pub struct Hit {
    /// Its number, from 1 on; 0: there was none.
    pub number: AtomicU64,
    /// Stream of the thread.
    pub stream: AtomicU64,
    /// Number of the event that was next.
    pub event: AtomicU64,
    /// Which place.
    pub watch: AtomicU64,
    /// The thread's registers behind the instruction (at it, if it was executed); zeros if it was the library, which did
    /// what the kernel had done.
    pub registers: [AtomicU64; REGISTERS],
}

/// What the library has changed in the program's code to find a recorded stop. The debugger takes it out while it steps
/// through that code.
#[repr(C)]
pub struct Change {
    /// Bytes, 0 if there is none.
    pub length: AtomicU64,
    /// Where.
    pub address: AtomicU64,
    /// The program's bytes, at most 8.
    pub original: AtomicU64,
    /// The library's.
    pub ours: AtomicU64,
    /// The thread's registers at the stop.
    pub registers: [AtomicU64; REGISTERS],
}

/// All of it.
#[repr(C)]
pub struct Debugger {
    /// A [`goal`].
    pub goal: AtomicU64,
    /// Which thread.
    pub stream: AtomicU64,
    /// Which of its events.
    pub event: AtomicU64,
    /// Which hit.
    pub number: AtomicU64,
    /// Stream of the first thread of the process whose places are watched.
    pub process: AtomicU64,
    /// What is counted from the start of the replay on.
    pub watches: [Watch; WATCHES],
    /// Words of `state`.
    pub state_length: AtomicU64,
    /// A state, as in the log (`preload/src/stop/snapshot.rs`).
    pub state: [AtomicU64; STATE_WORDS],
    /// A descriptor of the program's, plus one, to which a byte is written when it stands still.
    pub bell: AtomicU64,
    /// Not 0: a debugger has started this replay, and may have breakpoints anywhere once the program is at main.
    pub is_attached: AtomicU64,
    /// Not 0: outputs of the program are not written again.
    pub is_silent: AtomicU64,
    /// An [`answer`].
    pub answer: AtomicU64,
    /// Stream of the thread that stands still.
    pub at_stream: AtomicU64,
    /// Number of its next event.
    pub at_event: AtomicU64,
    /// Where in the program it goes on.
    pub resume: AtomicU64,
    /// Set by the debugger to let it go on; its low half is a futex.
    pub released: AtomicU64,
    /// Set by the debugger, which steps, and has put an undefined opcode at the place of a change that it has taken out: the state
    /// is to be compared there once, and the thread is to go on there in any case.
    pub compares: AtomicU64,
    /// Set by the debugger, which then sends the thread a SIGTRAP: its state is wanted in `state`.
    pub wants_state: AtomicU64,
    /// Where the program is when that is done.
    pub answered: AtomicU64,
    /// The kernel's error if places cannot be watched; else 0.
    pub error: AtomicU64,
    /// Hits so far.
    pub hits: AtomicU64,
    /// Places that were hit too often, and are not watched any more: a bit for each.
    pub exhausted: AtomicU64,
    /// The last hit, and the one before.
    pub last: [Hit; 2],
    /// What is other in the program's code.
    pub change: Change,
    /// Real id of a thread that has done its last event (`at_stream`, `at_event`) and lets the process die of a signal.
    pub dying: AtomicU64,
    /// Where a thread's state, which gs points to, has the address of the program's registers while one of our hooks runs.
    pub frame_offset: AtomicU64,
    /// Where the debugger sends a thread that passes the place of the change while that is out of the code.
    pub passage: AtomicU64,
}

/// Words of a request: everything up to the state.
pub const REQUEST_WORDS: usize = core::mem::offset_of!(Debugger, bell) / 8;

impl Debugger {
    /// The request, word by word.
    fn words(&self) -> &[AtomicU64; REQUEST_WORDS] {
        // SAFETY: the structure begins with so many words, all of them atomic, and is `repr(C)`.
        unsafe { &*(&raw const *self).cast() }
    }

    /// Takes over a request: little-endian words in the order of the fields, as many as there are. False if that is
    /// none.
    pub fn adopt(&self, request: &[u8]) -> bool {
        let (words, rest) = request.as_chunks::<8>();
        if !rest.is_empty() || words.len() > REQUEST_WORDS {
            return false;
        }
        for (to, from) in self.words().iter().zip(words) {
            to.store(u64::from_le_bytes(*from), Ordering::Relaxed);
        }
        true
    }
}

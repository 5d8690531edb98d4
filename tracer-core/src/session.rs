//! The shared memory that the processes of one recording and their companion agree on.
//!
//! It is one memfd: a [`Control`] page range, then [`SLOTS`] rings of [`RING_SIZE`] bytes, and what [`watch`] has. Every process
//! inherits the descriptor (it survives fork and exec, and needs no path, so a child that has changed root,
//! user or namespace still reaches it). A stream uses one slot for as long as its thread lives. The file is
//! sparse: a slot costs memory only for the pages that were touched, and the companion punches them out again, but
//! for the first few.
//!
//! Beside it the processes inherit one end of a `SOCK_SEQPACKET` socket. It carries [`FileMessage`]s with a
//! descriptor to the writer, and its end-of-file tells the companion, whatever killed them, that the last
//! process has gone.

pub mod debugger;
pub mod functions;
mod published;
pub mod schedule;
mod searches;
pub mod watch;

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::processor::SharedHidden;
pub use published::Published;
pub use searches::{Searched, Searches, code_key, file_key};

/// Where the [`Control`] is in every program.
pub const CONTROL_ADDRESS: usize = 0x3a00_0000_0000;
/// Identifies a [`Control`].
pub const MAGIC: u64 = u64::from_le_bytes(*b"imitate2");
/// Streams that can be alive at once.
pub const SLOTS: usize = 4096;
/// Slots beyond the number of streams that are looked at all the same: not everybody counts a stream first.
const MARGIN: usize = 64;
/// Bytes of one ring: a power of two and a multiple of the page size.
pub const RING_SIZE: usize = 1 << 20;
/// Bytes that [`Control`] takes in the memfd; rings start here.
pub const CONTROL_SIZE: usize = 2 << 20;
/// Size of the whole (sparse) memfd.
pub const SESSION_SIZE: usize = CONTROL_SIZE + SLOTS * RING_SIZE;

/// Offset of a slot's ring in the memfd.
pub const fn ring_offset(slot: usize) -> usize {
    CONTROL_SIZE + slot * RING_SIZE
}

/// What the processes do.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Streams flow from the program to the writer.
    Record = 1,
    /// Streams flow from the feeder to the program.
    Replay = 2,
}

/// What makes the interleaving of threads repeatable.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Of the threads that share memory one runs at a time: complete, data races included.
    #[default]
    Serial = 0,
    /// Threads run in parallel, in recording and in replay; the order of system calls and of operations on
    /// synchronisation objects is kept.
    Sync = 1,
}

impl Order {
    /// All of them.
    pub const ALL: [Order; 2] = [Order::Serial, Order::Sync];

    /// As it is called in options and manifests.
    pub fn name(self) -> &'static str {
        match self {
            Order::Serial => "serial",
            Order::Sync => "sync",
        }
    }

    /// The order of that name.
    pub fn from_name(name: &str) -> Option<Order> {
        Order::ALL.into_iter().find(|order| order.name() == name)
    }
}

/// The life of a slot, in [`Slot::state`].
///
/// Free -> Reserved (by a parent about to create a thread or process, or by the companion for stream 0)
/// -> Live (its owner has mapped the ring) -> Finished (the owner will not touch it again) -> Free (the
/// companion has taken or given everything). Divergence is the replay's other end.
pub mod slot_state {
    /// Nobody's.
    pub const FREE: u32 = 0;
    /// Given a stream number, owner not yet running. In replay the feeder starts filling now.
    pub const RESERVED: u32 = 1;
    /// In use.
    pub const LIVE: u32 = 2;
    /// The owner has ended in an orderly way.
    pub const FINISHED: u32 = 3;
    /// Replay: the owner asked for something else than its next event; [`super::Report`] says what. It waits
    /// to be killed.
    pub const DIVERGED: u32 = 4;
    /// Taken from FREE by one that will name the stream and make it RESERVED; the companion leaves it alone.
    pub const TAKING: u32 = 6;
    /// Record: the owner is one of the other threads of a process that is executing a program. It ends if that
    /// succeeds, and then the new image says so ([`super::Slot::ending`]); else it goes on. Until then the
    /// companion treats it as live.
    pub const ENDING: u32 = 7;
    /// Record: the owner's process ends, and its threads with it, wherever they are. Until it is gone the companion treats
    /// the slot as live, since threads that run in parallel log meanwhile; then the stream is complete.
    pub const LEAVING: u32 = 8;
    /// Replay: the stream has ended although the thread has not (the recording was cut short there).
    pub const STARVED: u32 = 5;
}

/// A cache line of its own, so that producer and consumer do not share one.
#[repr(C, align(64))]
#[derive(Default)]
pub struct Line<T>(pub T);

/// One stream's place.
#[repr(C, align(64))]
pub struct Slot {
    /// See [`slot_state`].
    pub state: AtomicU32,
    /// Stream number, valid unless free.
    pub stream: AtomicU32,
    /// The owner's real process id, as its own namespace has it; 0 until known.
    pub process: AtomicU32,
    /// The owner's real thread id; 0 until known.
    pub thread: AtomicU32,
    /// Replay, set by the feeder: no byte will be produced after [`Slot::head`].
    pub at_end: AtomicU32,
    /// Replay: the real process id of an owner that ended where its recording executed a program that could
    /// not be recorded.
    pub unrecorded: AtomicU32,
    /// Record: how many slots of the owner's process were made [`slot_state::ENDING`] for the exec that it is
    /// making.
    pub ending: AtomicU32,
    /// Replay: the real process id of an owner that was ended because its stream has no more events: something
    /// from outside had killed the recorded one.
    pub cut_short: AtomicU32,
    /// Bytes ever produced. Written by the producer only.
    pub head: Line<AtomicU64>,
    /// Bytes ever consumed. Written by the consumer only.
    pub tail: Line<AtomicU64>,
    /// Futex: the program's side sleeps here when its ring is full (record) or empty (replay). The companion
    /// adds one and wakes after it has made room or data *if* `program_waits` is set.
    pub program_wake: Line<AtomicU32>,
    /// The program's side is about to sleep on `program_wake`.
    pub program_waits: AtomicU32,
    /// Record: the writer's answer to a [`file_use::SEALED`] of the owner's: a [`seal`].
    pub seal: AtomicU32,
    /// Record: if there is one, the value that its entry in [`Control::seals`] has for as long as it holds.
    pub seal_value: AtomicU32,
    /// Record: 1 if the owner's process has begun to have threads that run in parallel; whoever has looked at it clears it.
    pub parallel: AtomicU32,
    /// Replay: number of the event that was next when the owner's last one had been done.
    pub position: AtomicU64,
    /// Record with a list of hand-overs: the owner's lineage ([`schedule`]).
    pub lineage: AtomicU64,
    /// The same: when it had its last turn, as [`schedule::Schedule::turns`] counts; 0 for never.
    pub ran: AtomicU64,
    /// The same: not 0: somebody waits for an answer.
    pub question: AtomicU32,
    /// The same: futex: a [`schedule::answer`].
    pub answer: AtomicU32,
}

/// Answers in [`Slot::seal`].
pub mod seal {
    /// There is none yet. The program sets this before it asks.
    pub const PENDING: u32 = 0;
    /// The file cannot be sealed.
    pub const REFUSED: u32 = 1;
    /// The file is sealed, and this plus its place in [`super::Control::seals`] is the answer.
    pub const FIRST: u32 = 2;
}

/// Who has the right to run, among threads of which one runs at a time: those of a process, or those of all
/// processes that share memory. A *tenure* is a stretch in which one thread has that right.
#[repr(C, align(64))]
pub struct Domain {
    /// Record: futex: 0 = free, else the real id of the thread that has it, with the highest bit if threads sleep here.
    pub lock: AtomicU32,
    /// Record: threads that wait for the lock. Replay: threads that sleep until their turn.
    pub waiting: AtomicU32,
    /// Record: not 0: the holder is to hand over at its next safepoint.
    pub wanted: AtomicU32,
    /// Record: real process id of the holder, 0 if it must not be interrupted. Replay: its process id and its slot.
    pub holder: [AtomicU32; 2],
    /// Record: threads that are about to interrupt the holder.
    pub interrupting: AtomicU32,
    /// Replay: futex that changes with `tenures`.
    pub bell: AtomicU32,
    /// Record: tenures begun, which is the number of the next. Replay: tenures ended, which is the number of the
    /// one that runs or may begin.
    pub tenures: AtomicU64,
    /// Record: stream of the thread whose tenure is or was the last, plus one.
    pub last: AtomicU64,
    /// Record with chaos: who waits, a bit for each slot.
    pub waiters: [AtomicU64; SLOTS / 64],
    /// Record with chaos: the slot, plus one, of the thread that is to get the lock next; 0 = any.
    pub preferred: AtomicU32,
    /// Record: how long, in milliseconds, a holder that reaches no safepoint is left alone: many times what stopping
    /// it cost the last time.
    pub patience: AtomicU32,
    /// Record with chaos: how the last turn ended, as [`crate::event::turn::ended`] has it.
    pub ended: AtomicU32,
    /// Record with a list of hand-overs: which of them, plus one, `preferred` comes from; 0 for none.
    pub hand_over: AtomicU32,
}

impl Domain {
    /// A domain without a thread.
    pub const fn new() -> Domain {
        Domain {
            lock: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            wanted: AtomicU32::new(0),
            holder: [const { AtomicU32::new(0) }; 2],
            interrupting: AtomicU32::new(0),
            bell: AtomicU32::new(0),
            tenures: AtomicU64::new(0),
            last: AtomicU64::new(0),
            waiters: [const { AtomicU64::new(0) }; SLOTS / 64],
            preferred: AtomicU32::new(0),
            patience: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            hand_over: AtomicU32::new(0),
        }
    }
}

impl Default for Domain {
    fn default() -> Domain {
        Domain::new()
    }
}

/// Files that can be sealed at once.
pub const SEALS: usize = 256;
/// Files that several processes can have mapped at once.
pub const SHARED_FILES: usize = 2048;

/// A file, or System V segment, that several processes may have mapped.
#[repr(C)]
pub struct SharedFile {
    /// Its number among all files that are mapped in this recording, 0 if the entry is free.
    pub number: AtomicU64,
    /// Record: what it is: device and inode, or an impossible device and the segment's id.
    pub identity: [AtomicU64; 2],
    /// Record: how many processes have it mapped.
    pub users: AtomicU32,
    /// Replay: the companion's descriptor of what stands in for it, plus one. A futex.
    pub descriptor: AtomicU32,
}

/// Fixed header of the session's memory.
#[repr(C)]
pub struct Control {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// A [`Mode`].
    pub mode: AtomicU32,
    /// Real process id of the companion; 0 when it has ended.
    pub companion: AtomicU32,
    /// Futex: the companion sleeps here; programs add one and wake when a ring is a quarter full (record), a
    /// ring is empty (replay), or a slot changes its state.
    pub companion_wake: Line<AtomicU32>,
    /// The companion is about to sleep on `companion_wake`.
    pub companion_waits: AtomicU32,
    /// Record: futex: 1 as soon as the trace is open, before which the program must not have its first instruction.
    pub trace_is_open: AtomicU32,
    /// Not 0: nothing more is logged (disk full, writer gone...). The program goes on unrecorded.
    pub stopped: AtomicU32,
    /// The number of streams that there have been, and so, in recording, the one that the next stream gets (0 is the
    /// first process's first thread).
    pub next_stream: AtomicU32,
    /// Record: the number that the next referenced file gets.
    pub next_file: AtomicU32,
    /// Record: the number, less one, of the next file that is mapped and followed.
    pub next_mapped: AtomicU32,
    /// Record: entries of `shared_files` that are in use.
    pub shared_file_count: AtomicU32,
    /// Processes of the recording that are alive (orderly bookkeeping; the socket is the truth).
    pub live_processes: AtomicU32,
    /// A [`check level`](check_level).
    pub check: AtomicU32,
    /// An [`Order`].
    pub order: AtomicU32,
    /// Record: futex: how many processes have begun to have threads that run in parallel ([`Slot::parallel`]).
    pub parallel: AtomicU32,
    /// Seed of the decisions who runs next, which are made to provoke failures while recording; 0 = threads are treated
    /// fairly. Replay only needs to know whether there is one.
    pub chaos: AtomicU64,
    /// Record: the ticket that the next output to stdout or stderr takes. Replay: the ticket whose turn it is;
    /// also a futex (its low 32 bits).
    pub output_ticket: Line<AtomicU64>,
    /// Real process ids that hold the right to write to stdout (0) and stderr (1); 0 = nobody. Futexes.
    pub output_lock: [Line<AtomicU32>; 2],
    /// The right to run among all processes that share memory.
    pub shared: Domain,
    /// Record: what the recording's stdout (0) and stderr (1) are, as two words each that tell them from everything
    /// else; zeroes if nothing can. The library fills them in and compares them.
    pub output_identity: [[AtomicU64; 2]; 2],
    /// First come, first served: 0 = free, 1 = being filled, 2 = complete.
    pub report_state: AtomicU32,
    /// Why a replay stopped, for the companion to print.
    pub report: core::cell::UnsafeCell<Report>,
    /// Files that several processes may have mapped.
    pub shared_files: [SharedFile; SHARED_FILES],
    /// The features of the processor that programs are not told of.
    pub hidden: SharedHidden,
    /// Record: not 0: no program begins that could see them all the same.
    pub hides_strictly: AtomicU32,
    /// What the processor says about the state that it saves.
    pub processor: Published<66>,
    /// What was found in the code of the files that are mapped.
    pub searches: Searches,
    /// Replay: what is told beside it.
    pub watch: watch::Watch,
    /// Record: a number for each sealed file, which the writer changes *before* anybody can change the file: what was
    /// read before the number was seen to be the same is what the trace refers to.
    pub seals: [AtomicU32; SEALS],
    /// Record: the hand-overs that are to be made, if there is a list of them.
    pub schedule: schedule::Schedule,
    /// Replay: what a debugger asks for.
    pub debugger: debugger::Debugger,
    /// The streams.
    pub slots: [Slot; SLOTS],
}

const _: () = assert!(size_of::<Control>() <= CONTROL_SIZE);

impl Control {
    /// The slots that may be in use: the lowest free one is always taken, by a stream that was counted before.
    pub fn used_slots(&self) -> &[Slot] {
        let streams = self.next_stream.load(Ordering::Acquire) as usize;
        &self.slots[..streams.saturating_add(MARGIN).min(SLOTS)]
    }
}

/// How much replay verifies, in [`Control::check`].
pub mod check_level {
    /// Registers, inputs and stack top.
    pub const CHEAP: u32 = 0;
    /// Also all writable memory, periodically.
    pub const FULL: u32 = 1;
}

/// A divergence, as the replaying thread saw it. The companion adds a backtrace and prints it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Report {
    /// Stream of the thread.
    pub stream: u32,
    /// Real process and thread id, for reading its memory.
    pub process: u32,
    /// Real thread id.
    pub thread: u32,
    /// Bytes of `text`.
    pub text_length: u32,
    /// Number of the event in its stream (0 = first).
    pub event: u64,
    /// rax, rdi, rsi, rdx, r10, r8, r9, rbx, rbp, r12, r13, r14, r15, rsp, rip, rflags at the safepoint.
    pub registers: [u64; 16],
    /// What was expected and what happened: UTF-8, one fact a line.
    pub text: [u8; 4096],
}

/// What accompanies a descriptor on the session's socket: "this is file `file`, keep it".
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMessage {
    /// The file's number in this recording, from [`Control::next_file`].
    pub file: u64,
    /// Slot of the thread that met it.
    pub slot: u64,
    /// Its identity then: device, inode, size, modification time in nanoseconds since 1970.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified: u64,
    /// A [`file_use`].
    pub mapped: u64,
}

/// What a program does with a file, in [`FileMessage::mapped`].
pub mod file_use {
    /// Events are to refer to what it holds, if the writer can make certain that it does not change meanwhile. The
    /// program waits for the answer.
    pub const SEALED: u64 = 0;
    /// It is executed, or belongs to the installed system: events refer to it.
    pub const MAPPED: u64 = 1;
    /// It was mapped shared: who else has it?
    pub const SHARED: u64 = 2;
}

/// Environment variables between the launcher and the library. All have the same length in both modes, because
/// the environment block decides where the stack begins.
pub mod environment {
    use core::ffi::CStr;

    /// `record`, `replay` or `off`. (The first two have six letters on purpose.)
    pub const MODE: &str = "IMITATE_MODE";
    /// Set by the launcher: `MMMM,SSSS,IIII`: memfd, socket and slot as four hexadecimal digits each.
    pub const SESSION: &str = "IMITATE_SESSION";
    /// Set by the library for the images that recorded processes execute: which descriptors are the
    /// recording's stdout and stderr, as two bit sets of sixteen hexadecimal digits.
    pub const OUTPUTS: &str = "IMITATE_OUTPUTS";
    /// Makes the variables that are taken out of the program's sight an even number of words: the auxiliary vector, which has
    /// entries of two words, is looked for behind the environment.
    pub const PADDING: &CStr = c"IMITATE_PADDING=";
    /// Set by the user: where the trace goes or comes from when the library is used without the tool.
    pub const TRACE: &str = "IMITATE_TRACE";
    /// Set by the user: the seed for [`super::Control::chaos`] when the library is used without the tool.
    pub const CHAOS: &str = "IMITATE_CHAOS";
    /// Set by the user: the name of the [`super::Order`] when the library is used without the tool.
    pub const ORDER: &str = "IMITATE_ORDER";
}

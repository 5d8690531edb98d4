//! One logged thing, as bytes.
//!
//! An event is a [`Header`] and a body of `header.length` bytes, always a multiple of 8. The same bytes go
//! through the ring and, compressed in chunks, to disk. All numbers are little-endian.
//!
//! | kind | body |
//! | --- | --- |
//! | [`Kind::Start`] | items: the process image as it was when the library took control |
//! | [`Kind::Call`] | `result: i64`, `arguments: [u64; header.flags & 7]`, then items |
//! | [`Kind::Entry`] | as `Call`, logged *before* a call that may not come back (`result` is 0) |
//! | [`Kind::Clock`] | `result: i64`, `seconds: i64`, `nanos_or_micros: i64` (a vDSO time function) |
//! | [`Kind::Instruction`] | `rax, rbx, rcx, rdx: u64` after a trapped instruction |
//! | [`Kind::Signal`] | items: one `Output` whose data is the 128-byte `siginfo_t`; a `State` if it came between two instructions |
//! | [`Kind::Check`] | `registers: u64`, `memory: u64`, `calls: u64` (state hashes; 0 = not taken) |
//! | [`Kind::Turn`] | `turn: u64` (this thread got the right to run; the domain's count of hand-overs), `spins: u64` (spin safepoints since its last turn) |
//! | [`Kind::Note`] | items: one `Text`, a message for the reader of the trace |
//! | [`Kind::Operation`] | `object: u64` (its address), `place: u64` (its place among the object's operations), `passes: u64` (operations of this thread before it), `result: i32`, `slept: u32` (microseconds in the kernel, rounded up); `number` is an [`Operation`] |
//! | [`Kind::Stop`] | items: one `State`: the thread was stopped between two instructions, to let others run |
//!
//! An item is an [`ItemHeader`] followed by `length` bytes, padded with zeros to a multiple of 8.

/// What kind of event a [`Header`] introduces. Zero is never valid, so that zeroed memory is not an event.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process image has begun: after the first exec, and after each later one.
    Start = 1,
    /// A system call came back.
    Call = 2,
    /// A system call that may not come back (exit, exec, a deadly signal) is about to be made.
    Entry = 3,
    /// A vDSO time function was called; `number` is the system call that it stands for.
    Clock = 4,
    /// `rdtsc`, `rdtscp` or `cpuid`; `number` is an [`Instruction`].
    Instruction = 5,
    /// A signal handler is about to run; `number` is the signal.
    Signal = 6,
    /// A hash of the thread's state, to prove that a replay is identical.
    Check = 7,
    /// The thread was given the right to run in its order domain.
    Turn = 8,
    /// A message about the recording itself.
    Note = 9,
    /// The thread was stopped between two instructions to let others run; `number` is 1 if the instruction, a
    /// `pause`, is a safepoint from here on.
    Stop = 10,
    /// An operation on a synchronisation object whose outcome depends on other threads, in sync order; `number` is an
    /// [`Operation`].
    Operation = 11,
}

impl Kind {
    /// The kind for a stored byte, `None` if no version wrote such a byte.
    pub fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Start,
            2 => Kind::Call,
            3 => Kind::Entry,
            4 => Kind::Clock,
            5 => Kind::Instruction,
            6 => Kind::Signal,
            7 => Kind::Check,
            8 => Kind::Turn,
            9 => Kind::Note,
            10 => Kind::Stop,
            11 => Kind::Operation,
            _ => return None,
        })
    }
}

/// The instructions that are trapped because their result is not a function of the program's state.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Time-stamp counter in edx:eax.
    Rdtsc = 1,
    /// As `Rdtsc`, and the processor number in ecx.
    Rdtscp = 2,
    /// Processor identification in eax, ebx, ecx, edx.
    Cpuid = 3,
}

/// The first 8 bytes of every event.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// A [`Kind`].
    pub kind: u8,
    /// Kind-specific; for `Call` and `Entry` the low three bits count the arguments, see [`flags`].
    pub flags: u8,
    /// Kind-specific: system-call number, signal number, [`Instruction`].
    pub number: u16,
    /// Bytes of the body that follows, a multiple of 8.
    pub length: u32,
}

/// Bits of [`Header::flags`] in `Call` and `Entry` events.
pub mod flags {
    /// How many arguments follow the result (0 to 6).
    pub const ARGUMENTS: u8 = 0b111;
    /// The call wrote to what was the recording's stdout: replay writes it again.
    pub const STDOUT: u8 = 0x08;
    /// The same for stderr.
    pub const STDERR: u8 = 0x10;
    /// A signal interrupted the call and it will be made again when the handler returns (SA_RESTART).
    pub const RESTART: u8 = 0x20;
    /// `Entry` of an exec whose new image cannot be recorded: the stream ends here on purpose. `STDOUT` or `STDERR` is set
    /// too if the image could write there.
    pub const UNRECORDED: u8 = 0x40;
    /// The system call is not supported: it was not made, and ENOSYS (or the like) was given back.
    pub const REFUSED: u8 = 0x80;
}

/// Bits of [`Header::flags`] in `Turn` events.
pub mod turn {
    /// The right to run is that of the processes that share memory, not that of this process alone.
    pub const SHARED: u8 = 1;
    /// The turn before ended at a spin safepoint (a `pause`), which is no event.
    pub const SPIN: u8 = 2;
    /// In sync order: the number is that of a section, and the section continues a call that slept.
    pub const SLEPT: u8 = 4;
    /// In sync order: the number is that of a section.
    pub const SECTION: u8 = 8;
    /// In recordings with chaos a turn's number says how the one before it ended: in its upper bits a
    /// [`place`](crate::session::schedule::place), below as many bits as these how many spin safepoints the thread had passed in
    /// it. As many as fit, or more, are all ones.
    pub const SPIN_BITS: u32 = 13;

    /// Such a number.
    pub fn ended(place: u32, spins: u64) -> u16 {
        (place << SPIN_BITS) as u16 | spins.min((1 << SPIN_BITS) - 1) as u16
    }

    /// The place in such a number, 0 if there is none, and the spin safepoints, if they are known.
    pub fn how_it_ended(number: u16) -> (u32, Option<u64>) {
        let most = (1 << SPIN_BITS) - 1;
        let spins = u64::from(number) & most;
        (u32::from(number >> SPIN_BITS), (spins < most).then_some(spins))
    }
}

/// Bits of [`Header::flags`] in `Operation` events.
pub mod operation {
    /// The object was not taken: the result is all that there is.
    pub const REFUSED: u8 = 1;
    /// Memory is only read: others may read it too, and the place is that of the last operation that must come before.
    pub const READS: u8 = 2;
    /// Several threads may have read the memory since it was written: all of that comes before.
    pub const SHARED: u8 = 4;
    /// The thread was cancelled while it waited, and acts on it now.
    pub const CANCELLED: u8 = 8;
    /// Bits of the place. Those above have the stream, plus one, of the thread whose operation on the object comes before, 0 if
    /// there is none.
    pub const PLACE_BITS: u32 = 40;
}

/// What a thread does to an object, as an `Operation` event's number says.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A mutex is locked.
    Mutex = 1,
    /// A condition variable's mutex is locked again.
    Wait = 2,
    /// Threads that wait for a condition variable are woken.
    Wake = 3,
    /// A read-write lock is taken, for reading or writing.
    ReadWrite = 4,
    /// A spin lock is taken.
    Spin = 5,
    /// A semaphore is decremented.
    Take = 6,
    /// A semaphore is incremented.
    Give = 7,
    /// A thread comes to a barrier.
    Arrive = 8,
    /// A thread leaves a barrier.
    Leave = 9,
    /// The thread runs the function of a pthread_once_t.
    Once = 10,
    /// The thread initialises a static variable of a function (the C++ ABI's guards).
    Guard = 11,
    /// A thread is joined.
    Join = 12,
    /// A lock of the recorder's own: around the allocator, the list of stacks, or what functions of libc share.
    Internal = 13,
    /// The lock of one of libc's streams (a `FILE`) is taken.
    Stream = 14,
    /// Memory is read or written, by a program that was rebuilt so that this is seen; the object is 64 bytes of it.
    Access = 15,
}

impl Operation {
    /// All of them, by number from 1 on.
    pub const ALL: [Operation; 15] = [
        Operation::Mutex,
        Operation::Wait,
        Operation::Wake,
        Operation::ReadWrite,
        Operation::Spin,
        Operation::Take,
        Operation::Give,
        Operation::Arrive,
        Operation::Leave,
        Operation::Once,
        Operation::Guard,
        Operation::Join,
        Operation::Internal,
        Operation::Stream,
        Operation::Access,
    ];

    /// The operation for a stored number, `None` if no version wrote such a number.
    pub fn from_number(number: u16) -> Option<Operation> {
        Operation::ALL.get((number as usize).wrapping_sub(1)).copied()
    }

    /// What it is called in text: the function that is most often behind it.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Mutex => "mutex_lock",
            Operation::Wait => "cond_wait",
            Operation::Wake => "cond_wake",
            Operation::ReadWrite => "rwlock_lock",
            Operation::Spin => "spin_lock",
            Operation::Take => "sem_wait",
            Operation::Give => "sem_post",
            Operation::Arrive => "barrier_arrive",
            Operation::Leave => "barrier_leave",
            Operation::Once => "once",
            Operation::Guard => "guard_acquire",
            Operation::Join => "join",
            Operation::Internal => "internal_lock",
            Operation::Stream => "flockfile",
            Operation::Access => "access",
        }
    }
}

impl Header {
    /// Size in bytes.
    pub const SIZE: usize = 8;

    /// The header as it is stored.
    #[inline(always)]
    pub fn to_bytes(self) -> [u8; 8] {
        let number = u64::from(self.number) << 16 | u64::from(self.length) << 32;
        (u64::from(self.kind) | u64::from(self.flags) << 8 | number).to_le_bytes()
    }

    /// The header stored in `bytes`; nothing is checked here.
    #[inline]
    pub fn from_bytes(bytes: [u8; 8]) -> Header {
        Header {
            kind: bytes[0],
            flags: bytes[1],
            number: u16::from_le_bytes([bytes[2], bytes[3]]),
            length: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        }
    }
}

/// What an item says. The comments name `value` and the data.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// The kernel wrote: `value` = address, data = the bytes. Replay writes them there again.
    Output = 1,
    /// The kernel wrote bytes of a file that the trace keeps by reference: `value` = address, data =
    /// [`FileRange`]. The feeder turns it into an `Output` before replay sees it.
    OutputFile = 2,
    /// A string that the call read (a path): `argument` = which, `value` = address, data = the bytes
    /// without the NUL. Replay compares.
    Text = 3,
    /// Other memory that the call read, more than [`InputSummary::PREFIX`] bytes: `value` = address, data = [`InputSummary`] then
    /// the first bytes. Replay compares the hash.
    Input = 4,
    /// `value` = the stream of the process or thread that this call created.
    Stream = 5,
    /// A file was mapped: `value` = file id, data = [`FileRange`]. The feeder turns it into `MapPath`. In `Start`, and
    /// in the `Entry` of an exec, the file is the program that is executed.
    MapFile = 6,
    /// Replay only: `value` = offset, data = the path of a file to map, without NUL.
    MapPath = 7,
    /// `value` = place of this output among all outputs of the recording.
    Ticket = 8,
    /// In `Start`: data = path of the executable.
    Executable = 9,
    /// In `Start`: data = arguments, each ended by NUL.
    Arguments = 10,
    /// In `Start`: data = environment as the program sees it, each string ended by NUL.
    Environment = 11,
    /// In `Start`: data = /proc/self/maps when the library took control.
    Maps = 12,
    /// In `Start`: data = auxiliary vector, pairs of u64.
    AuxiliaryVector = 13,
    /// In `Start`: data = current directory.
    Directory = 14,
    /// In `Start`: data = [`ImageIdentity`].
    Identity = 15,
    /// A file that the program sees through a mapping was mapped or changed: `value` = its number among those
    /// that the process has mapped, data = [`FileChange`].
    FileChange = 16,
    /// More of the file in the `FileChange` before it: `value` = offset in the file, data = what is there now.
    FileBytes = 17,
    /// The thread was stopped between two instructions: `value` = the address of the second, data = numbers of 8 bytes, the
    /// program's state there (the recorder's `stop::snapshot` has the layout). Replay stops the thread there
    /// when the state is this.
    State = 18,
    /// The kernel moved these bytes to one of the recording's outputs without passing them through the program's
    /// memory: data = the bytes, which replay writes there again.
    Moved = 19,
    /// The call slept: `value` = for how many nanoseconds, by a clock that counts the kernel's ticks (1 to 10 ms, see
    /// CLOCK_MONOTONIC_COARSE in clock_gettime(2)). What takes less than a tick says so by chance, as often as it takes part
    /// of one: sums over many calls are right.
    Slept = 20,
    /// Other memory that the call read, of at most [`InputSummary::PREFIX`] bytes: `value` = address, data = the bytes. Replay compares.
    ShortInput = 21,
}

impl Tag {
    /// The tag for a stored byte, `None` if no version wrote such a byte.
    pub fn from_byte(byte: u8) -> Option<Tag> {
        use Tag::*;
        const ALL: [Tag; 21] = [
            Output,
            OutputFile,
            Text,
            Input,
            Stream,
            MapFile,
            MapPath,
            Ticket,
            Executable,
            Arguments,
            Environment,
            Maps,
            AuxiliaryVector,
            Directory,
            Identity,
            FileChange,
            FileBytes,
            State,
            Moved,
            Slept,
            ShortInput,
        ];
        ALL.get((byte as usize).wrapping_sub(1)).copied()
    }
}

/// The first 16 bytes of every item.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemHeader {
    /// A [`Tag`].
    pub tag: u8,
    /// Which argument of the call this belongs to, 0 if it does not matter.
    pub argument: u8,
    /// Always zero.
    pub reserved: u16,
    /// Bytes of data that follow (before padding to 8).
    pub length: u32,
    /// See [`Tag`].
    pub value: u64,
}

impl ItemHeader {
    /// Size in bytes.
    pub const SIZE: usize = 16;

    /// The header as it is stored.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[0] = self.tag;
        bytes[1] = self.argument;
        bytes[2..4].copy_from_slice(&self.reserved.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.value.to_le_bytes());
        bytes
    }

    /// The header stored in `bytes`; nothing is checked here.
    pub fn from_bytes(bytes: [u8; 16]) -> ItemHeader {
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| bytes[at + i]));
        let low = word(0);
        ItemHeader {
            tag: low as u8,
            argument: (low >> 8) as u8,
            reserved: (low >> 16) as u16,
            length: (low >> 32) as u32,
            value: word(8),
        }
    }

    /// Bytes that this item takes in the body: header, data, padding.
    pub fn stored_size(&self) -> usize {
        Self::SIZE + padded(self.length as usize)
    }
}

/// `length` rounded up to a multiple of 8.
pub const fn padded(length: usize) -> usize {
    (length + 7) & !7
}

/// Data of [`Tag::OutputFile`] and [`Tag::MapFile`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRange {
    /// The file's number in this recording (see [`crate::session::FileMessage`]).
    pub file: u64,
    /// Byte offset in the file.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

impl FileRange {
    /// The range as it is stored.
    pub fn to_bytes(self) -> [u8; size_of::<FileRange>()] {
        // SAFETY: three u64, without padding.
        unsafe { core::mem::transmute(self) }
    }
}

/// Data of [`Tag::FileChange`]: the file's size after the call, and what in it was replaced.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Size of the file in bytes.
    pub size: u64,
    /// Byte offset of what was replaced.
    pub offset: u64,
    /// Bytes that were replaced: 0 if only the size changed, or if [`Tag::FileBytes`] items say the rest.
    pub length: u64,
    /// Where in the program's memory the new bytes are, 0 if they are zeros.
    pub source: u64,
}

/// The start of the data of [`Tag::Input`]; up to [`InputSummary::PREFIX`] first bytes of the memory follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputSummary {
    /// Bytes that the call read there.
    pub length: u64,
    /// XXH3-64 of them.
    pub hash: u64,
}

impl InputSummary {
    /// How many first bytes are kept, for printing (as strace does).
    pub const PREFIX: usize = 32;
}

/// Data of [`Tag::Identity`]: what the kernel calls this process and thread.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageIdentity {
    /// Process id as the program sees it.
    pub process: u32,
    /// Thread id as the program sees it.
    pub thread: u32,
    /// Parent's process id.
    pub parent: u32,
    /// Stream number.
    pub stream: u32,
    /// Soft and hard RLIMIT_STACK: they decide where the kernel starts mappings.
    pub stack_limit: [u64; 2],
    /// Signals that were ignored when the image began, bit `n - 1` for signal `n`.
    pub ignored_signals: u64,
    /// Signals that were blocked when the image began.
    pub blocked_signals: u64,
    /// The 16 random bytes that the kernel gave the image (AT_RANDOM): stack canary and pointer guard.
    pub random: [u64; 2],
}

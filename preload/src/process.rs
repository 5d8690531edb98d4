//! What the library knows about the process it is in.

use crate::arena;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tracer_core::session::{Control, Mode, Slot};

/// State shared by the process's threads. Written at start; later only by the thread that runs.
pub struct Process {
    /// What we do.
    pub mode: Mode,
    /// Descriptor of the session's memory.
    pub memory: i32,
    /// Descriptor of our end of the session's socket.
    pub socket: i32,
    /// The process id that the program sees (in replay: the recorded one).
    pub id: u32,
    /// The real one.
    pub real_id: u32,
    /// What the program wants done on each signal.
    pub actions: [crate::signals::Action; 65],
    /// Which descriptors are the recording's stdout and stderr.
    pub outputs: crate::output::Outputs,
    /// Files kept by reference.
    pub files: crate::files::Files,
    /// Replay: children that are really running.
    pub children: alloc::vec::Vec<Child>,
    /// `syscall` sites that were rewritten or cannot be.
    pub sites: crate::sites::Sites,
    /// Our library's path as LD_PRELOAD had it, for children.
    pub library: alloc::vec::Vec<u8>,
    /// Threads of this process that are alive.
    pub threads: u32,
    /// Indices of thread areas that can be used again.
    pub free_areas: alloc::vec::Vec<usize>,
    /// The next thread area never used.
    pub next_area: usize,
    /// The seccomp filters that the program installed.
    pub filters: crate::calls::seccomp::Filters,
}

/// A child process in replay.
#[derive(Clone, Copy)]
pub struct Child {
    /// The id that the program knows.
    pub recorded: u32,
    /// The id that the kernel knows.
    pub real: u32,
    /// Its slot in the session.
    pub slot: usize,
}

impl Child {
    /// Whether it has executed a program that could not be recorded: its end says nothing then.
    pub fn unrecorded(&self) -> bool {
        control().slots[self.slot].unrecorded.load(Ordering::Relaxed) == self.real
    }

    /// Whether it was ended because its recording has no more events.
    pub fn cut_short(&self) -> bool {
        control().slots[self.slot].cut_short.load(Ordering::Relaxed) == self.real
    }
}

/// Replay: whether the process in this slot has taken all of its stream without having ended by itself.
pub fn is_exhausted(slot: &Slot, process: u32) -> bool {
    slot.process.load(Ordering::Relaxed) == process && is_at_end(slot)
}

/// Replay: whether the thread in this slot has taken all of its stream.
pub fn is_at_end(slot: &Slot) -> bool {
    slot.at_end.load(Ordering::Acquire) != 0
        && slot.head.0.load(Ordering::Acquire) == slot.tail.0.load(Ordering::Acquire)
}

struct Holder(UnsafeCell<Option<Process>>);

// SAFETY: set once before the program runs; afterwards only the thread that has the right to run (one at a
// time in serial order) goes through `get`.
unsafe impl Sync for Holder {}

static PROCESS: Holder = Holder(UnsafeCell::new(None));
static RECORDING_ENDED: AtomicBool = AtomicBool::new(false);
static NOTED_STOP: AtomicU32 = AtomicU32::new(0);

/// Sets the state, before anything is armed.
pub fn initialise(process: Process) {
    // SAFETY: single-threaded, and nobody has a reference yet.
    unsafe { *PROCESS.0.get() = Some(process) };
}

/// The state.
///
/// A reference must not be kept across anything that may let another thread run.
#[allow(clippy::mut_from_ref)]
pub fn get() -> &'static mut Process {
    // SAFETY: initialised before the first hook can run; exclusive by the right to run.
    match unsafe { &mut *PROCESS.0.get() } {
        Some(process) => process,
        None => crate::kernel::exit(70),
    }
}

/// Whether there is one: the program is recorded or replayed.
pub fn is_attached() -> bool {
    // SAFETY: set before the program's first instruction, and not changed after that.
    unsafe { (*PROCESS.0.get()).is_some() }
}

/// Replay, while waiting: who would have to come first was killed with the companion, if that is so.
pub fn end_if_abandoned() {
    if crate::kernel::hung_up(get().socket) {
        crate::kernel::exit(125);
    }
}

/// The session's control block.
pub fn control() -> &'static Control {
    // SAFETY: mapped at start at this address, never unmapped.
    unsafe { &*(arena::BASE as *const Control) }
}

/// Whether events are still logged: false after the writer has gone or said stop.
pub fn recording() -> bool {
    !RECORDING_ENDED.load(Ordering::Relaxed)
}

/// Nothing more is logged; the program goes on.
pub fn end_recording(reason: &[u8]) {
    RECORDING_ENDED.store(true, Ordering::Relaxed);
    if NOTED_STOP.swap(1, Ordering::Relaxed) == 0 {
        crate::kernel::complain(&[b"recording has stopped, the program goes on: ", reason]);
    }
}

/// Ends this process with `signal`, as the recorded one ended.
pub fn die_by_signal(signal: i32) -> ! {
    crate::watch::linger();
    crate::signals::kernel_side::set_default(signal);
    let (process, thread) = crate::kernel::real_ids();
    let unblocked = 0u64;
    loop {
        // SAFETY: the mask is valid; the process is meant to end.
        unsafe {
            kmod_shim::arch::native::raw::call(
                libc::SYS_rt_sigprocmask,
                [libc::SIG_SETMASK as u64, &raw const unblocked as u64, 0, 8, 0, 0],
            );
            kmod_shim::arch::native::raw::call(
                libc::SYS_tgkill,
                [process as u64, thread as u64, signal as u64, 0, 0, 0],
            );
        }
    }
}

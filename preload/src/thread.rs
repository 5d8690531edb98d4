//! What the library knows about one thread, found through gs.

use crate::signals::fault::LastFault;
use crate::{arena, kernel, process};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kmod_shim::arch::native::{
    entry::{self, ThreadRegister},
    frame::Frame,
    signal_frame::SignalStack,
};
use tracer_core::companion::wake::{Futex, ProgramSide};
use tracer_core::ring::{Consumer, Producer, Wait};
use tracer_core::session::{self, RING_SIZE, Slot, watch::CHUNK};

/// Bytes of the hook stack.
const HOOK_STACK: usize = 256 << 10;
/// Bytes of the stack that our signal handlers run on. A frame with AVX-512 state takes 3 KiB.
pub const SIGNAL_STACK: usize = 128 << 10;
/// Bytes of the stack that hooks of libc's functions run on, and these functions.
pub const OPERATION_STACK: usize = 128 << 10;
/// Pages that are never mapped lie between the parts, so that an overflow faults instead of spreading.
const GUARD: usize = 4096;

/// Parts of a thread's area, as offsets.
const STATE: usize = 0;
const STATE_SIZE: usize = 256 << 10;
const HOOK: usize = STATE + STATE_SIZE + GUARD;
const SIGNAL: usize = HOOK + HOOK_STACK + GUARD;
const OPERATION: usize = SIGNAL + SIGNAL_STACK + GUARD;
const RING: usize = 0x10_0000;
/// What a watched replay tells.
const WATCH: usize = RING + 2 * RING_SIZE + GUARD;
const _: () = assert!(OPERATION + OPERATION_STACK <= RING && WATCH + CHUNK <= arena::THREAD_STRIDE);

/// One thread's state. `register` is first: gs points to it.
#[repr(C)]
pub struct Thread {
    /// What assembly needs.
    pub register: ThreadRegister,
    /// Which area this is.
    pub area: usize,
    /// The slot in the session.
    pub slot: usize,
    /// The stream that it logs to or replays.
    pub stream: u32,
    /// The thread id that the program sees.
    pub id: u32,
    /// The thread id that the kernel knows.
    pub real: u32,
    /// Events so far.
    pub events: u64,
    /// System calls so far.
    pub calls: u64,
    /// Hash over the registers of all calls so far.
    pub registers_hash: u64,
    /// Signals that the program has blocked.
    pub blocked: u64,
    /// The program's last fault.
    pub last_fault: LastFault,
    /// The alternate stack that the program asked for.
    pub signal_stack: SignalStack,
    /// Signals put aside until a safepoint.
    pub pending: crate::signals::Pending,
    /// The list of its robust futexes, 0 if it has none.
    pub robust_list: u64,
    /// The word that the kernel would clear when the thread ends.
    pub clear_tid: u64,
    /// Its tenure in the order of threads (see [`crate::order`]).
    pub tenure: u64,
    /// Replay: it has the right to run. In sync order, in both modes: it is in a section.
    pub holds_tenure: bool,
    /// Sync order, recording: the section's number has been logged.
    pub says_tenure: bool,
    /// Handlers that have returned. It is no event, so a signal that comes then has to say at which return.
    pub returns: u64,
    /// Recording: it makes a call, and will look for signals when that has been made.
    pub will_look: AtomicBool,
    /// Sync order: operations on synchronisation objects so far.
    pub passes: u64,
    /// Sync order, recording: for how many nanoseconds it slept in the operation with this number ([`Thread::passes`]).
    pub slept: (u64, u64),
    /// Recording: for how many nanoseconds it slept in the call that it makes.
    pub slept_in_call: u64,
    /// Sync order, recording: the condition variable that it waits for in libc, 0 for none, and
    /// [`ThreadRegister::program_stack`] then: what libc does to it meanwhile is part of the wait, what a handler does is not.
    pub waits_for: (u64, u64),
    /// Sync order: how far a cancellation of the operation that it is in has come.
    pub cancellation: crate::order::objects::cancel::Cancellation,
    /// Sync order, replay: whose stream it waits for to give an object up, plus one; 0 for nobody's.
    pub held_by: u32,
    /// Sync order: it has made its last call, and all that is left to be done is ours.
    pub is_ending: bool,
    /// Sync order: it is in a function of the C++ library for the guards of static variables, whose futex calls are no
    /// events.
    pub is_in_guard: bool,
    /// Sync order: what the innermost pthread_once that the thread is in is to call.
    pub initialiser: *const crate::order::objects::Initialiser,
    /// Sync order: the innermost function of libc that the thread is in with a lock around it.
    pub enclosure: *const crate::order::objects::Enclosure,
    /// Sync order, in rebuilt programs: accesses to memory that were ordered and may not have been made yet, and what is known
    /// of those of others.
    pub accesses: crate::order::objects::Accesses,
    /// Replay: that right is one of the shared domain.
    pub tenure_is_shared: bool,
    /// Spin safepoints since its last turn began.
    pub spins: u64,
    /// How far it has come, for a list of hand-overs.
    pub progress: crate::order::Progress,
    /// The timer that stops it, if it has one.
    pub stop_timer: crate::stop::Timer,
    /// Sync order: whether it waits for a place between two instructions.
    pub spot: crate::stop::spot::Spot,
    /// A child of vfork: its memory is its parent's, but it is a process of its own.
    pub borrows_memory: bool,
    /// Whose memory it is then.
    pub lender: *mut Thread,
    /// Sync order: blocks that are at hand for the program's next malloc.
    pub cache: crate::allocator::Cache,
    /// It begins by clearing the signal handlers of its process (CLONE_CLEAR_SIGHAND).
    pub clears_handlers: bool,
    /// `calls` when its tenure began.
    pub calls_at_turn: u64,
    /// It is in a function of the vDSO that one of our hooks called.
    pub in_vdso: bool,
    /// Recording: it was made sure that `rdtsc` traps in this thread ([`crate::time_stamps`]).
    pub traps_time_stamps: bool,
    /// Signal handlers change a thread's state while a hook of the same thread has it borrowed: without this the
    /// compiler would take for granted that nobody does, and keep fields in registers across system calls.
    _changes_behind_our_back: core::marker::PhantomPinned,
    /// Not 0 while the kernel runs the thread: the kernel clears it at the very end.
    pub alive: AtomicU32,
    /// Set while a SIGSYS is being handled: the kernel's frame, which holds the program's registers.
    pub trap: *mut kmod_shim::arch::native::signal_frame::UserContext,
    /// The program's registers while a hook runs.
    pub frame: *mut Frame,
    /// Log or source of events.
    pub producer: Producer,
    /// The same for replay.
    pub consumer: Consumer,
    /// What the kernel writes for a call that sleeps.
    pub bounce: crate::calls::bounce::Buffer,
    /// Items of the event being built.
    pub items: crate::log::Items,
    /// Watched replay: what it has told.
    pub watch: crate::watch::State,
    /// The header of the next event in replay, if it was looked at already.
    pub next: Option<tracer_core::event::Header>,
}

const _: () = assert!(size_of::<Thread>() <= STATE_SIZE);

/// This thread.
///
/// Only one reference at a time is used: the hook hands it down.
#[inline]
pub fn current() -> &'static mut Thread {
    // SAFETY: gs was set by `attach` before any hook can run on this thread, and the state is ours alone.
    unsafe { &mut *entry::thread_register().cast::<Thread>() }
}

/// Where area `area` begins.
fn area_base(area: usize) -> usize {
    arena::BASE + arena::THREADS + area * arena::THREAD_STRIDE
}

/// Maps the stacks and state of a new thread's area.
pub fn prepare_area(area: usize) -> Result<*mut Thread, kernel::Errno> {
    let base = area_base(area);
    kernel::map_anonymous(base + STATE, STATE_SIZE)?;
    kernel::map_anonymous(base + HOOK, HOOK_STACK)?;
    kernel::map_anonymous(base + SIGNAL, SIGNAL_STACK)?;
    kernel::map_anonymous(base + OPERATION, OPERATION_STACK)?;
    Ok((base + STATE) as *mut Thread)
}

/// The state of an area that was prepared.
pub fn state_of(area: usize) -> *mut Thread {
    (area_base(area) + STATE) as *mut Thread
}

/// In the child of a fork: the areas below `end` but for `own` are copies of those of its parent's threads, which go on there. Their
/// slots are none of this process's.
pub fn forget_others(own: usize, end: usize) {
    const NO_STREAM: u32 = u32::MAX;
    for area in (0..end).filter(|area| *area != own) {
        // SAFETY: areas below the next one were prepared when they were first used, and stay mapped; no thread uses them here.
        unsafe { (&raw mut (*state_of(area)).stream).write(NO_STREAM) };
    }
}

/// The area that `frame`, the top of a hook stack, lies in.
pub fn area_of_frame(frame: *const Frame) -> usize {
    (frame as usize - arena::BASE - arena::THREADS) / arena::THREAD_STRIDE
}

/// Fills in what is the same for every new thread. The ring must be attached already.
///
/// # Safety
/// `thread` is the prepared state of `area`, and no thread uses it.
pub unsafe fn initialise(thread: *mut Thread, area: usize, id: u32) {
    const SS_DISABLE: i32 = 2;
    // SAFETY: the caller's state is mapped and writable; nothing in it needs dropping.
    unsafe {
        (&raw mut (*thread).register).write(ThreadRegister {
            this: thread as u64,
            frame: frame_of(area),
            signals_pending: 0,
            operation_stack: operation_stack_of(area),
            program_stack: 0,
        });
        (&raw mut (*thread).area).write(area);
        (&raw mut (*thread).id).write(id);
        (&raw mut (*thread).real).write(0);
        (&raw mut (*thread).registers_hash).write(0);
        (&raw mut (*thread).last_fault).write(LastFault::default());
        (&raw mut (*thread).blocked).write(0);
        (&raw mut (*thread).signal_stack).write(SignalStack {
            base: 0,
            flags: SS_DISABLE,
            padding: 0,
            size: 0,
        });
        (*thread).pending.clear();
        (&raw mut (*thread).robust_list).write(0);
        (&raw mut (*thread).clear_tid).write(0);
        (&raw mut (*thread).tenure).write(0);
        (&raw mut (*thread).holds_tenure).write(false);
        (&raw mut (*thread).says_tenure).write(false);
        (&raw mut (*thread).returns).write(0);
        (&raw mut (*thread).passes).write(0);
        (&raw mut (*thread).slept).write((0, 0));
        (&raw mut (*thread).slept_in_call).write(0);
        (&raw mut (*thread).will_look).write(AtomicBool::new(false));
        (&raw mut (*thread).is_ending).write(false);
        (&raw mut (*thread).is_in_guard).write(false);
        (&raw mut (*thread).waits_for).write((0, 0));
        (&raw mut (*thread).cancellation).write(Default::default());
        (&raw mut (*thread).held_by).write(0);
        (&raw mut (*thread).initialiser).write(core::ptr::null());
        (&raw mut (*thread).enclosure).write(core::ptr::null());
        (*thread).accesses.clear();
        (&raw mut (*thread).tenure_is_shared).write(false);
        (&raw mut (*thread).spins).write(0);
        (&raw mut (*thread).stop_timer).write(crate::stop::Timer::NONE);
        (&raw mut (*thread).spot).write(Default::default());
        (&raw mut (*thread).borrows_memory).write(false);
        (&raw mut (*thread).lender).write(core::ptr::null_mut());
        (&raw mut (*thread).cache).write(crate::allocator::Cache::new());
        (&raw mut (*thread).clears_handlers).write(false);
        (&raw mut (*thread).calls_at_turn).write(0);
        (&raw mut (*thread).in_vdso).write(false);
        (&raw mut (*thread).traps_time_stamps).write(false);
        (&raw mut (*thread).trap).write(core::ptr::null_mut());
        (&raw mut (*thread).frame).write(core::ptr::null_mut());
        (*thread).items.clear();
    }
}

/// The frame at the top of an area's hook stack.
pub fn frame_of(area: usize) -> *mut Frame {
    (area_base(area) + HOOK + HOOK_STACK - size_of::<Frame>()) as *mut Frame
}

/// The highest address of an area's stack for operations.
fn operation_stack_of(area: usize) -> u64 {
    (area_base(area) + OPERATION + OPERATION_STACK) as u64
}

impl Thread {
    /// Where it says how many accesses it was allowed ([`Thread::accesses`]), for assembly.
    pub const ALLOWED: usize =
        core::mem::offset_of!(Thread, accesses) + crate::order::objects::Accesses::ALLOWED;

    /// Whether the thread, whose stack pointer is `rsp`, is in a function that a hook of ours has called.
    #[inline]
    pub fn is_in_operation(&self, rsp: u64) -> bool {
        let end = operation_stack_of(self.area);
        (end - OPERATION_STACK as u64..end).contains(&rsp)
    }

    /// Sync order, recording: whether it is libc that does something to this condition variable, in a wait for it. After a handler
    /// has run, libc's calls find themselves on no stack for operations, and come to another part of it.
    #[inline]
    pub fn is_waiting_for(&self, condition: u64) -> bool {
        let (waits_for, began) = self.waits_for;
        let here = self.register.program_stack;
        waits_for == condition && (here == began || self.is_in_operation(here))
    }

    /// The program has left all operations, if not in the usual way.
    pub fn leave_operations(&mut self) {
        self.register.operation_stack = operation_stack_of(self.area);
        self.register.program_stack = 0;
        self.waits_for = (0, 0);
        self.cancellation = Default::default();
    }
}

/// Where an area has its chunk of what a watched replay tells.
pub fn watch_area(area: usize) -> usize {
    area_base(area) + WATCH
}

/// The lowest address of an area's signal stack.
pub fn signal_stack_of(area: usize) -> u64 {
    (area_base(area) + SIGNAL) as u64
}

/// Maps `slot`'s ring into `area` (twice in a row) and takes up the stream.
///
/// # Safety
/// `thread` is the prepared state of `area`; if a ring is mapped there already, nobody uses it any more.
pub unsafe fn attach_ring(thread: *mut Thread, area: usize, slot: usize) -> Result<(), kernel::Errno> {
    let memory = process::get().memory;
    let base = area_base(area) + RING;
    let offset = session::ring_offset(slot);
    for half in 0..2 {
        // SAFETY: the range is the ring part of our own area.
        unsafe { kernel::remap_shared(base + half * RING_SIZE, RING_SIZE, memory, offset)? };
    }
    let place: *const Slot = &process::control().slots[slot];
    // SAFETY: the caller's thread state is writable; the ring was just mapped and stays.
    unsafe {
        (&raw mut (*thread).slot).write(slot);
        (&raw mut (*thread).stream).write((*place).stream.load(Ordering::Acquire));
        (&raw mut (*thread).producer).write(Producer::new(place, base as *mut u8));
        (&raw mut (*thread).consumer).write(Consumer::new(place, base as *const u8));
        (&raw mut (*thread).events).write(0);
        (&raw mut (*thread).calls).write(0);
        (&raw mut (*thread).progress).write(crate::order::Progress::NEW);
        (&raw mut (*thread).next).write(None);
        (&raw mut (*thread).watch).write(crate::watch::State::NEW);
    }
    Ok(())
}

/// Sleeping and waking from inside the program, with raw system calls.
pub struct RawFutex;

impl Futex for RawFutex {
    fn sleep(&self, word: &AtomicU32, value: u32) {
        kernel::futex_wait(word, value, 50);
    }

    fn wake(&self, word: &AtomicU32) {
        kernel::futex_wake(word);
    }

    fn peer_lives(&self) -> bool {
        !kernel::hung_up(process::get().socket)
    }
}

/// [`tracer_core::companion::wake`] has the protocol.
pub struct ProgramWait;

impl Wait for ProgramWait {
    fn wait(&self, slot: &Slot) -> bool {
        ProgramSide::new(process::control(), RawFutex).wait(slot)
    }

    #[inline]
    fn wake(&self, slot: &Slot) {
        ProgramSide::new(process::control(), RawFutex).wake(slot);
    }
}

/// Tells the companion that a slot's state has changed.
pub fn wake_companion() {
    ProgramSide::new(process::control(), RawFutex).state_changed();
}

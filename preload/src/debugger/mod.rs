//! Replay under a debugger: standing still where it asks, and telling where the program is.
//!
//! The debugger goes back in time by beginning anew: another replay runs by itself, without anyone who traces it, up to a
//! place that [`tracer_core::session::debugger`] describes, and stands still in [`stop()`] until the debugger has attached
//! and put a breakpoint where the program goes on. Places are events; states between two events, which are found as
//! recorded stops are ([`crate::stop`]); and hits of watched places, which [`hardware`] counts.

mod hardware;

use crate::log;
use crate::stop::{self, Snapshot};
use crate::thread::Thread;
use crate::{kernel, order, playback, process, start};
use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
pub use hardware::{code_moved, forget_state, was_hit, watch_state};
use kmod_shim::arch::native::{
    frame::Frame,
    signal_frame::{MachineContext, UserContext},
};
use tracer_core::event::Kind;
use tracer_core::session::Mode;
use tracer_core::session::debugger::{Debugger, answer, goal};

use crate::signals::deliver::SYSCALL_LENGTH;

/// The program is to stand still as soon as it is in its own code.
static SOON: AtomicBool = AtomicBool::new(false);

fn debugger() -> &'static Debugger {
    &process::control().debugger
}

fn get(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

fn set(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Relaxed);
}

/// Whether a debugger has asked for anything.
#[inline(always)]
pub fn is_on() -> bool {
    get(&debugger().goal) != goal::NONE
}

/// Whether there is one, which may have breakpoints anywhere later.
pub fn is_attached() -> bool {
    get(&debugger().is_attached) != 0
}

/// This process begins, with its first thread.
pub fn begin_process(thread: &mut Thread) {
    if process::get().mode == Mode::Replay {
        hardware::begin_process(thread.stream);
    }
}

/// A further thread begins.
pub fn begin_thread(thread: &mut Thread) {
    if process::get().mode == Mode::Replay {
        hardware::begin_thread(thread.area);
    }
}

/// Number of the thread's next event.
fn position(thread: &Thread) -> u64 {
    thread.events - u64::from(thread.next.is_some())
}

/// An event was done, and the next one looked at.
#[inline]
pub fn note(thread: &mut Thread) {
    let position = position(thread);
    set(&process::control().slots[thread.slot].position, position);
}

/// Whether the thread, which has done an event, is to be stopped in a state before the next one.
pub fn wants_stop(thread: &Thread) -> bool {
    let debugger = debugger();
    get(&debugger.goal) == goal::STATE
        && get(&debugger.stream) == u64::from(thread.stream)
        && get(&debugger.event) == position(thread)
}

/// Whether the thread is to stop before it does what comes now.
fn is_due(thread: &mut Thread) -> bool {
    if thread.borrows_memory {
        return false;
    }
    if SOON.load(Ordering::Relaxed) {
        return true;
    }
    let debugger = debugger();
    if get(&debugger.goal) != goal::EVENT || get(&debugger.stream) != u64::from(thread.stream) {
        return false;
    }
    // A hand-over and a state check belong to the event behind them. In sync order each call begins with a section, which a
    // check may follow.
    let before = match playback::peek(thread).and_then(|next| Kind::from_byte(next.kind)) {
        Some(Kind::Turn) if order::is_parallel() => 2,
        Some(Kind::Turn | Kind::Check) => 1,
        _ => 0,
    };
    position(thread) + before >= get(&debugger.event)
}

/// A system call begins. True if the program is to stop at it, and make it when it goes on.
#[cold]
pub fn stops_before(thread: &mut Thread, frame: &mut Frame) -> bool {
    let passed = stop::abandon();
    if !passed && !is_due(thread) {
        return false;
    }
    if start::is_our_code(frame.rip) {
        // It is a function of the vDSO, which cannot be called again from here.
        SOON.store(true, Ordering::Relaxed);
        return false;
    }
    frame.rip -= SYSCALL_LENGTH;
    stop_as(thread, frame.rip, if passed { answer::PASSED } else { answer::REACHED });
    true
}

/// Whether the event that the thread was to stop at has been done, by the same hook as the one before or between two
/// instructions.
fn has_passed(thread: &Thread) -> bool {
    let debugger = debugger();
    get(&debugger.goal) == goal::EVENT
        && get(&debugger.stream) == u64::from(thread.stream)
        && position(thread) > get(&debugger.event)
}

/// A recorded stop was found, and what was to be done there is done.
#[cold]
pub fn stop_behind_stop(thread: &mut Thread, machine: &MachineContext) {
    if has_passed(thread) {
        stop(thread, machine.rip);
    }
}

/// The process is about to die of a signal, whose event was the last.
#[cold]
pub fn stop_before_end(thread: &mut Thread, resume: u64) {
    if is_on() && (has_passed(thread) || SOON.load(Ordering::Relaxed)) {
        stop(thread, resume);
    }
    let debugger = debugger();
    set(&debugger.at_stream, u64::from(thread.stream));
    set(&debugger.at_event, position(thread));
    set(&debugger.dying, u64::from(thread.real));
}

/// A system call has been made.
#[cold]
pub fn stop_behind(thread: &mut Thread, frame: &mut Frame) {
    if !thread.borrows_memory && (has_passed(thread) || SOON.load(Ordering::Relaxed)) {
        let caller = || log::read_value(frame.rsp).unwrap_or(frame.rip);
        let resume = if start::is_our_code(frame.rip) { caller() } else { frame.rip };
        stop(thread, resume);
    }
}

/// An instruction has trapped. True if the program is to stop at it, and do it when it goes on.
#[cold]
pub fn stops_at(thread: &mut Thread, machine: &mut MachineContext) -> bool {
    let passed = stop::abandon();
    if !passed && !is_due(thread) {
        return false;
    }
    stop::as_interrupted(machine);
    stop_as(thread, machine.rip, if passed { answer::PASSED } else { answer::REACHED });
    true
}

/// Stands still; the program goes on at `resume`.
pub fn stop(thread: &mut Thread, resume: u64) {
    stop_as(thread, resume, answer::REACHED);
}

fn stop_as(thread: &mut Thread, resume: u64, reason: u64) {
    let debugger = debugger();
    SOON.store(false, Ordering::Relaxed);
    hardware::end();
    set(&debugger.goal, goal::NONE);
    set(&debugger.at_stream, u64::from(thread.stream));
    set(&debugger.at_event, position(thread));
    set(&debugger.resume, resume);
    debugger.answer.store(reason, Ordering::Release);
    if let Some(bell) = get(&debugger.bell).checked_sub(1) {
        let _ = kernel::write_all(bell as i32, b"!");
    }
    // SAFETY: the low half of a live, aligned 64-bit atomic is an aligned 32-bit word on a little-endian machine.
    let released = unsafe { &*debugger.released.as_ptr().cast::<AtomicU32>() };
    while released.load(Ordering::Acquire) == 0 {
        process::end_if_abandoned();
        kernel::futex_wait(released, 0, 10);
    }
    released.store(0, Ordering::Relaxed);
    set(&debugger.answer, answer::NONE);
}

/// The program's code at `address` has bytes of ours in place of its own; none any more, if these are none.
pub fn code_changed(address: u64, original: &[u8], ours: &[u8]) {
    let change = &debugger().change;
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        let length = bytes.len().min(word.len());
        word[..length].copy_from_slice(&bytes[..length]);
        u64::from_le_bytes(word)
    };
    set(&change.address, address);
    set(&change.original, word(original));
    set(&change.ours, word(ours));
    set(&change.length, original.len().min(8) as u64);
}

/// Whether the debugger has put a trap where the state is to be compared once.
pub fn compares() -> bool {
    debugger().compares.swap(0, Ordering::Relaxed) != 0
}

/// What the registers will be at the stop that is looked for.
pub fn note_stop(registers: &[u64]) {
    for (to, from) in debugger().change.registers.iter().zip(registers) {
        set(to, *from);
    }
}

/// Takes the state that the debugger has asked to find.
pub fn read_state(snapshot: &mut Snapshot) -> bool {
    let debugger = debugger();
    let words = debugger.state.get(..get(&debugger.state_length) as usize);
    words.is_some_and(|words| snapshot.adopt(words.iter().map(get)))
}

struct Holder(UnsafeCell<Snapshot>);

// SAFETY: only the thread that the debugger has sent a signal uses it, and others stand still then.
unsafe impl Sync for Holder {}

static TAKEN: Holder = Holder(UnsafeCell::new(Snapshot::EMPTY));

/// Whether the SIGTRAP that has come is the debugger's.
pub fn wants_state() -> bool {
    process::get().mode == Mode::Replay && get(&debugger().wants_state) != 0
}

/// Tells the debugger the state of the thread, which it stopped where the signal found it.
pub fn give_state(thread: &mut Thread, context: &mut UserContext) {
    let debugger = debugger();
    // SAFETY: see Holder.
    let snapshot = unsafe { &mut *TAKEN.0.get() };
    let machine = &mut context.machine;
    let words = if stop::is_in_program(machine) && stop::take_state(thread, machine, snapshot) {
        snapshot.bytes()
    } else {
        &[]
    };
    for (to, from) in debugger.state.iter().zip(words.as_chunks::<8>().0) {
        set(to, u64::from_le_bytes(*from));
    }
    set(&debugger.state_length, words.len() as u64 / 8);
    set(&debugger.at_stream, u64::from(thread.stream));
    set(&debugger.at_event, position(thread));
    set(&debugger.wants_state, 0);
    imitate_debugger_answered();
}

/// Where the debugger waits for [`give_state`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn imitate_debugger_answered() {
    core::hint::black_box(());
}

unsafe extern "C" {
    fn imitate_debugger_passage();
}

// An instruction that is none, as stands for cpuid: gdb passes its signal on without a word.
global_asm!(
    ".pushsection .text.imitate_debugger, \"ax\", @progbits",
    ".hidden imitate_debugger_passage",
    ".globl imitate_debugger_passage",
    "imitate_debugger_passage:",
    ".byte 0x0f, 0x04",
    ".popsection",
);

/// Whether the debugger has sent the thread here because it passes the place of a recorded stop.
pub fn is_passage(address: u64) -> bool {
    address == imitate_debugger_passage as *const () as u64
}

/// Says where these two are, and what a thread's stack needs to be followed out of our hooks.
fn introduce() {
    set(&debugger().answered, imitate_debugger_answered as *const () as u64);
    set(&debugger().passage, imitate_debugger_passage as *const () as u64);
    set(&debugger().frame_offset, core::mem::offset_of!(Thread, frame) as u64);
}

//! Sync order: threads run in parallel, and what they do in our hooks for system calls is done in *sections*.
//!
//! One thread at a time is in a section, and sections are numbered in the order in which they begin. A call that sleeps
//! leaves its section and comes back in another one, if anybody was in a section meanwhile. Replay has the sections in
//! the same order: whatever a thread can have learned through the kernel from another one (a byte in a pipe, a file, a
//! descriptor's number, an address) it learned in a section that began after the one in which the other gave it: what
//! is given is given after a section of the call has begun, and what is taken has been taken before its last one.
//!
//! A [`Kind::Turn`] with [`turn::SECTION`] has the number. It is left out if the section before was the same thread's
//! and this call does not sleep: replay then finds the call's event, and not a `Turn`.
//!
//! Sections begin with a process's second thread, and do not end with the last but one: the number of threads at a place
//! in one stream is the same in each replay only if that thread creates them.

use super::stall::Stall;
use crate::thread::{self, Thread};
use crate::{divergence, kernel, log, playback, process, watch};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use tracer_core::event::{Kind, turn};
use tracer_core::session::{Mode, Order};

/// Threads of this process run in parallel.
pub static STATE: AtomicU8 = AtomicU8::new(state::OFF);

/// They did, in this process or in one that it is a copy of.
static WERE_ON: AtomicBool = AtomicBool::new(false);

/// What hooks have to do, in one load.
pub mod state {
    /// There is one thread, or the order is another one.
    pub const OFF: u8 = 0;
    /// Threads run in parallel and are recorded.
    pub const RECORD: u8 = 1;
    /// Threads run in parallel and follow a recording.
    pub const REPLAY: u8 = 2;
}

/// The number of a section that a thread which was in none yet would have had before.
const NONE: u64 = u64::MAX - 1;

/// One of [`mod@state`].
#[inline(always)]
pub fn state() -> u8 {
    STATE.load(Ordering::Relaxed)
}

/// The calling thread and what is to be done, if the order of what it does is kept: not while there is one thread, and not in
/// a child of vfork.
#[inline(always)]
pub fn ordered() -> Option<(&'static mut Thread, u8)> {
    let state = state();
    if state == state::OFF {
        return None;
    }
    let thread = thread::current();
    if thread.borrows_memory {
        return None;
    }
    thread.accesses.finish();
    Some((thread, state))
}

/// Whether this process's threads run in parallel.
#[inline(always)]
pub fn are_on() -> bool {
    state() != state::OFF
}

/// Whether they ran in parallel, here or where this process was forked from.
pub fn were_on() -> bool {
    WERE_ON.load(Ordering::Relaxed)
}

/// Whether the recording's order is sync.
pub fn is_chosen() -> bool {
    process::control().order.load(Ordering::Relaxed) == Order::Sync as u32
}

/// The process, whose only thread this is, gets its second one.
pub fn begin(thread: &mut Thread) {
    if is_chosen() && !are_on() {
        thread.tenure = NONE;
        super::objects::before_parallel();
        watch::alone::begin(thread);
        WERE_ON.store(true, Ordering::Relaxed);
        // Whatever timer it has measures time.
        thread.stop_timer.delete();
        let mode = process::get().mode;
        STATE.store(if mode == Mode::Record { state::RECORD } else { state::REPLAY }, Ordering::Relaxed);
        if mode == Mode::Record {
            // The tool looks at what the process has loaded.
            let control = process::control();
            control.slots[thread.slot].parallel.store(1, Ordering::Release);
            control.parallel.fetch_add(1, Ordering::Release);
            kernel::futex_wake(&control.parallel);
        }
    }
}

/// The process has one thread: at start and after fork.
pub fn reset(thread: &mut Thread) {
    STATE.store(state::OFF, Ordering::Relaxed);
    thread.passes = 0;
    thread.initialiser = core::ptr::null();
    thread.enclosure = core::ptr::null();
    thread.accesses.clear();
    watch::alone::cease(thread);
}

/// A thread begins.
pub fn appear(thread: &mut Thread) {
    thread.tenure = NONE;
}

/// A call begins, or a fault or signal is handled that is an event of its own.
pub fn enter(thread: &mut Thread) {
    if thread.holds_tenure || thread.borrows_memory {
        return;
    }
    match process::get().mode {
        Mode::Record => {
            super::lock::take(&super::OWN, thread);
            let number = super::OWN.tenures.fetch_add(1, Ordering::Relaxed);
            let follows = number == thread.tenure.wrapping_add(1);
            thread.tenure = number;
            thread.says_tenure = false;
            if !follows {
                tell(thread, 0);
            }
        }
        Mode::Replay => {
            let number = match playback::peek(thread) {
                // It slept, or was killed elsewhere.
                None => return,
                Some(next) if is_section(next.kind, next.flags) && next.flags & turn::SLEPT == 0 => {
                    take(thread)
                }
                Some(_) => thread.tenure.wrapping_add(1),
            };
            wait_for(thread, number);
        }
    }
    thread.holds_tenure = true;
}

/// A section of its own behind an event that was logged without one, a signal's: always told, for what is told late of a section
/// behind it would be taken for this one's.
pub fn pass(thread: &mut Thread) {
    enter(thread);
    if process::get().mode == Mode::Record && thread.holds_tenure && !thread.says_tenure {
        tell(thread, 0);
    }
    leave(thread);
}

fn is_section(kind: u8, flags: u8) -> bool {
    kind == Kind::Turn as u8 && flags & turn::SECTION != 0
}

/// Replay: takes the section that comes next in the stream.
fn take(thread: &mut Thread) -> u64 {
    thread.next = None;
    let [number, _]: [u64; 2] = playback::value(thread);
    number
}

/// Replay: waits until the section may begin.
fn wait_for(thread: &mut Thread, number: u64) {
    let mut stall = Stall::new();
    super::turns::wait_for_turn(&super::OWN, number, || stall.look(thread, "section", number));
    thread.tenure = number;
}

/// Recording: says which section this is.
fn tell(thread: &mut Thread, slept: u8) {
    thread.says_tenure = true;
    log::words(thread, Kind::Turn, turn::SECTION | slept, 0, &[thread.tenure, 0]);
}

/// Recording: the call is about to sleep.
pub fn pause(thread: &mut Thread) -> bool {
    if !thread.holds_tenure {
        return false;
    }
    if !thread.says_tenure {
        // If the call never comes back there is no event that says that it was made.
        tell(thread, 0);
    }
    thread.holds_tenure = false;
    super::lock::give_back(&super::OWN);
    true
}

/// Recording: the call has slept.
pub fn resume(thread: &mut Thread) {
    super::lock::take(&super::OWN, thread);
    thread.holds_tenure = true;
    let next = super::OWN.tenures.load(Ordering::Relaxed);
    // Else nobody was in a section meanwhile.
    if next != thread.tenure + 1 {
        super::OWN.tenures.store(next + 1, Ordering::Relaxed);
        thread.tenure = next;
        tell(thread, turn::SLEPT);
    }
}

/// Replay, before an event: the recorded call may have slept.
pub fn follow(thread: &mut Thread) {
    while thread.holds_tenure {
        let Some(next) = playback::peek(thread).filter(|next| is_section(next.kind, next.flags)) else {
            return;
        };
        let number = take(thread);
        if next.flags & turn::SLEPT == 0 {
            // Told late, when the call was about to sleep and something else had been logged.
            if number != thread.tenure {
                divergence::damaged(thread, b"a section begins within another one");
            }
            continue;
        }
        leave(thread);
        wait_for(thread, number);
        thread.holds_tenure = true;
    }
}

/// The call has been made.
#[inline]
pub fn leave(thread: &mut Thread) {
    if !core::mem::take(&mut thread.holds_tenure) {
        return;
    }
    match process::get().mode {
        Mode::Record => super::lock::give_back(&super::OWN),
        Mode::Replay => {
            super::OWN.tenures.store(thread.tenure + 1, Ordering::Release);
            super::turns::call_for(&super::OWN, thread.tenure + 1);
        }
    }
}

/// Recording: memory comes to be shared with another process, whose threads have sections of their own.
pub fn refuse_to_share() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if !TOLD.swap(true, Ordering::Relaxed) {
        kernel::complain(&[
            b"the program shares memory among processes, whose accesses --order sync does not order: ",
            b"a replay may diverge; use --order serial",
        ]);
    }
}

//! Whether `rdtsc` and `cpuid` have to trap.
//!
//! `rdtsc` does in a program that may have others than those that were found ([`kmod_shim::patch::unpredictable`]) and replaced; else
//! the vDSO's clocks, which use the instruction themselves, run at their own speed, and so do switches between threads: the kernel
//! writes a register of the processor whenever it switches between one that traps and one that does not (`__switch_to_xtra` in
//! arch/x86/kernel/process.c), for which a virtual machine exits; two threads on two processors that wake each other
//! took 9 us of 45 longer. New code is looked at before it can be executed, and may bring the trap back, in all threads. Only
//! recording needs this: in replay clocks come from the log, and the trap always stays.
//!
//! `cpuid` does, where this machine can make it, only in a program that may have others, too.

use crate::start::{maps::Mapping, with_mappings};
use crate::thread::{self, Thread};
use crate::{process, processor, sites, stop};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering, fence};
use kmod_shim::arch::native::trap;
use kmod_shim::patch::unpredictable::undecided;
use tracer_core::session::Mode;

/// The program may have an `rdtsc` that is not known, in either mode. Once it has, it stays so.
static NEEDED: AtomicBool = AtomicBool::new(true);

/// Recording: whether `rdtsc` can be executed without a trap.
#[inline]
pub fn are_free() -> bool {
    !NEEDED.load(Ordering::Relaxed)
}

/// The program has made `range` executable: what is there and would tell what is not logged is replaced now, or when it is about to be
/// executed, or made to trap.
pub fn code_was_added(range: &Range<u64>) {
    if !are_free() && trap::cpuid_traps() {
        // So does all that can be there.
        return;
    }
    let found = with_mappings(|mappings| {
        let (undecided, is_missed) = sites::exclusively(|sites| {
            let undecided = sites.catch_unpredictable(mappings);
            if trap::cpuid_traps() {
                return (undecided, false);
            }
            // A thread cannot set another one's trap.
            let is_missed = undecided & undecided::CPUID != 0;
            let traps = is_missed && process::get().threads == 1 && trap::trap_cpuid();
            if !traps {
                sites.generated.add(mappings, range);
            }
            (undecided, is_missed && !traps)
        });
        if is_missed {
            processor::may_be_seen(mappings);
        }
        undecided
    });
    if found.is_none_or(|undecided| undecided & undecided::TIME_STAMPS != 0) {
        need_traps();
    }
}

/// Makes `rdtsc` trap from here on, in all threads. The kernel lets a thread set its own trap only: others do it when they get
/// the right to run (a signal for one that is being stopped may be lost, behind that of a timer which is set anew) or, those that run in
/// parallel, when they are interrupted.
fn need_traps() {
    if NEEDED.swap(true, Ordering::SeqCst) || process::get().mode == Mode::Replay {
        return;
    }
    let thread = thread::current();
    follow(thread);
    let (process, own) = (process::get().real_id, thread.real);
    for slot in process::control().used_slots() {
        let other = slot.thread.load(Ordering::SeqCst);
        if slot.process.load(Ordering::Relaxed) == process && other != own {
            stop::request([process, other], stop::Request::new(0, 0));
        }
    }
}

/// The thread begins, goes on or was interrupted: it has the trap from here on if that has become needed.
#[inline]
pub fn follow(thread: &mut Thread) {
    if !are_free() && !thread.traps_time_stamps && process::get().mode == Mode::Record {
        thread.traps_time_stamps = true;
        trap::trap_time_stamps(true);
    }
}

/// The same for a thread that begins, and has said which it is: either it sees that the trap is needed, or it is seen.
pub fn begin_thread(thread: &mut Thread) {
    fence(Ordering::SeqCst);
    follow(thread);
}

/// Makes both kinds of instruction trap, or replaces those that there are, in a program whose mappings these are.
pub fn trap(mappings: &[Mapping]) {
    let undecided = sites::exclusively(|sites| sites.catch_unpredictable(mappings));
    NEEDED.store(undecided & undecided::TIME_STAMPS != 0, Ordering::Relaxed);
    restore();
    // If this machine cannot, it stays at those that were found.
    if undecided & undecided::CPUID != 0 && !trap::trap_cpuid() {
        processor::may_be_seen(mappings);
    }
}

/// The trap was lifted for a moment: it is as it has to be again.
pub fn restore() {
    trap::trap_time_stamps(!are_free() || process::get().mode == Mode::Replay);
}

//! Whether `rdtsc` and `cpuid` have to trap.
//!
//! `rdtsc` does from the start. A program that reads clocks often is looked through
//! ([`kmod_shim::patch::unpredictable`]): if every `rdtsc` that it can execute is known, each is replaced, the trap
//! is lifted, and the vDSO's clocks, which use the instruction themselves, run at their own speed. New code
//! brings the trap back until it has been looked at. Only recording needs this: in replay clocks come from the
//! log, and the trap always stays.
//!
//! `cpuid` does, where this machine can make it, only in a program that may have others than those that were found and
//! replaced: the trap makes each switch between threads dearer.

use crate::start::{maps::Mapping, with_mappings};
use crate::{process, processor, sites};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};
use kmod_shim::arch::native::trap;
use kmod_shim::patch::unpredictable::undecided;

/// Clock reads before the program's code is looked through: `date` makes one, and should not pay for it.
const PATIENCE: u32 = 16;
/// The trap is lifted.
const FREE: u32 = u32::MAX;
/// The program may have an `rdtsc` that is not known: the trap stays.
const NEEDED: u32 = u32::MAX - 1;

/// Clock reads with the trap set, or one of the two verdicts.
static STATE: AtomicU32 = AtomicU32::new(0);

/// Whether the instruction can be executed without a trap now.
#[inline]
pub fn are_free() -> bool {
    STATE.load(Ordering::Relaxed) == FREE
}

/// A clock was read the slow way.
pub fn clock_was_read() {
    let reads = STATE.load(Ordering::Relaxed);
    if reads == NEEDED {
        return;
    }
    if reads + 1 < PATIENCE {
        return STATE.store(reads + 1, Ordering::Relaxed);
    }
    // Each thread has its own trap setting; with several, lifting it for one would leave the others.
    let verdict = if process::get().threads == 1 && look_through() {
        trap::trap_time_stamps(false);
        FREE
    } else {
        NEEDED
    };
    STATE.store(verdict, Ordering::Relaxed);
}

/// The program has made `range` executable: without a trap for cpuid, its cpuid instructions are replaced now, or
/// when they are about to be executed.
pub fn code_was_added(range: &Range<u64>) {
    look_again();
    if trap::cpuid_traps() {
        return;
    }
    with_mappings(|mappings| {
        sites::exclusively(|sites| {
            let undecided = sites.catch_unpredictable(mappings);
            // A thread cannot set another one's trap.
            let is_missed = undecided & undecided::CPUID != 0;
            let traps = is_missed && process::get().threads == 1 && trap::trap_cpuid();
            if !traps {
                sites.generated.add(mappings, range);
            }
            is_missed && !traps
        })
        .then(|| processor::may_be_seen(mappings));
    });
}

/// Looks through the program's code, as it is mapped now; whether all that there is was found.
fn look_through() -> bool {
    with_mappings(|mappings| {
        sites::exclusively(|sites| {
            !sites.generated.any() && sites.catch_unpredictable(mappings) & undecided::TIME_STAMPS == 0
        })
    }) == Some(true)
}

/// Makes both kinds of instruction trap, or replaces those that there are, in a program whose mappings these are.
pub fn trap(mappings: &[Mapping]) {
    trap::trap_time_stamps(true);
    if sites::exclusively(|sites| sites.catch_unpredictable(mappings)) & undecided::CPUID != 0 {
        // If this machine cannot, it stays at those that were found.
        if !trap::trap_cpuid() {
            processor::may_be_seen(mappings);
        }
    }
}

/// A caught instruction was executed with traps lifted and set again around it; with time stamps free, none stay.
pub fn after_execution() {
    if are_free() {
        trap::trap_time_stamps(false);
    }
}

/// Executable memory was added, or a thread is about to be.
pub fn look_again() {
    if STATE.swap(0, Ordering::Relaxed) == FREE {
        trap::trap_time_stamps(true);
    }
}

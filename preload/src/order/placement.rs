//! Replay: which processors threads run on.
//!
//! Threads of one process run one at a time, so they do on one processor: to wake a thread there is a switch, and to wake
//! one elsewhere an interrupt of a processor that sleeps, which takes ten times as long on a virtual machine. What the
//! program asks for, and is told, about its processors comes from the log.

use crate::kernel;
use core::cell::UnsafeCell;

/// Processors, a bit each: as many as Linux has on x86-64.
type Set = [u64; 128];

struct Holder(UnsafeCell<Option<Set>>);

// SAFETY: only the thread that has the right to run uses it.
unsafe impl Sync for Holder {}

/// Where the process might run before its threads were gathered.
static BEFORE: Holder = Holder(UnsafeCell::new(None));

/// The process gets a second thread: from now on it and those that it creates run on this processor. Where the kernel
/// refuses, they stay where they are.
pub fn gather() {
    // SAFETY: see Holder.
    let before = unsafe { &mut *BEFORE.0.get() };
    let (mut all, mut number): (Set, u32) = ([0; 128], 0);
    let size = size_of::<Set>() as u64;
    // SAFETY: the kernel writes at most the set, and the number.
    let known = unsafe {
        kernel::call(libc::SYS_sched_getaffinity, [0, size, &raw mut all as u64, 0, 0, 0])
            .and_then(|_| kernel::call(libc::SYS_getcpu, [&raw mut number as u64, 0, 0, 0, 0, 0]))
    };
    let mut here: Set = [0; 128];
    let Some(word) = here.get_mut(number as usize / 64) else { return };
    *word = 1 << (number % 64);
    if known.is_ok() && before.is_none() && set(&here) {
        *before = Some(all);
    }
}

/// The thread is the only one of its process again: a child of fork, or about to execute another program.
pub fn scatter() {
    // SAFETY: see Holder.
    if let Some(before) = unsafe { &mut *BEFORE.0.get() }.take() {
        set(&before);
    }
}

/// Puts the calling thread on these processors.
fn set(set: &Set) -> bool {
    let arguments = [0, size_of::<Set>() as u64, set.as_ptr() as u64, 0, 0, 0];
    // SAFETY: the set is valid.
    unsafe { kernel::call(libc::SYS_sched_setaffinity, arguments) }.is_ok()
}

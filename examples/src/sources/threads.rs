//! Rows for what several threads, or several processes with memory in common, do to each other.

use super::{SIGABRT, SIGSEGV, SIGUSR1};
use crate::case::{Case, built, own};

/// Threads that meet in memory without locks.
pub fn races() -> Vec<Case> {
    vec![
        own("races/counter.c").compiled("-O0"),
        own("races/counter.c").compiled("-O2"),
        own("races/counter.c").compiled("-O0").hunted(loses_updates),
        own("races/counter.c").compiled("-O2").hunted(loses_updates),
        own("races/lock_order.c").hunted(meets),
        own("races/mutual_exclusion.c").with("dekker"),
        own("races/mutual_exclusion.c").with("peterson"),
        own("races/mutual_exclusion.c").compiled("-O2 -DFENCE=").with("dekker"),
        own("races/mutual_exclusion.c").compiled("-O2 -DFENCE=").with("peterson"),
        own("races/sequence_lock.c"),
        own("races/double_checked.c"),
        own("races/lock_free_stack.c"),
        own("races/taking_turns.c").compiled("-O0"),
        own("races/taking_turns.c").compiled("-O2"),
        own("races/spinning_flag.c").compiled("-O2").steady(),
        own("races/spinning_flag.c").compiled("-O2 -DPAUSE").steady(),
        own("races/spinning_flag.c").compiled("-O2 -DCOUNTING"),
    ]
}

/// Whether `races/counter.c` has lost any.
fn loses_updates(printed: &str) -> bool {
    !printed.is_empty() && !printed.contains(", 0 lost")
}

/// Whether each thread of `races/lock_order.c` had what the other wanted.
fn meets(printed: &str) -> bool {
    !printed.is_empty() && !printed.contains("met 0 times")
}

/// Threads that meet in locks, in system calls, and in how their process ends.
pub fn threads() -> Vec<Case> {
    vec![
        own("threads/mtio.c"),
        own("threads/counting.c"),
        own("threads/cancelled.c"),
        own("threads/work_stealing.c"),
        own("threads/long_jump.c"),
        own("threads/fork_with_locks.c"),
        own("threads/exec.c").varies(),
        own("threads/first_ends.c"),
        own("threads/computes_first.c").compiled("-O0"),
        own("threads/exit_at_once.c").exits(20),
        own("threads/exit_at_once.c").with("by-signal").killed(SIGUSR1),
        own("threads/waits.c").varies(),
        own("threads/crash.c").with("abort").killed(SIGABRT),
        own("threads/crash.c").with("assert").killed(SIGABRT),
        own("threads/crash.c").with("stack-overflow").killed(SIGSEGV),
        own("threads/crash.c").with("segmentation-fault").killed(SIGSEGV),
        own("threads/write_barrier.c"),
        own("threads/c11.c"),
        own("threads/attributes.c"),
        own("threads/tid_address.c").steady(),
        own("threads/robust.c"),
        own("threads/primitives.c"),
        own("threads/inheriting.c"),
        own("signals/second_thread.c").compiled("-O0").varies(),
        own("signals/second_thread.c").compiled("-O2").varies(),
        own("signals/allocating.c").varies(),
        own("signals/allocating.c").with("threads").varies(),
        own("signals/to_threads.c"),
        own("signals/timer_threads.c"),
        own("randomness/time_stamps.c").varies(),
        own("threads/added_time_stamps.c").varies(),
        own("threads/polled_under_lock.c"),
        own("languages/shared_pointers.cc"),
        own("languages/futures.cc"),
        own("languages/atomic_wait.cc").compiled("-std=c++20"),
        own("languages/float_sum.cc").compiled("-fopenmp"),
        own("languages/threads.rs").varies(),
        built("thread-crates", "rayon"),
        built("thread-crates", "crossbeam"),
        built("thread-crates", "tokio"),
        built("thread-crates", "last-release"),
    ]
}

/// Processes that meet in memory.
pub fn sharing() -> Vec<Case> {
    vec![
        own("sharing/locks.c"),
        own("sharing/flag.c").varies(),
        own("sharing/killed.c").varies(),
        own("sharing/named.c"),
        own("sharing/system_v.c"),
    ]
}

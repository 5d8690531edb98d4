//! Rows for programs whose threads run in parallel while they are recorded, and when they are replayed.

use super::{SIGSEGV, SIGTERM, SIGUSR1};
use crate::case::{Case, own};

/// Rows for the table.
pub fn rows() -> Vec<Case> {
    [
        own("sync/objects.c"),
        own("sync/blocks.c"),
        own("sync/endings.c"),
        own("sync/pool.cc"),
        own("sync/streams.c"),
        own("sync/interrupted.c"),
        own("sync/libc_state.c"),
        own("sync/exit_while_printing.c"),
        own("sync/broadcasting_handler.c"),
        own("sync/computing.c"),
        own("sync/computing.c").with("killed").killed(SIGTERM),
        own("sync/forked_holder.c"),
        own("sync/lazy_objects.c"),
        own("sync/missing_objects.c").steady(),
        own("sync/missing_objects.c").with("unhandled").killed(SIGSEGV).steady(),
        own("sync/openmp.c").compiled("-fopenmp").varies(),
        own("sync/openmp_loaded.c").varies(),
        own("sync/database.c").compiled("-Wl,--no-as-needed -l:libsqlite3.so.0").varies(),
        own("threads/added_time_stamps.c").varies(),
        own("threads/primitives.c"),
        own("threads/tid_address.c").steady(),
        own("files/direct.c").steady(),
        own("threads/inheriting.c"),
        own("threads/exit_at_once.c").exits(20),
        own("threads/exit_at_once.c").with("by-signal").killed(SIGUSR1),
    ]
    .into_iter()
    .chain(rebuilt())
    .map(Case::in_parallel)
    .collect()
}

/// Programs that threads race in, compiled so that the races are ordered: atomic operations and volatile variables, or all
/// that they access.
fn rebuilt() -> Vec<Case> {
    let c = |mode: &'static str, compiler: &'static str| {
        [
            own("races/counter.c").compiled("-O2"),
            own("races/double_checked.c"),
            own("races/lock_free_stack.c"),
            own("races/mutual_exclusion.c").compiled("-O1 -DROUNDS=2000").with("dekker"),
            own("races/mutual_exclusion.c").compiled("-O1 -DROUNDS=2000").with("peterson"),
            own("races/sequence_lock.c"),
            own("races/spinning_flag.c").compiled("-O2").steady(),
            own("races/spinning_flag.c").compiled("-O2 -DPAUSE").steady(),
            own("races/spinning_flag.c").compiled("-O2 -DCOUNTING"),
        ]
        .map(|case| case.rebuilt(mode, compiler))
    };
    let cpp = |mode: &'static str, compiler: &'static str| {
        [own("languages/atomics.cc").varies(), own("languages/shared_pointers.cc")]
            .map(|case| case.rebuilt(mode, compiler))
    };
    let clang = [
        own("races/spinning_flag.c").compiled("-O2 -DCOUNTING").rebuilt("atomics", "clang"),
        own("races/lock_free_stack.c").rebuilt("all", "clang"),
        own("languages/atomics.cc").varies().rebuilt("atomics", "clang++"),
    ]
    .map(|case| case.needs("clang", "clang"));
    [
        c("atomics", "gcc").into(),
        c("all", "gcc").into(),
        cpp("atomics", "g++").into(),
        cpp("all", "g++").into(),
        clang.into(),
        vec![
            // Without a word that would tell the compiler that threads share it.
            own("races/counter.c").compiled("-O0 -Dvolatile=").rebuilt("all", "gcc"),
            own("languages/atomic_wait.cc").compiled("-std=c++20").rebuilt("atomics", "g++"),
            own("sync/long_hold.c").compiled("-O2").steady().rebuilt("atomics", "gcc"),
            own("sync/handled_flag.c").varies().rebuilt("atomics", "gcc"),
            own("sync/forked_accesses.c").varies().rebuilt("atomics", "gcc"),
        ],
    ]
    .concat()
}

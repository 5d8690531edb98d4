//! Rows for programs whose threads run in parallel while they are recorded, and when they are replayed.

use super::SIGUSR1;
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
        own("sync/database.c").compiled("-Wl,--no-as-needed -l:libsqlite3.so.0").varies(),
        own("threads/primitives.c"),
        own("threads/exit_at_once.c").exits(20),
        own("threads/exit_at_once.c").with("by-signal").killed(SIGUSR1),
    ]
    .map(Case::in_parallel)
    .into()
}

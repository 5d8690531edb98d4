//! Barriers: all that came before comes before all that goes on, and one of the threads is told that it is the one.

use super::engine::{self, Subject, next, tell};
use super::original::Original;
use super::rows::Row;
use super::word::Word;
use crate::divergence;
use crate::order::sections::{self, state};
use crate::thread;
use tracer_core::event::Operation;

static BARRIER_WAIT: Original = Original::new();

/// `pthread_barrier_wait`.
pub static ROWS: &[Row] = &[Row {
    name: b"pthread_barrier_wait",
    hook: || barrier_wait as *const () as u64,
    original: &BARRIER_WAIT,
    equivalent: None,
    stays: false,
}];

extern "C" fn barrier_wait(barrier: u64) -> i32 {
    let state = sections::state();
    // SAFETY: libc's function, with the program's barrier.
    let attempt = || unsafe { BARRIER_WAIT.call([barrier]) };
    if state == state::OFF || thread::current().borrows_memory {
        return attempt();
    }
    let of = |operation| Subject { operation, object: barrier, word: Word::of(barrier), alone: false };
    let thread = thread::current();
    engine::give(thread, state, of(Operation::Arrive));
    let leave = of(Operation::Leave);
    let result = if state == state::RECORD {
        let result = attempt();
        tell(thread, 0, leave, leave.word.place(), result);
        result
    } else {
        let Some(logged) = next(thread, leave) else {
            divergence::unexpected_operation(thread, leave.operation, barrier, leave.word.last())
        };
        // First this: the others wait for it. Some may have come to the next round before this thread left.
        attempt();
        leave.word.wait_for(thread, logged.place);
        logged.result
    };
    thread.passes += 1;
    result
}

//! Barriers: all that came before comes before all that goes on, and one of the threads is told that it is the one.

use super::engine::{self, Subject, expect, tell};
use super::interrupt;
use super::original::Original;
use super::rows::Row;
use crate::order::sections::{self, state};
use crate::watch;
use tracer_core::event::Operation;
use tracer_core::session::functions;

static BARRIER_WAIT: Original = Original::new();

/// `pthread_barrier_wait`.
pub static ROWS: &[Row] =
    &[Row::new(b"pthread_barrier_wait", || barrier_wait as *const () as u64, &BARRIER_WAIT).with_objects(1)];

extern "C" fn barrier_wait(barrier: u64) -> i32 {
    // SAFETY: libc's function, with the program's barrier.
    let attempt = || unsafe { BARRIER_WAIT.call([barrier]) };
    let Some((thread, state)) = sections::ordered() else { return attempt() };
    const FUNCTION: Option<u16> = functions::number(b"pthread_barrier_wait");
    if state == state::REPLAY {
        watch::operation_begins(thread, FUNCTION, [barrier, 0]);
    }
    engine::give(thread, state, Subject::by_address(Operation::Arrive, barrier));
    let leave = Subject::by_address(Operation::Leave, barrier);
    let result = if state == state::RECORD {
        let result = attempt();
        tell(thread, 0, leave, leave.word.place(), result);
        result
    } else {
        // Not the barrier itself is waited for: handlers of signals run meanwhile, for which others may have to be past it.
        interrupt::replay(thread);
        let logged = expect(thread, leave);
        leave.word.wait_for(thread, logged.place);
        watch::operation_ends(thread, FUNCTION, barrier, 0);
        logged.result
    };
    thread.passes += 1;
    result
}

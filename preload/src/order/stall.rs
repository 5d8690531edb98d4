//! Sync order, replay: threads that wait for each other for ever.
//!
//! In a replay that follows its recording there is always one that can go on. If there is none, because threads share
//! something that is not ordered and one of them has gone another way, that must be said: nobody else would.

use crate::thread::Thread;
use crate::{divergence, kernel, process};

/// How often in a row, each time after a second, a thread that waits has to find that nothing happens.
const ROUNDS: u32 = 10;
/// Nanoseconds of processor time in which threads that wait can wake up and look, but not do anything else.
const NOTHING: u64 = 5_000_000;

/// What a thread that waits has found so far.
pub struct Stall {
    rounds: u32,
    /// Processor time of the process, in nanoseconds, when the round began.
    before: u64,
}

impl Stall {
    /// The thread begins to wait.
    pub const fn new() -> Stall {
        Stall { rounds: 0, before: 0 }
    }

    /// The thread has waited for another second for something at `place`. Does not return if nothing will come.
    pub fn look(&mut self, thread: &mut Thread, what: &'static str, place: u64) {
        let now = kernel::processor_time();
        let idle = now - self.before < NOTHING && process::get().children.is_empty();
        self.rounds = if idle { self.rounds + 1 } else { 0 };
        self.before = now;
        if self.rounds == ROUNDS {
            divergence::stalled(thread, what, place);
        }
    }
}

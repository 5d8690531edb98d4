//! Replay: a stop that is not found.
//!
//! While a stop is looked for, the thread comes to no safepoint at which a divergence would show, and computes for ever
//! if it has missed the moment. What is certain is how much processor time the recorded thread had used by then, so
//! the thread's own is measured, which other work on the machine does not change: after [`NOTICE`] a line on stderr says what is waited for,
//! and after a multiple of the recorded time it is a divergence.

use super::timer;
use crate::kernel::{self, Line};
use crate::thread::Thread;
use core::fmt::Write;

/// Microseconds until the replay says what it waits for.
const NOTICE: u64 = 10_000_000;
/// Microseconds that any search may take.
const LEAST: u64 = 60_000_000;
/// How many times longer than in the recording a thread may take to come to a place that passages of are compared by
/// a jump; and where each of them is a trap: two microseconds in a loop that otherwise takes one nanosecond.
const FACTOR: u64 = 100;
const FACTOR_OF_TRAPS: u64 = 5000;

/// A search that has begun.
pub struct Search {
    began: u64,
    /// Microseconds that went into looking at all memory.
    pub compared: u64,
    noticed: bool,
}

impl Search {
    /// None.
    pub const NONE: Search = Search { began: 0, compared: 0, noticed: false };

    /// Begins now.
    pub fn begin(thread: &mut Thread) -> Search {
        timer::set(thread, NOTICE);
        Search { began: kernel::thread_time(), ..Search::NONE }
    }

    /// The timer has expired: how long the search lasts, in seconds, if that is too long. `recorded` is the recorded thread's
    /// time in microseconds, `address` what it is to come to.
    pub fn look(&mut self, thread: &mut Thread, recorded: u64, address: u64, traps: bool) -> Option<u64> {
        let factor = if traps { FACTOR_OF_TRAPS } else { FACTOR };
        let limit = LEAST.saturating_add(recorded.saturating_mul(factor)).saturating_add(self.compared);
        let used = kernel::thread_time().saturating_sub(self.began);
        if used >= limit {
            return Some(used / 1_000_000);
        }
        if !core::mem::replace(&mut self.noticed, true) {
            let mut line = Line::new();
            let _ = write!(
                line,
                "stream {} was stopped at {address:#x} in the recording and has not come to that state after {} s of \
                 processor time; after {} s it is a divergence",
                thread.stream,
                used / 1_000_000,
                limit / 1_000_000
            );
            line.print();
        }
        timer::set(thread, limit - used);
        None
    }
}

//! A lock of our own, taken in replay in the order of the recording.

use super::engine::{self, Subject};
use super::word::Word;
use crate::kernel;
use crate::order::sections::{self, state};
use crate::thread;
use core::sync::atomic::{AtomicU32, Ordering};
use tracer_core::event::Operation;

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const CONTENDED: u32 = 2;
/// How often the lock is looked at before the thread sleeps for it: it is held for a moment.
const SPINS: usize = 100;
/// Milliseconds that a sleeper sleeps at most.
const PATIENCE: u64 = 100;

/// See the module.
pub struct Ordered {
    lock: AtomicU32,
    word: Word,
}

impl Ordered {
    /// One that nobody has.
    pub const fn new() -> Ordered {
        Ordered { lock: AtomicU32::new(FREE), word: Word::new() }
    }

    /// Takes it for the calling thread.
    pub fn enter(&'static self) {
        let state = sections::state();
        if state == state::OFF {
            return self.lock();
        }
        let object = core::ptr::from_ref(self) as u64;
        let subject = Subject { operation: Operation::Internal, object, word: &self.word, alone: true };
        let attempt = || {
            self.lock();
            0
        };
        let thread = thread::current();
        match state {
            _ if thread.borrows_memory => self.lock(),
            state::RECORD => _ = engine::record_taking(thread, subject, attempt),
            _ => _ = engine::replay_taking(thread, subject, attempt),
        }
    }

    /// Gives it back.
    pub fn leave(&self) {
        if self.lock.swap(FREE, Ordering::Release) == CONTENDED {
            kernel::futex_wake_one(&self.lock);
        }
    }

    /// In the child of a fork: whoever has it is not there.
    pub fn reset(&self) {
        self.lock.store(FREE, Ordering::Relaxed);
    }

    fn lock(&self) {
        for _ in 0..SPINS {
            if self.lock.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
            core::hint::spin_loop();
        }
        while self.lock.swap(CONTENDED, Ordering::Acquire) != FREE {
            kernel::futex_wait(&self.lock, CONTENDED, PATIENCE);
        }
    }
}

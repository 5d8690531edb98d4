//! A lock of our own, taken in replay in the order of the recording.

use super::engine::{self, Subject};
use super::word::Word;
use crate::kernel;
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
        let object = core::ptr::from_ref(self) as u64;
        let subject = Subject { operation: Operation::Internal, object, word: &self.word, alone: true };
        engine::take(subject, || self.lock(), || self.lock());
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

    /// 0, as libc's functions say that they have a lock.
    fn lock(&self) -> i32 {
        for _ in 0..SPINS {
            if self.lock.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return 0;
            }
            core::hint::spin_loop();
        }
        while self.lock.swap(CONTENDED, Ordering::Acquire) != FREE {
            kernel::futex_wait(&self.lock, CONTENDED, PATIENCE);
        }
        0
    }
}

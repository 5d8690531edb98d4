//! A lock that the thread which has it can take again, in the order of the recording.

use crate::order::objects::ordered::Ordered;
use crate::thread;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// See the module.
pub struct Recursive {
    lock: Ordered,
    /// The address of the thread that has it, or 0.
    owner: AtomicU64,
    depth: AtomicU32,
}

fn me() -> u64 {
    &raw const *thread::current() as u64
}

impl Recursive {
    /// One that nobody has.
    pub const fn new() -> Recursive {
        Recursive { lock: Ordered::new(), owner: AtomicU64::new(0), depth: AtomicU32::new(0) }
    }

    /// Takes it for the calling thread.
    pub fn enter(&'static self) {
        if self.owner.load(Ordering::Relaxed) != me() {
            self.lock.enter();
            self.owner.store(me(), Ordering::Relaxed);
        }
        self.depth.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives it back.
    pub fn leave(&self) {
        // The child of a fork within has it no more.
        if self.owner.load(Ordering::Relaxed) == me() && self.depth.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.owner.store(0, Ordering::Relaxed);
            self.lock.leave();
        }
    }

    /// In the child of a fork: whoever had it may not be there.
    pub fn reset(&self) {
        if self.owner.swap(0, Ordering::Relaxed) != 0 {
            self.depth.store(0, Ordering::Relaxed);
        }
        self.lock.reset();
    }
}

//! Words that one process finds out and all others use.

use core::array;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const EMPTY: u32 = 0;
const CLAIMED: u32 = 1;
const COMPLETE: u32 = 2;

/// So many words, once somebody has published them.
#[repr(C)]
pub struct Published<const WORDS: usize> {
    state: AtomicU32,
    words: [AtomicU64; WORDS],
}

impl<const WORDS: usize> Published<WORDS> {
    /// What was published; else what `find_out` gives, which is published now.
    pub fn get(&self, find_out: impl FnOnce() -> [u64; WORDS]) -> [u64; WORDS] {
        if self.state.load(Ordering::Acquire) == COMPLETE {
            return array::from_fn(|at| self.words[at].load(Ordering::Relaxed));
        }
        let found = find_out();
        if self.state.compare_exchange(EMPTY, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            for (to, from) in self.words.iter().zip(found) {
                to.store(from, Ordering::Relaxed);
            }
            self.state.store(COMPLETE, Ordering::Release);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_finds_out() {
        // SAFETY: all-zero is valid: it is all atomics.
        let published = unsafe { Box::<Published<3>>::new_zeroed().assume_init() };
        assert_eq!(published.get(|| [1, 2, 3]), [1, 2, 3]);
        assert_eq!(published.get(|| unreachable!("it is known")), [1, 2, 3]);
    }
}

//! Recording: words of memory that change as the program runs, by which replay tells moments apart.
//!
//! Registers alone may be the same a million times between two signals: an interpreter comes to an instruction of
//! its own with few differences, while all that moves is somewhere on its heap. So memory is looked at when the
//! thread passes the place of the stop, and again when it comes there the next time: what is other then is what
//! tells passages apart.

use super::memory::{self, PAGE};
use alloc::boxed::Box;
use alloc::vec::Vec;
use kmod_shim::arch::native::user_memory;

/// Words of a page.
const WORDS: usize = PAGE / 8;
/// How many pages are kept to be compared: 16 MiB.
const COPIES: usize = 4096;
/// How many words of one page are taken.
const FROM_PAGE: usize = 16;

/// How many words are kept: as many as a snapshot has room for.
const WORDS_KEPT: usize = 1200;

type Words = [u64; WORDS];

/// A page of the program that was seen to change.
struct Copy {
    page: u64,
    words: Box<Words>,
}

/// What is known about memory from the last time that it was looked at.
pub struct Changes {
    /// All pages, ascending, with their hashes.
    hashes: Vec<(u64, u64)>,
    /// Some that changed, ascending.
    copies: Vec<Copy>,
    /// Words that have changed since.
    words: Vec<(u64, u64)>,
    /// Pages that changed for the first time.
    fresh: Vec<u64>,
}

impl Changes {
    /// Nothing is known.
    pub const NONE: Changes =
        Changes { hashes: Vec::new(), copies: Vec::new(), words: Vec::new(), fresh: Vec::new() };

    /// Hashes memory, and finds out what has changed since the last time. `None` as [`memory::hash`].
    pub fn hash(&mut self, rsp: u64) -> Option<u64> {
        let mut present = Vec::with_capacity(self.hashes.len() + 64);
        let sum = memory::hash_pages(rsp, &mut |page, hash| present.push((page, hash)))?;
        let earlier = core::mem::take(&mut self.words);
        self.fresh.clear();
        let before = core::mem::take(&mut self.hashes);
        let mut before = before.iter().peekable();
        let mut changed = Vec::new();
        for page in &present {
            while before.next_if(|known| known.0 < page.0).is_some() {}
            if before.next_if(|known| known.0 == page.0).is_none_or(|known| known.1 != page.1) {
                changed.push(page.0);
            }
        }
        self.hashes = present;
        let mut counts = Vec::new();
        for page in changed {
            self.compare(page, &mut counts);
        }
        self.sort_by_telling(&mut counts);
        self.append(&earlier);
        Some(sum)
    }

    /// Adds words that have changed before: a short loop inside a long one does not change what the long one does.
    fn append(&mut self, earlier: &[(u64, u64)]) {
        let mut known: Vec<u64> = self.words.iter().map(|(address, _)| *address).collect();
        known.sort_unstable();
        for (address, _) in earlier {
            if known.binary_search(address).is_err()
                && let Some(word) = crate::log::read_value(*address)
            {
                self.words.push((*address, word));
            }
        }
        self.words.truncate(WORDS_KEPT);
    }

    /// Takes the words of `page` that are not what they were, some of them if there are many.
    fn compare(&mut self, page: u64, counts: &mut Vec<(u64, usize)>) {
        let mut now = Box::new([0u64; WORDS]);
        // SAFETY: the target is a page of ours; a bad source makes the copy fail, not fault.
        if !unsafe { user_memory::copy(now.as_mut_ptr().cast(), page as *const u8, PAGE) } {
            return;
        }
        match self.copies.binary_search_by_key(&page, |copy| copy.page) {
            Ok(index) => {
                let before = &mut self.copies[index].words;
                let differs = |index: &usize| before[*index] != now[*index];
                let count = (0..WORDS).filter(differs).count();
                counts.push((page, count));
                let step = count.div_ceil(FROM_PAGE).max(1);
                let some = (0..WORDS).filter(differs).step_by(step);
                self.words.extend(some.map(|index| (page + 8 * index as u64, now[index])));
                *before = now;
            }
            Err(index) => {
                self.fresh.push(page);
                if self.copies.len() < COPIES {
                    self.copies.insert(index, Copy { page, words: now });
                }
            }
        }
    }

    /// Puts words of pages with few changes first: counters rather than data.
    fn sort_by_telling(&mut self, counts: &mut [(u64, usize)]) {
        counts.sort_unstable();
        let page = !(PAGE as u64 - 1);
        let count = |address: u64| {
            counts.binary_search_by_key(&(address & page), |entry| entry.0).map_or(WORDS, |at| counts[at].1)
        };
        self.words.sort_unstable_by_key(|(address, _)| (count(*address), *address));
    }

    /// Words that have changed, the most telling first: address and contents.
    pub fn words(&self) -> &[(u64, u64)] {
        &self.words
    }

    /// Pages that have changed for the first time, ascending.
    pub fn fresh(&self) -> &[u64] {
        &self.fresh
    }
}

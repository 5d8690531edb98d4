//! Which units are free: a two-level segregated fit (Masmano and others, "TLSF", 2004) with its records outside of the
//! memory. Taking, freeing and joining take constant time and depend on nothing but what was taken and freed before.

use super::scale;
use super::table::{NONE, Spans, State};

/// Lists of free spans: one for each step of [`scale`] up to 2^27 units.
const LISTS: usize = scale::at_most(1 << 27) + 1;
const WORDS: usize = LISTS.div_ceil(64);
/// How many spans the system may refuse to empty before the rest is left alone. It does so for memory that is locked,
/// which after mlockall is all.
const REFUSALS: usize = 8;

/// The units of one part of the address range. All of it belongs to [`Section::PAGES`](super::Section::PAGES).
pub struct Runs {
    /// Their records.
    pub spans: Spans,
    /// How many there are.
    limit: u32,
    /// Units from here on have never been used.
    top: u32,
    lists: [u32; LISTS],
    /// One bit for each list that is not empty.
    filled: [u64; WORDS],
    /// Units that may contain something, over all free spans.
    dirty: usize,
    /// Units of all spans that are in use.
    used: usize,
    /// How many free spans there are.
    free_spans: usize,
}

/// A span that was taken.
#[derive(Clone, Copy)]
pub struct Taken {
    /// Its first unit.
    pub first: u32,
    /// It contains nothing but zeros.
    pub is_zero: bool,
}

impl Runs {
    /// `limit` units, none of which was used.
    pub const fn new(records: usize, limit: usize) -> Runs {
        Runs {
            spans: Spans { records },
            limit: limit as u32,
            top: 0,
            lists: [NONE; LISTS],
            filled: [0; WORDS],
            dirty: 0,
            used: 0,
            free_spans: 0,
        }
    }

    /// Units that are free and may contain something.
    pub fn dirty(&self) -> usize {
        self.dirty
    }

    /// Units in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// How many runs of free units there are.
    pub fn free_spans(&self) -> usize {
        self.free_spans
    }

    /// Takes `units`, the first a multiple of `alignment` (a power of two). `reach` makes the units before the one that
    /// it is given usable, or says that this is impossible.
    pub fn take(&mut self, units: usize, alignment: usize, reach: impl FnOnce(u32) -> bool) -> Option<Taken> {
        let padded = units.checked_add(alignment - 1)?;
        let (begin, length, dirty) = match self.find(padded) {
            Some(first) => {
                let (length, dirty) = self.remove(first);
                (first, length, dirty)
            }
            None => {
                if padded > (self.limit - self.top) as usize || !reach(self.top + padded as u32) {
                    return None;
                }
                let begin = self.top;
                self.top += padded as u32;
                (begin, padded as u32, 0)
            }
        };
        let first = begin.next_multiple_of(alignment as u32);
        let (before, units) = (first - begin, units as u32);
        let after = length - before - units;
        self.mark(first, units, State::Used);
        self.used += units as usize;
        self.join(begin, before, dirty.min(before));
        self.join(first + units, after, dirty.min(after));
        Some(Taken { first, is_zero: dirty == 0 })
    }

    /// Frees a span, of which at most `dirty` units contain something, and joins it with its neighbours.
    pub fn free(&mut self, first: u32, dirty: u32) {
        let units = self.spans.at(first).units.get();
        self.used -= units as usize;
        self.join(first, units, dirty.min(units));
    }

    /// Makes a span in use longer by `more` units, if those behind it are free.
    pub fn lengthen(&mut self, first: u32, more: u32, reach: impl FnOnce(u32) -> bool) -> bool {
        let units = self.spans.at(first).units.get();
        let end = first + units;
        if end == self.top {
            if more > self.limit - end || !reach(end + more) {
                return false;
            }
            self.top = end + more;
        } else {
            let next = self.spans.at(end);
            if next.state.get() != State::Free || next.units.get() < more {
                return false;
            }
            let (length, dirty) = self.remove(end);
            if length > more {
                self.insert(end + more, length - more, dirty.min(length - more));
            }
        }
        self.mark(first, units + more, State::Used);
        self.used += more as usize;
        true
    }

    /// Makes a span in use `units` long, which is less than it was. Of the rest at most `dirty` contain something.
    pub fn shorten(&mut self, first: u32, units: u32, dirty: u32) {
        let less = self.spans.at(first).units.get() - units;
        self.mark(first, units, State::Used);
        self.used -= less as usize;
        self.join(first + units, less, dirty.min(less));
    }

    /// Empties free spans, the longest first, until at most `keep` units of them contain something. `discard` gets a first
    /// unit and a length, and says whether the units are zero now. True if there was something to empty.
    pub fn clean(&mut self, keep: usize, mut discard: impl FnMut(u32, u32) -> bool) -> bool {
        let (mut any, mut refused) = (false, 0);
        for list in (0..LISTS).rev() {
            let mut first = self.lists[list];
            while first != NONE {
                if self.dirty <= keep || refused == REFUSALS {
                    return any;
                }
                let span = self.spans.at(first);
                match span.dirty.get() {
                    0 => {}
                    dirty if discard(first, span.units.get()) => {
                        span.dirty.set(0);
                        self.dirty -= dirty as usize;
                        any = true;
                    }
                    _ => refused += 1,
                }
                first = span.next.get();
            }
        }
        any
    }

    /// A free span of at least that many units.
    fn find(&self, units: usize) -> Option<u32> {
        // What was freed last is often just as long.
        let near = *self.lists.get(scale::at_most(units))?;
        if near != NONE && self.spans.at(near).units.get() as usize >= units {
            return Some(near);
        }
        let from = scale::at_least(units);
        let mut word = from / 64;
        let mut bits = self.filled.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.filled.get(word)?;
        }
        Some(self.lists[word * 64 + bits.trailing_zeros() as usize])
    }

    /// Inserts a span that nobody uses, together with what is free on both sides of it.
    fn join(&mut self, mut first: u32, mut units: u32, mut dirty: u32) {
        if units == 0 {
            return;
        }
        if first > 0 {
            let last = self.spans.at(first - 1);
            if last.state.get() == State::Free {
                let before = first - last.units.get();
                let (length, more) = self.remove(before);
                (first, units, dirty) = (before, units + length, dirty + more);
            }
        }
        let end = first + units;
        if end < self.top && self.spans.at(end).state.get() == State::Free {
            let (length, more) = self.remove(end);
            (units, dirty) = (units + length, dirty + more);
        }
        self.insert(first, units, dirty);
    }

    fn insert(&mut self, first: u32, units: u32, dirty: u32) {
        self.mark(first, units, State::Free);
        self.spans.at(first).dirty.set(dirty);
        let list = scale::at_most(units as usize);
        self.spans.push(&mut self.lists[list], first);
        self.filled[list / 64] |= 1 << (list % 64);
        self.dirty += dirty as usize;
        self.free_spans += 1;
    }

    /// Takes a free span out of its list; how long it is, and how many units may contain something.
    fn remove(&mut self, first: u32) -> (u32, u32) {
        let span = self.spans.at(first);
        let (units, dirty) = (span.units.get(), span.dirty.get());
        let list = scale::at_most(units as usize);
        self.spans.remove(&mut self.lists[list], first);
        if self.lists[list] == NONE {
            self.filled[list / 64] &= !(1 << (list % 64));
        }
        self.dirty -= dirty as usize;
        self.free_spans -= 1;
        (units, dirty)
    }

    /// Writes what a span is to the records of its ends, by which its neighbours know it.
    fn mark(&self, first: u32, units: u32, state: State) {
        for end in [first, first + units - 1] {
            let record = self.spans.at(end);
            record.units.set(units);
            record.state.set(state);
        }
    }
}

//! Memory that is mapped from its begin on, as far as it was needed so far.

use super::System;

/// Bytes that are mapped at a time, if the system has as many.
const STEP: usize = 1 << 20;
/// Bytes that the tables are mapped in.
const TABLE_STEP: usize = 64 << 10;

/// One part of the address range.
pub struct Area {
    begin: usize,
    limit: usize,
    mapped: usize,
    step: usize,
}

impl Area {
    /// A part for blocks, of `limit` bytes.
    pub const fn blocks(begin: usize, limit: usize) -> Area {
        Area { begin, limit, mapped: 0, step: STEP }
    }

    /// A part for a table, of `limit` bytes.
    pub const fn table(begin: usize, limit: usize) -> Area {
        Area { begin, limit, mapped: 0, step: TABLE_STEP }
    }

    /// How many bytes are mapped.
    pub fn mapped(&self) -> usize {
        self.mapped
    }

    /// Makes the first `size` bytes usable. False if the system has no memory for that.
    pub fn reach<S: System>(&mut self, system: &S, size: usize) -> bool {
        if size <= self.mapped {
            return true;
        }
        // A sixteenth more than there is, so that a large heap does not take many calls.
        let generous = size.max(self.mapped + self.mapped / 16).next_multiple_of(self.step);
        let exact = size.next_multiple_of(TABLE_STEP);
        for end in [generous.min(self.limit), exact] {
            if end >= size && system.map(self.begin + self.mapped, end - self.mapped) {
                self.mapped = end;
                return true;
            }
        }
        false
    }
}

//! Where the instructions of a stub came from, so that a signal that interrupts one can be shown the place in
//! the program that it stands for.

/// More than any stub marks.
const CAPACITY: usize = 12;

/// A short table: from here on, the stub does what the program does from there on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// The first marked address in the program.
    base: u64,
    /// Distance from the start of the stub, and from `base`, in bytes; in ascending order.
    marks: [(u8, u8); CAPACITY],
    count: usize,
}

impl Origins {
    /// What stands `offset` bytes into the stub comes from `address`. A mark too many, or one too far from the
    /// others, is left out: the one before it then covers its place.
    pub(super) fn mark(&mut self, offset: usize, address: u64) {
        if self.count == 0 {
            self.base = address;
        }
        let distance = address.checked_sub(self.base).and_then(|distance| u8::try_from(distance).ok());
        let mark = u8::try_from(offset).ok().zip(distance);
        if let (Some(mark), Some(free)) = (mark, self.marks.get_mut(self.count)) {
            *free = mark;
            self.count += 1;
        }
    }

    /// The address in the program that stands for the one `offset` bytes into the stub.
    pub fn origin(&self, offset: usize) -> Option<u64> {
        let marks = self.marks.get(..self.count)?;
        let after = marks.partition_point(|&(start, _)| usize::from(start) <= offset);
        let &(_, distance) = marks.get(after.checked_sub(1)?)?;
        Some(self.base + u64::from(distance))
    }
}

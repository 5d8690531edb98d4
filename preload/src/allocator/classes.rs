//! Size classes: what the sizes of small blocks are rounded up to, and how a class is laid out in memory.

use super::scale;
use super::table::UNIT;
use core::ops::RangeInclusive;

/// Every block is aligned to this, and every small block's size is a multiple of it, as glibc's MALLOC_ALIGNMENT.
pub const GRAIN: usize = 16;
/// Bytes of the largest small block.
pub const SMALL: usize = 32 << 10;
/// How many classes there are; they are numbered from 1, which is the smallest.
pub const CLASSES: usize = scale::at_least(SMALL / GRAIN);

/// The most that a thread takes from, or gives back to, the central lists at once, in bytes and in blocks. It keeps up to
/// twice as much of each class.
///
/// With one block instead of at least four, random use of a class took an exchange for every second block.
const BATCH_BYTES: usize = 32 << 10;
const BATCH_BLOCKS: RangeInclusive<usize> = 4..=64;

/// One class.
#[derive(Clone, Copy)]
pub struct Class {
    /// Bytes of a block.
    pub size: u32,
    /// Units of memory that blocks are cut from at a time.
    pub units: u32,
    /// How many blocks that makes.
    pub blocks: u32,
    /// The most blocks that a thread exchanges at once.
    pub batch: u32,
    /// 2^64 / `size`, rounded up (see [`Class::divides`]).
    inverse: u64,
}

/// The classes by number. The first is none.
pub static TABLE: [Class; CLASSES + 1] = {
    let mut table = [Class::of(1); CLASSES + 1];
    let mut number = 1;
    while number <= CLASSES {
        table[number] = Class::of(number);
        number += 1;
    }
    table
};

/// The number of the smallest class whose blocks have at least so many times [`GRAIN`] bytes.
static NUMBERS: [u8; SMALL / GRAIN + 1] = {
    let mut numbers = [1; SMALL / GRAIN + 1];
    let mut grains = 1;
    while grains < numbers.len() {
        numbers[grains] = scale::at_least(grains) as u8;
        grains += 1;
    }
    numbers
};

/// The number of the smallest class for blocks of `size` bytes, which is at most [`SMALL`].
#[inline]
pub fn number_for(size: usize) -> usize {
    debug_assert!(size <= SMALL);
    // SAFETY: the caller's size is at most SMALL, for which the table has its last element.
    usize::from(unsafe { *NUMBERS.get_unchecked(size.div_ceil(GRAIN)) })
}

impl Class {
    const fn of(number: usize) -> Class {
        let size = scale::value(number) * GRAIN;
        // At least four blocks, and little left over at the end.
        let mut units = (4 * size).div_ceil(UNIT);
        while units * UNIT % size > units * UNIT / 32 {
            units += 1;
        }
        let fitting = BATCH_BYTES / size;
        let batch = match fitting {
            _ if fitting < *BATCH_BLOCKS.start() => *BATCH_BLOCKS.start(),
            _ if fitting > *BATCH_BLOCKS.end() => *BATCH_BLOCKS.end(),
            _ => fitting,
        };
        Class {
            size: size as u32,
            units: units as u32,
            blocks: (units * UNIT / size) as u32,
            batch: batch as u32,
            inverse: u64::MAX / size as u64 + 1,
        }
    }

    /// Whether a block begins at `offset`, which is below 2^32, from where the class's memory begins.
    ///
    /// `offset * (2^64 / size)` is a multiple of 2^64, but for the error of rounding, just for multiples of the size
    /// (Lemire, Kaser, Kurz: "Faster remainder by direct computation", 2019).
    #[inline]
    pub fn divides(&self, offset: usize) -> bool {
        (offset as u64).wrapping_mul(self.inverse) < self.inverse
    }
}

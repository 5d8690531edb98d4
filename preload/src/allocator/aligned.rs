//! Blocks with an alignment: memalign and its relatives.

use super::classes::{self, CLASSES, GRAIN, SMALL};
use super::table::{PAGE, UNIT};
use super::{Cache, Failure, Heap, System};

impl<S: System> Heap<S> {
    /// memalign, and aligned_alloc, which is the same function in glibc 2.36: an alignment that is no power of two is
    /// rounded up to one.
    pub fn allocate_aligned(
        &self,
        cache: &mut Cache,
        alignment: usize,
        size: usize,
    ) -> Result<*mut u8, Failure> {
        /// The largest power of two.
        const LAST: usize = 1 << (usize::BITS - 1);
        if alignment > LAST {
            return Err(Failure::Invalid);
        }
        let alignment = alignment.next_power_of_two();
        if alignment <= GRAIN {
            return self.allocate(cache, size);
        }
        // A block of a multiple of the alignment is aligned if the span is, which begins with a unit.
        if alignment <= UNIT && size <= SMALL {
            let fitting = (classes::number_for(size)..=CLASSES)
                .find(|number| (classes::TABLE[*number].size as usize).is_multiple_of(alignment));
            if let Some(number) = fitting {
                return self.allocate(cache, classes::TABLE[number].size as usize);
            }
        }
        self.allocate_large(size, alignment).map(|(block, _)| block)
    }

    /// posix_memalign.
    pub fn allocate_posix(
        &self,
        cache: &mut Cache,
        alignment: usize,
        size: usize,
    ) -> Result<*mut u8, Failure> {
        if !alignment.is_power_of_two() || !alignment.is_multiple_of(size_of::<usize>()) {
            return Err(Failure::Invalid);
        }
        self.allocate_aligned(cache, alignment, size)
    }

    /// valloc: a block that begins with a page.
    pub fn allocate_page(&self, cache: &mut Cache, size: usize) -> Result<*mut u8, Failure> {
        self.allocate_aligned(cache, PAGE, size)
    }

    /// pvalloc: whole pages.
    pub fn allocate_pages(&self, cache: &mut Cache, size: usize) -> Result<*mut u8, Failure> {
        let size = size.checked_next_multiple_of(PAGE).ok_or(Failure::NoMemory)?;
        self.allocate_page(cache, size)
    }
}

//! realloc: in place where that is possible.

use super::classes::{self, SMALL};
use super::{Cache, Corruption, Failure, Heap, System};

impl<S: System> Heap<S> {
    /// realloc: null is malloc; a size of 0 frees the block and gives null, as in glibc.
    ///
    /// For a block that is not ours it fails with [`Failure::Foreign`] before anything is done: the caller allocates, copies
    /// and frees the block where it came from.
    ///
    /// # Safety
    /// As of realloc: nobody uses the block meanwhile, nor afterwards if another one is returned.
    pub unsafe fn resize(&self, cache: &mut Cache, block: *mut u8, size: usize) -> Result<*mut u8, Failure> {
        if block.is_null() {
            return self.allocate(cache, size);
        }
        let address = block as usize;
        let old = match self.small(address) {
            Some((number, offset)) => {
                let class = &classes::TABLE[number];
                if !class.divides(offset) {
                    self.system.corrupted(Corruption::Realloc);
                }
                let old = class.size as usize;
                // Less than half would waste too much.
                if size <= old && size > old / 2 {
                    return Ok(block);
                }
                old
            }
            None if Self::is_foreign(address) => return Err(Failure::Foreign),
            None if size == 0 => 0,
            None => match self.resize_large(address, size)? {
                Ok(address) => return Ok(address as *mut u8),
                Err(old) => old,
            },
        };
        if size == 0 {
            // SAFETY: the caller's.
            return unsafe { self.free(cache, block) }.map(|()| core::ptr::null_mut());
        }
        if size <= SMALL && old <= SMALL && classes::number_for(size) == classes::number_for(old) {
            return Ok(block);
        }
        let new = self.allocate(cache, size)?;
        // SAFETY: both blocks have that many bytes, and the new one is another.
        unsafe { new.copy_from_nonoverlapping(block, old.min(size)) };
        // SAFETY: the caller's.
        unsafe { self.free(cache, block) }?;
        Ok(new)
    }

    /// reallocarray: the same, of a product.
    ///
    /// # Safety
    /// As of [`Heap::resize`].
    pub unsafe fn resize_array(
        &self,
        cache: &mut Cache,
        block: *mut u8,
        count: usize,
        size: usize,
    ) -> Result<*mut u8, Failure> {
        let size = count.checked_mul(size).ok_or(Failure::NoMemory)?;
        // SAFETY: the caller's.
        unsafe { self.resize(cache, block, size) }
    }
}

//! The rewriter's system calls.

use kmod_shim::arch::native::raw;
use kmod_shim::patch::kernel::{Kernel, Piece, write_as_debugger};

/// They are made by ourselves.
pub struct Calls;

impl Kernel for Calls {
    fn map(&self, address: u64, length: u64, protection: i32, flags: i32) -> isize {
        // SAFETY: the rewriter maps with MAP_FIXED_NOREPLACE, which replaces nothing.
        unsafe {
            raw::call(libc::SYS_mmap, [address, length, protection as u64, flags as u64, u64::MAX, 0])
                as isize
        }
    }

    unsafe fn write(&self, pieces: &[Piece]) -> isize {
        // SAFETY: as the trait's contract says; the calls are those that it describes.
        unsafe { write_as_debugger(|number, arguments| raw::call(number, arguments), pieces) }
    }

    unsafe fn protect(&self, address: u64, length: u64, protection: i32) -> isize {
        // SAFETY: as the trait's contract says.
        unsafe { raw::call(libc::SYS_mprotect, [address, length, protection as u64, 0, 0, 0]) as isize }
    }
}

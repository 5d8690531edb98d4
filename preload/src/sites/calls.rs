//! The rewriter's system calls.

use crate::kernel;
use core::sync::atomic::{AtomicI32, Ordering};
use kmod_shim::arch::native::raw;
use kmod_shim::patch::kernel::{Kernel, Piece, open_memory, write_as_debugger, write_to_memory};

/// No descriptor.
const NONE: i32 = -1;

/// This process's memory, while it is held open.
static MEMORY: AtomicI32 = AtomicI32::new(NONE);

/// They are made by ourselves.
pub struct Calls;

impl Calls {
    /// Holds the process's memory open while `action` makes several changes: to open it costs more than to write.
    /// Only at start, before the program can see the descriptor or fork.
    pub fn in_a_row(action: impl FnOnce()) {
        MEMORY.store(open_memory(&call).max(i64::from(NONE)) as i32, Ordering::Relaxed);
        action();
        match MEMORY.swap(NONE, Ordering::Relaxed) {
            NONE => {}
            descriptor => kernel::close(descriptor),
        }
    }
}

fn call(number: i64, arguments: [u64; 6]) -> i64 {
    // SAFETY: only the functions of `kmod_shim::patch::kernel` use this, with valid paths and buffers.
    unsafe { raw::call(number, arguments) }
}

impl Kernel for Calls {
    fn map(&self, address: u64, length: u64, protection: i32, flags: i32) -> isize {
        // SAFETY: the rewriter maps with MAP_FIXED_NOREPLACE, which replaces nothing.
        unsafe {
            raw::call(libc::SYS_mmap, [address, length, protection as u64, flags as u64, u64::MAX, 0])
                as isize
        }
    }

    unsafe fn write(&self, pieces: &[Piece]) -> isize {
        // SAFETY: as the trait's contract says.
        unsafe {
            match MEMORY.load(Ordering::Relaxed) {
                NONE => write_as_debugger(call, pieces),
                file => write_to_memory(&call, file, pieces),
            }
        }
    }

    unsafe fn protect(&self, address: u64, length: u64, protection: i32) -> isize {
        // SAFETY: as the trait's contract says.
        unsafe { raw::call(libc::SYS_mprotect, [address, length, protection as u64, 0, 0, 0]) as isize }
    }
}

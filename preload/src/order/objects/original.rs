//! The functions of libc whose entries are redirected, and where each goes on.

use core::sync::atomic::{AtomicU64, Ordering};

/// A redirected function, or one that the hooks need.
#[derive(Debug)]
#[repr(transparent)]
pub struct Original(AtomicU64);

impl Original {
    /// One that was not found yet.
    pub const fn new() -> Original {
        Original(AtomicU64::new(0))
    }

    /// It was found: `address` goes on where its entry was redirected, or is the entry.
    pub fn set(&self, address: u64) {
        self.0.store(address, Ordering::Relaxed);
    }

    /// Calls it.
    ///
    /// # Safety
    /// It was found, and takes (at most) these arguments.
    #[inline(always)]
    pub unsafe fn call<const N: usize>(&self, arguments: [u64; N]) -> i32 {
        const { assert!(N <= 4) };
        // A thread may be cancelled in it, and is then unwound through our frames: as "C", which for the compiler never
        // unwinds, they have neither clean-up nor a guard that would abort.
        type Function = extern "C" fn(u64, u64, u64, u64) -> i32;
        let argument = |at: usize| if at < N { arguments[at] } else { 0 };
        // SAFETY: the caller vouches for the function; in the C ABI, registers that it does not read may have any value.
        let function: Function = unsafe { core::mem::transmute(self.place()) };
        function(argument(0), argument(1), argument(2), argument(3))
    }

    /// Calls it for an address.
    ///
    /// # Safety
    /// It was found, takes (at most) these arguments and returns an address.
    pub unsafe fn address<const N: usize>(&self, arguments: [u64; N]) -> u64 {
        const { assert!(N <= 1) };
        // SAFETY: the caller vouches for it; see `call`.
        let function: extern "C" fn(u64) -> u64 = unsafe { core::mem::transmute(self.place()) };
        function(arguments.first().copied().unwrap_or(0))
    }

    /// What [`Original::set`] was told.
    #[inline(always)]
    pub fn place(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

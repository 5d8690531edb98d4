//! Changing code that is mapped read-only.

use core::sync::atomic::{AtomicU64, Ordering};

use super::near_memory::Kernel;
use super::refusal::Refusal;

/// The unit of protection, in bytes.
const PAGE: u64 = 4096;
/// The unit that processors fetch, load and store at once, in bytes.
const WORD: u64 = 8;

/// How bytes may appear in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// One after the other: nobody executes them meanwhile.
    Bytewise,
    /// All or none: another thread may be executing them.
    AtOnce,
}

/// Writes `bytes` at `address`, in memory that is readable and executable and will be so again: a mapping that
/// kept another protection would stay split from its neighbours, and the number of mappings is limited.
///
/// # Errors
/// The kernel changed no protection, or (with all bytes written) did not change it back; or the bytes do not
/// lie within an aligned word as `Store::AtOnce` needs.
///
/// # Safety
/// The memory is mapped, readable and executable but not writable; its contents may be changed under whoever
/// executes it, if in the manner that `store` says.
pub(super) unsafe fn write(
    kernel: &impl Kernel,
    address: u64,
    bytes: &[u8],
    store: Store,
) -> Result<(), Refusal> {
    let offset = (address % WORD) as usize;
    if store == Store::AtOnce && offset + bytes.len() > WORD as usize {
        return Err(Refusal::NotAtomic);
    }
    let start = address - address % PAGE;
    let length = (address + bytes.len() as u64).next_multiple_of(PAGE) - start;
    let usual = libc::PROT_READ | libc::PROT_EXEC;
    // Execution goes on being allowed: other threads may be anywhere in these pages.
    // SAFETY: adding a right takes nothing from anybody.
    match unsafe { kernel.protect(start, length, usual | libc::PROT_WRITE) } {
        0 => {}
        error => return Err(Refusal::NotWritable(errno(error))),
    }
    match store {
        Store::Bytewise => {
            // SAFETY: the memory is writable now, and the caller lets it be written one byte after the other.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        }
        Store::AtOnce => {
            // SAFETY: the word is aligned, in a page that is writable now, and changed by nobody else.
            let word = unsafe { AtomicU64::from_ptr((address - offset as u64) as *mut u64) };
            let mut changed = word.load(Ordering::Relaxed).to_le_bytes();
            for (to, from) in changed.iter_mut().skip(offset).zip(bytes) {
                *to = *from;
            }
            word.store(u64::from_le_bytes(changed), Ordering::Release);
        }
    }
    // SAFETY: this is the protection that the caller knows it to have.
    match unsafe { kernel.protect(start, length, usual) } {
        0 => Ok(()),
        error => Err(Refusal::LeftWritable(errno(error))),
    }
}

/// The `errno` in a system call's result.
fn errno(result: isize) -> i32 {
    i32::try_from(result.wrapping_neg()).unwrap_or(libc::EINVAL)
}

//! Changing code that is mapped read-only.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use super::kernel::{Kernel, protect, write_memory};
use super::refusal::Refusal;

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

/// Writes `bytes` at `address`, in `mapping`, which is readable and executable and stays so.
///
/// The kernel writes them, as it does for debuggers, which needs no change of protection: quick, and no
/// mapping is writable and executable even for a moment. Where there is no /proc, or when the bytes must appear
/// at once, the whole mapping becomes writable for that moment. Only the whole: a part of a file's private
/// mapping would not join the rest again (the kernel counts what has once been writable, `VM_ACCOUNT`, and
/// keeps it apart), one more line in /proc/self/maps for each page; and the vDSO's may not be split (EINVAL).
///
/// # Errors
/// The kernel changed no protection, or (with all bytes written) did not change it back; or the bytes do not
/// lie within an aligned word as `Store::AtOnce` needs.
///
/// # Safety
/// The mapping is one, private, readable and executable but not writable; the bytes are in it, and may be
/// changed under whoever executes them, if in the manner that `store` says.
pub(super) unsafe fn write(
    kernel: &impl Kernel,
    mapping: &Range<u64>,
    address: u64,
    bytes: &[u8],
    store: Store,
) -> Result<(), Refusal> {
    if store == Store::Bytewise {
        // SAFETY: the caller lets them be changed one after the other.
        let written = unsafe { write_memory(kernel, address, bytes) };
        // Some other file system's /proc, or a security module, may do less than it says: look.
        // SAFETY: the mapping is readable.
        let found = unsafe { core::slice::from_raw_parts(address as *const u8, bytes.len()) };
        if written == Ok(bytes.len() as u64) && found == bytes {
            return Ok(());
        }
    }
    let offset = (address % WORD) as usize;
    if store == Store::AtOnce && offset + bytes.len() > WORD as usize {
        return Err(Refusal::NotAtomic);
    }
    let usual = libc::PROT_READ | libc::PROT_EXEC;
    let length = mapping.end - mapping.start;
    // Execution goes on being allowed: other threads may be anywhere in it.
    // SAFETY: adding a right takes nothing from anybody.
    unsafe { protect(kernel, mapping.start, length, usual | libc::PROT_WRITE) }.map_err(Refusal::NotWritable)?;
    match store {
        Store::Bytewise => {
            // SAFETY: the memory is writable now, and the caller lets it be written one byte after the other.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        }
        Store::AtOnce => {
            // SAFETY: the word is aligned, in memory that is writable now, and changed by nobody else.
            let word = unsafe { AtomicU64::from_ptr((address - offset as u64) as *mut u64) };
            let mut changed = word.load(Ordering::Relaxed).to_le_bytes();
            for (to, from) in changed.iter_mut().skip(offset).zip(bytes) {
                *to = *from;
            }
            word.store(u64::from_le_bytes(changed), Ordering::Release);
        }
    }
    // SAFETY: this is the protection that the caller knows it to have.
    unsafe { protect(kernel, mapping.start, length, usual) }.map_err(Refusal::LeftWritable)
}

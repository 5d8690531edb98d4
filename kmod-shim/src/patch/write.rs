//! Changing code that is mapped read-only.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use super::kernel::{Kernel, Piece};
use super::refusal::{Refusal, errno};

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

/// A change of code.
pub(super) struct Change<'a> {
    /// The mapping that it is in: one, private, readable and executable but not writable.
    pub(super) mapping: Range<u64>,
    /// What is written where.
    pub(super) piece: Piece<'a>,
    /// In which manner.
    pub(super) store: Store,
}

/// Makes `changes`, in this order. Their mappings stay what they are.
///
/// The kernel writes them, as it does for debuggers, which needs no change of protection: quick, and no
/// mapping is writable and executable even for a moment. Where there is no /proc, or when the bytes must appear
/// at once, the whole mapping becomes writable for that moment. Only the whole: a part of a file's private
/// mapping would not join the rest again (the kernel counts what has once been writable, `VM_ACCOUNT`, and
/// keeps it apart), one more line in /proc/self/maps for each page; and the vDSO's may not be split (EINVAL).
///
/// # Errors
/// The kernel changed no protection, or (with all written) did not change it back; or the bytes do not lie
/// within an aligned word as `Store::AtOnce` needs.
///
/// # Safety
/// The mappings are as stated, the pieces are in them, and may be changed under whoever executes them, if in
/// the manner stated.
pub(super) unsafe fn write(kernel: &impl Kernel, changes: &[Change; 2]) -> Result<(), Refusal> {
    if changes.iter().all(|change| change.store == Store::Bytewise) {
        let pieces = changes.each_ref().map(|change| change.piece);
        // SAFETY: the caller lets them be changed byte after byte.
        let written = unsafe { kernel.write(&pieces) };
        // What another file system has there, or a security module, may do less than it says: look.
        if written == 0 && pieces.iter().all(is_written) {
            return Ok(());
        }
    }
    // SAFETY: the caller vouches for each.
    changes.iter().try_for_each(|change| unsafe { write_unprotected(kernel, change) })
}

fn is_written(piece: &Piece) -> bool {
    // SAFETY: pieces are in readable memory, and nobody else changes them.
    piece.bytes == unsafe { core::slice::from_raw_parts(piece.address as *const u8, piece.bytes.len()) }
}

/// Makes one change with the mapping writable for the moment.
///
/// # Safety
/// As [`write()`].
unsafe fn write_unprotected(kernel: &impl Kernel, change: &Change) -> Result<(), Refusal> {
    let Change { mapping, piece: Piece { address, bytes }, store } = change;
    let offset = (address % WORD) as usize;
    if *store == Store::AtOnce && offset + bytes.len() > WORD as usize {
        return Err(Refusal::NotAtomic);
    }
    let usual = libc::PROT_READ | libc::PROT_EXEC;
    let length = mapping.end - mapping.start;
    // Execution goes on being allowed: other threads may be anywhere in it.
    // SAFETY: adding a right takes nothing from anybody.
    match unsafe { kernel.protect(mapping.start, length, usual | libc::PROT_WRITE) } {
        0 => {}
        error => return Err(Refusal::NotWritable(errno(error))),
    }
    match store {
        Store::Bytewise => {
            // SAFETY: the memory is writable now, and the caller lets it be written byte after byte.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), *address as *mut u8, bytes.len()) };
        }
        Store::AtOnce => {
            // SAFETY: the word is aligned, in memory that is writable now, and changed by nobody else.
            let word = unsafe { AtomicU64::from_ptr((address - offset as u64) as *mut u64) };
            let mut changed = word.load(Ordering::Relaxed).to_le_bytes();
            for (to, from) in changed.iter_mut().skip(offset).zip(*bytes) {
                *to = *from;
            }
            word.store(u64::from_le_bytes(changed), Ordering::Release);
        }
    }
    // SAFETY: this is the protection that the caller knows it to have.
    match unsafe { kernel.protect(mapping.start, length, usual) } {
        0 => Ok(()),
        error => Err(Refusal::LeftWritable(errno(error))),
    }
}

//! What is known of the accesses to 64 bytes of memory.
//!
//! Granules lie in a table, by a part of the address: memory that is 64 MiB long, or more, shares them. Those with the same
//! granule are ordered as if they were one, which is more order than need be, and no less.

use super::super::word::Word;
use crate::order::sections::state;
use crate::thread::Thread;
use crate::{arena, kernel};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of memory that have one.
const SIZE: u64 = 64;
/// How many there are.
const COUNT: u64 = 1 << 20;
/// What of an address is left out, and what is mixed with the rest: memory that is in one piece is so in the table.
const SHIFTS: [u32; 2] = [SIZE.trailing_zeros(), SIZE.trailing_zeros() + COUNT.trailing_zeros()];
const TABLE: usize = arena::BASE + arena::GRANULES;
const TABLE_SIZE: usize = COUNT as usize * size_of::<Granule>();
const _: () = assert!(arena::GRANULES + TABLE_SIZE <= arena::THREADS);

/// See the module. All but the word is for recording, and but for the lock's own fields used by who has the lock.
#[repr(C)]
pub struct Granule {
    /// Accesses so far, and whose was the last.
    pub word: Word,
    /// The place after the last access of the thread that had it for itself before others read it; 0 if nobody wrote.
    pub version: AtomicU64,
    /// The stream, plus one, of the thread that has it for itself; [`CLEAN`] if that has only read.
    pub exclusive: AtomicU32,
    /// 0, or the stream, plus one, of the thread that has the lock. A futex.
    pub lock: AtomicU32,
    /// Threads that wait for the lock.
    pub waiters: AtomicU32,
    /// Those of them that sleep.
    pub sleepers: AtomicU32,
    /// Accesses in a row by the same thread.
    pub run: AtomicU32,
    padding: [u32; 7],
}

const _: () = assert!(size_of::<Granule>() == 64);

/// See [`Granule::exclusive`].
pub const CLEAN: u32 = 1 << 31;

/// The first address of the 64 bytes that `address` is in.
#[inline(always)]
pub fn object(address: u64) -> u64 {
    address & !(SIZE - 1)
}

/// The objects of `size` bytes at `address`.
pub fn objects(address: u64, size: u64) -> impl Iterator<Item = u64> {
    let end = address.saturating_add(size.max(1));
    (object(address)..end).step_by(SIZE as usize)
}

/// Where in the table the granule of an object is.
#[inline(always)]
pub fn place(object: u64) -> u64 {
    (object >> SHIFTS[0] ^ object >> SHIFTS[1]) & (COUNT - 1)
}

/// Maps the table. False if there is no memory for it.
pub fn map() -> bool {
    // It is there already if another part of the program has asked.
    matches!(kernel::map_anonymous(TABLE, TABLE_SIZE), Ok(()) | Err(libc::EEXIST))
}

/// Makes all granules what they are at first.
pub fn forget_all() {
    // SAFETY: the table is ours, or nothing is there, and the process has one thread. What is discarded reads as zeros.
    let _ = unsafe {
        let arguments = [TABLE as u64, TABLE_SIZE as u64, libc::MADV_DONTNEED as u64, 0, 0, 0];
        kernel::call(libc::SYS_madvise, arguments)
    };
}

impl Granule {
    /// The one of an object.
    #[inline(always)]
    pub fn of(object: u64) -> &'static Granule {
        let address = TABLE as u64 + place(object) * size_of::<Granule>() as u64;
        // SAFETY: within the table, which was mapped before anybody could have hooks, and stays; zeros are a valid value,
        // and all fields are atomic.
        unsafe { &*(address as *const Granule) }
    }

    /// Recording: another thread may have it now.
    #[inline(always)]
    pub fn give_back(&self) {
        self.lock.store(0, Ordering::Release);
        // A thread that falls asleep at this moment may not be seen: it sleeps for a moment only.
        if self.sleepers.load(Ordering::Relaxed) != 0 {
            kernel::futex_wake_one(&self.lock);
        }
    }

    /// An access that was made, or will have been made when the thread comes to a hook, is over.
    #[inline(always)]
    pub fn finish(&self, thread: &Thread, state: u8) {
        if state == state::RECORD {
            self.give_back();
        } else {
            self.word.advance_and_wake(thread);
        }
    }
}

//! The blocks that a thread has at hand: one list of free blocks for each class, last in, first out, as glibc's tcache.

use super::classes::{CLASSES, Class};

/// What a thread begins with exchanging, in blocks; it doubles with each exchange up to [`Class::batch`].
const FIRST_BATCH: u32 = 4;

/// After so many exchanges, lists that took no part in them are given back: a program that uses other sizes now does not
/// need what it has at hand of the old ones.
const EPOCH: u32 = 256;

/// A thread's lists. All bytes zero is an empty cache.
///
/// No other thread looks at it, whatever happens, and what is in it follows from what its thread has done.
#[repr(C)]
pub struct Cache {
    bins: [Bin; CLASSES + 1],
    /// Exchanges since the epoch began.
    exchanges: u32,
}

const _: () = assert!(size_of::<Cache>() <= 32 << 10);

/// The list of one class.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Bin {
    /// The first block, 0 if there is none.
    head: usize,
    /// How many more blocks it takes.
    room: u32,
    /// How many blocks are exchanged at once. The list takes twice as many.
    batch: u16,
    /// There was an exchange in this epoch.
    is_active: bool,
}

/// The first words of a free block.
#[repr(C)]
pub struct FreeBlock {
    /// Address of the next one, or 0.
    pub next: usize,
    /// [`mark_of`] the block while it is in a list, so that a second free can be recognised as glibc does it.
    pub mark: usize,
}

/// What the second word of the free block at `address` is: nothing that a program would write there by chance, and
/// different for each block, so that it means nothing when a program copies it.
#[inline]
pub fn mark_of(address: usize) -> usize {
    address ^ 0x9e37_79b9_7f4a_7c15
}

impl Cache {
    /// An empty cache.
    pub const fn new() -> Cache {
        Cache { bins: [Bin::EMPTY; CLASSES + 1], exchanges: 0 }
    }

    /// The thread has made an exchange for a class. True if an epoch is over.
    pub fn note_exchange(&mut self, number: usize) -> bool {
        self.bin(number).is_active = true;
        self.exchanges += 1;
        self.exchanges >= EPOCH
    }

    /// Begins an epoch.
    pub fn begin_epoch(&mut self) {
        self.exchanges = 0;
        self.bins.iter_mut().for_each(|bin| bin.is_active = false);
    }

    /// The list of class `number`, which is at most [`CLASSES`].
    #[inline]
    pub fn bin(&mut self, number: usize) -> &mut Bin {
        debug_assert!(number <= CLASSES);
        // SAFETY: the caller's number is at most CLASSES, for which the array has its last element.
        unsafe { self.bins.get_unchecked_mut(number) }
    }
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::new()
    }
}

impl Bin {
    const EMPTY: Bin = Bin { head: 0, room: 0, batch: 0, is_active: false };

    /// Takes a block.
    #[inline]
    pub fn pop(&mut self) -> Option<*mut u8> {
        if self.head == 0 {
            return None;
        }
        let block = self.head as *mut FreeBlock;
        // SAFETY: what is in the list is at least 16 bytes of memory that nobody else uses; if the program has
        // overwritten the link of a block that it had freed, it faults here or later, as with glibc.
        unsafe {
            self.head = (*block).next;
            (*block).mark = 0;
        }
        self.room += 1;
        Some(block.cast())
    }

    /// Adds a block; false if the list is full.
    ///
    /// # Safety
    /// It is a block of the class, and nobody uses it.
    #[inline]
    pub unsafe fn push(&mut self, address: usize) -> bool {
        if self.room == 0 {
            return false;
        }
        self.room -= 1;
        // SAFETY: the caller's block is at least 16 bytes and aligned to them.
        unsafe { *(address as *mut FreeBlock) = FreeBlock { next: self.head, mark: mark_of(address) } };
        self.head = address;
        true
    }

    /// Makes the next exchange twice as large as the last one, if that is not too much.
    pub fn widen(&mut self, class: &Class) {
        let batch = match self.batch() {
            0 => FIRST_BATCH,
            batch => batch * 2,
        };
        let batch = batch.min(class.batch);
        self.room += 2 * (batch - self.batch());
        self.batch = batch as u16;
    }

    /// How many blocks are exchanged at once.
    pub fn batch(&self) -> u32 {
        u32::from(self.batch)
    }

    /// How many blocks there are.
    pub fn count(&self) -> u32 {
        2 * self.batch() - self.room
    }

    /// There are blocks that no exchange was made for in this epoch.
    pub fn is_idle(&self) -> bool {
        !self.is_active && self.count() > 0
    }

    /// Whether a block is in the list.
    pub fn contains(&self, address: usize) -> bool {
        let mut block = self.head;
        for _ in 0..self.count() {
            if block == address {
                return true;
            }
            // SAFETY: as in `pop`.
            block = unsafe { (*(block as *const FreeBlock)).next };
        }
        false
    }

    /// Begins with a list of `count` blocks that are linked to each other. The list was empty.
    pub fn fill(&mut self, head: usize, count: u32) {
        self.head = head;
        self.room -= count;
    }

    /// Takes all blocks, which stay linked: the first one, and how many there are. The list is as that of a new cache then.
    pub fn take_all(&mut self) -> (usize, u32) {
        let all = (self.head, self.count());
        *self = Bin::EMPTY;
        all
    }

    /// Takes the first `count` blocks, which stay linked: the first one.
    pub fn split(&mut self, count: u32) -> usize {
        let head = self.head;
        for _ in 0..count {
            // SAFETY: as in `pop`; there are that many.
            self.head = unsafe { (*(self.head as *const FreeBlock)).next };
        }
        self.room += count;
        head
    }
}

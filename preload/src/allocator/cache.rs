//! The blocks that a thread has at hand: one list of free blocks for each class, last in, first out, as glibc's tcache.

use super::classes::{CLASSES, Class};

/// What a thread begins with exchanging, in blocks; it doubles with each exchange up to [`Class::batch`].
const FIRST_BATCH: u32 = 4;

/// A thread's lists. All bytes zero is an empty cache.
///
/// No other thread looks at it, whatever happens, and what is in it follows from what its thread has done.
#[repr(C)]
pub struct Cache {
    bins: [Bin; CLASSES + 1],
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
    batch: u32,
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
        Cache { bins: [Bin { head: 0, room: 0, batch: 0 }; CLASSES + 1] }
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
        let batch = match self.batch {
            0 => FIRST_BATCH,
            batch => batch * 2,
        };
        let batch = batch.min(class.batch);
        self.room += 2 * (batch - self.batch);
        self.batch = batch;
    }

    /// How many blocks are exchanged at once.
    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// How many blocks there are.
    pub fn count(&self) -> u32 {
        2 * self.batch - self.room
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

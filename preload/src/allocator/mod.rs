//! The program's allocator for an order in which threads run in parallel: one whose addresses are repeatable.
//!
//! glibc's is not: which of its arenas a thread gets depends on which locks were taken at that moment, and blocks
//! that several threads free go back to one arena in the order in which the threads happened to come.
//!
//! # Why addresses are the same in replay
//!
//! There are two sorts of state:
//!
//! - a thread's own [`Cache`]: lists of free blocks by size. Only its thread reads or changes it, and whoever frees a
//!   block keeps it, whoever it came from;
//! - everything else (central lists, free pages, limits) is *central*. Each part of it belongs to a [`Section`] and is
//!   read and changed only by the thread that has entered it. The order in which threads enter a section is logged, and is
//!   the same in replay; so are the answers of the system, which is asked only inside of one.
//!
//! A call looks at its arguments and its cache. They alone decide whether it is answered from the cache, and if it is
//! not, which exchange with which section is made. Nothing else is asked: no clock, processor, thread number, other
//! thread's progress or lock that may be taken or not. Now order all sections' visits as they happened, and suppose that
//! all before one are as recorded. The visitor's cache follows from its calls and its earlier exchanges, and so is as
//! recorded, and so is what it asks; the section's state follows from its earlier visits, and so is the answer. By
//! induction each exchange is as recorded, and so is each address in between, provided that the program's calls are,
//! which is what the order of its own synchronisation is logged for.
//!
//! The one thing that is read without its section is which class a block belongs to ([`table::Owners`]), and how far the
//! heap reaches. Neither changes while the block lives, and it was written before the block was handed out.
//!
//! What programs see that use freed memory or write beyond a block is the same too: neighbours are, and what we write to
//! free blocks (a link and a mark, both functions of addresses) is.
//!
//! # How it works
//!
//! A block of up to 32 KiB belongs to one of 72 classes ([`classes`]). Threads get and give back blocks in batches, which
//! are cut from spans of pages ([`central`]); what a thread has at hand and has not exchanged for long it gives back too,
//! because one block keeps a span from being used for another class. Empty spans are joined with their neighbours
//! ([`runs`]). Larger blocks are spans of their own, and even larger ones mappings of their own ([`pages`]). What is free
//! and was used stays with the process up to a limit, then the system gets it back.
//!
//! # What the caller has to see to
//!
//! - [`System`]: the order of sections is logged and repeated, and so are the answers about memory;
//! - a thread begins with [`Cache::new`] (all zeros), and its end is [`Heap::give_back`], after its last call;
//! - a child of vfork goes on with its parent's cache, which waits meanwhile; around a fork that copies memory are
//!   [`Heap::before_fork`] and [`Heap::after_fork`];
//! - blocks of libc's or ld.so's own malloc are told by [`Failure::Foreign`], before anything is done;
//! - a handler that interrupts one of these functions must not call another one, as with glibc's.

mod aligned;
mod area;
mod cache;
mod central;
mod classes;
mod fork;
mod pages;
mod resize;
mod runs;
mod scale;
mod statistics;
mod table;

pub use cache::Cache;
pub use statistics::Statistics;

use cache::{FreeBlock, mark_of};
use central::Central;
use classes::{CLASSES, GRAIN, SMALL};
use core::cell::UnsafeCell;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use pages::Pages;
use table::{Owner, Owners, Spans, UNIT, layout};

/// A part of the central state, entered by one thread at a time, in an order that replay repeats.
///
/// A thread that is in one may enter another of a higher number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Section(usize);

impl Section {
    /// How many there are.
    pub const COUNT: usize = 9;
    /// The last one: free memory by the page.
    pub const PAGES: Section = Section(Section::COUNT - 1);

    /// Those of classes.
    fn of_classes() -> impl Iterator<Item = Section> {
        (0..Section::PAGES.0).map(Section)
    }

    /// The one of a class. Several share one, because each fork enters all.
    fn of_class(number: usize) -> Section {
        Section(number % (Section::COUNT - 1))
    }

    /// From 0 to [`Section::COUNT`] - 1.
    pub fn number(self) -> usize {
        self.0
    }

    /// All, in the order in which they may be entered.
    pub fn all() -> impl DoubleEndedIterator<Item = Section> {
        (0..Section::COUNT).map(Section)
    }
}

/// What the allocator needs from its surroundings.
///
/// Memory functions are called inside of a section only, with multiples of 4096; what they answer has to be the same in
/// replay.
pub trait System: Sync {
    /// Where the address range begins, [`range`](Heap::range) bytes of which are the allocator's alone. A multiple of 4 GiB.
    const BASE: usize;

    /// Waits until this thread is the only one in `section`, and, in replay, until it is its turn.
    fn enter(&self, section: Section);
    /// The thread is in it no more.
    fn leave(&self, section: Section);
    /// Maps fresh zeroed memory where there is none. False if the system has none.
    fn map(&self, address: usize, size: usize) -> bool;
    /// Takes memory away again. False if the system refuses, and it is still there.
    fn unmap(&self, address: usize, size: usize) -> bool;
    /// Gives back what memory contains: from now on that is zeros. False if nothing was done.
    fn discard(&self, address: usize, size: usize) -> bool;
    /// Moves the pages at `from` to `to`, where nothing is mapped, and maps more behind them up to `size` bytes. Nothing is
    /// mapped at `from` afterwards. False if nothing was done.
    fn relocate(&self, from: usize, old_size: usize, to: usize, size: usize) -> bool;
    /// What is at `address` is no block any more, and stays mapped. Said of those that are not small, to whom it may concern.
    fn forget(&self, _address: usize, _size: usize) {}
    /// The program has freed what it may not, or has written to what it had freed. Does not return.
    fn corrupted(&self, what: Corruption) -> !;
}

/// Why there is no block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// ENOMEM.
    NoMemory,
    /// EINVAL: an alignment that is none.
    Invalid,
    /// The block is not one of ours: whoever made it, libc or the loader, knows what to do with it.
    Foreign,
}

/// What a program did wrong with its blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Corruption {
    /// It freed what is no block.
    Free,
    /// It changed the size of what is no block.
    Realloc,
    /// It freed a block twice.
    FreedTwice,
    /// It wrote to a block that it had freed.
    Link,
}

impl Corruption {
    /// What glibc says of it before it aborts.
    pub fn message(self) -> &'static str {
        match self {
            Corruption::Free => "free(): invalid pointer",
            Corruption::Realloc => "realloc(): invalid pointer",
            Corruption::FreedTwice => "free(): double free detected in tcache 2",
            Corruption::Link => "malloc(): corrupted free list",
        }
    }
}

/// The allocator: what is central of it. Each thread has a [`Cache`] beside.
pub struct Heap<S: System> {
    system: S,
    /// Bytes from the base on that are mapped for spans.
    end: AtomicUsize,
    classes: [UnsafeCell<Central>; CLASSES + 1],
    pages: UnsafeCell<Pages>,
}

// SAFETY: what is in the cells is used only by the one thread that is in the section that it belongs to.
unsafe impl<S: System> Sync for Heap<S> {}

impl<S: System> Heap<S> {
    const OWNERS: Owners = Owners { entries: S::BASE + layout::OWNERS };
    const HEAP_SPANS: Spans = Spans { records: S::BASE + layout::HEAP_SPANS };

    /// A heap that nothing is mapped for yet. There is one for each base.
    pub const fn new(system: S) -> Heap<S> {
        Heap {
            system,
            end: AtomicUsize::new(0),
            classes: [const { UnsafeCell::new(Central::new()) }; CLASSES + 1],
            pages: UnsafeCell::new(Pages::new(S::BASE)),
        }
    }

    /// Its surroundings.
    pub fn system(&self) -> &S {
        &self.system
    }

    /// The addresses that are the allocator's.
    pub const fn range() -> Range<usize> {
        S::BASE..S::BASE + layout::SIZE
    }

    /// malloc: a block of at least `size` bytes.
    #[inline]
    pub fn allocate(&self, cache: &mut Cache, size: usize) -> Result<*mut u8, Failure> {
        match self.take_at_hand(cache, size) {
            Some(block) => Ok(block),
            None => self.allocate_elsewhere(cache, size),
        }
    }

    /// The quick part of [`Heap::allocate`]: a block that the thread has at hand. If it has none nothing was done.
    #[inline]
    pub fn take_at_hand(&self, cache: &mut Cache, size: usize) -> Option<*mut u8> {
        if size > SMALL {
            return None;
        }
        cache.bin(classes::number_for(size)).pop()
    }

    #[cold]
    #[inline(never)]
    fn allocate_elsewhere(&self, cache: &mut Cache, size: usize) -> Result<*mut u8, Failure> {
        if size > SMALL {
            return self.allocate_large(size, GRAIN).map(|(block, _)| block);
        }
        let number = classes::number_for(size);
        let block = self.refill(cache.bin(number), number)?;
        self.exchanged(cache, number);
        Ok(block)
    }

    /// calloc: a block of `count` times `size` bytes, all zero.
    #[inline]
    pub fn allocate_zeroed(&self, cache: &mut Cache, count: usize, size: usize) -> Result<*mut u8, Failure> {
        let size = count.checked_mul(size).ok_or(Failure::NoMemory)?;
        let (block, is_zero) = match size {
            0..=SMALL => (self.allocate(cache, size)?, false),
            _ => self.allocate_large(size, GRAIN)?,
        };
        if !is_zero {
            // SAFETY: the block has that many bytes.
            unsafe { clear(block, size) };
        }
        Ok(block)
    }

    /// free.
    ///
    /// # Safety
    /// As of free: nobody uses the block any more.
    #[inline]
    pub unsafe fn free(&self, cache: &mut Cache, block: *mut u8) -> Result<(), Failure> {
        // SAFETY: the caller's.
        if unsafe { self.keep_at_hand(cache, block) } {
            return Ok(());
        }
        // SAFETY: as above; nothing was done yet.
        unsafe { self.free_elsewhere(cache, block as usize) }
    }

    /// The quick part of [`Heap::free`]: the thread keeps the block. False if it cannot, or if something is wrong with the
    /// block; nothing was done then.
    ///
    /// # Safety
    /// As of free.
    #[inline]
    pub unsafe fn keep_at_hand(&self, cache: &mut Cache, block: *mut u8) -> bool {
        let address = block as usize;
        let Some((number, offset)) = self.small(address) else { return false };
        if !classes::TABLE[number].divides(offset) {
            return false;
        }
        // SAFETY: it is aligned to 16 bytes, in a span of the class, all of which is mapped.
        let is_marked = unsafe { (*(address as *const FreeBlock)).mark } == mark_of(address);
        // SAFETY: it is a block of the class, if the caller does what it must.
        !is_marked && unsafe { cache.bin(number).push(address) }
    }

    /// # Safety
    /// As of free.
    #[cold]
    #[inline(never)]
    unsafe fn free_elsewhere(&self, cache: &mut Cache, address: usize) -> Result<(), Failure> {
        let Some((number, offset)) = self.small(address) else {
            if address == 0 {
                return Ok(());
            }
            if Self::is_foreign(address) {
                return Err(Failure::Foreign);
            }
            self.free_large(address);
            return Ok(());
        };
        if !classes::TABLE[number].divides(offset) {
            self.system.corrupted(Corruption::Free);
        }
        let bin = cache.bin(number);
        // A mark alone is no proof: the program may have written it.
        if bin.contains(address) {
            self.system.corrupted(Corruption::FreedTwice);
        }
        // SAFETY: the caller's.
        if !unsafe { bin.push(address) } {
            // SAFETY: the caller's.
            unsafe { self.overflow(bin, number, address) };
            self.exchanged(cache, number);
        }
        Ok(())
    }

    /// malloc_usable_size.
    pub fn usable_size(&self, block: *mut u8) -> Result<usize, Failure> {
        let address = block as usize;
        if address == 0 {
            return Ok(0);
        }
        match self.small_size(block) {
            Some(size) => Ok(size),
            None if Self::is_foreign(address) => Err(Failure::Foreign),
            None => Ok(self.size_of_large(address)),
        }
    }

    /// The same for a small block, which needs no section; `None` if it is not one.
    pub fn small_size(&self, block: *mut u8) -> Option<usize> {
        let (number, _) = self.small(block as usize)?;
        Some(classes::TABLE[number].size as usize)
    }

    /// Whether an address is not the allocator's.
    fn is_foreign(address: usize) -> bool {
        address.wrapping_sub(S::BASE) >= layout::SIZE
    }

    /// If `address` is in a span of small blocks: the number of its class, and where it is in the span.
    #[inline]
    fn small(&self, address: usize) -> Option<(usize, usize)> {
        let (owner, offset) = self.owner_of(address)?;
        // One comparison for both ends.
        (owner.number().wrapping_sub(1) < CLASSES).then(|| (owner.number(), offset))
    }

    /// Whose the unit is that `address` is in, if it is one of the heap, and how far it is from the span's begin.
    #[inline]
    fn owner_of(&self, address: usize) -> Option<(Owner, usize)> {
        let offset = address.wrapping_sub(S::BASE);
        if offset >= self.end.load(Ordering::Relaxed) {
            return None;
        }
        let owner = Self::OWNERS.get(offset / UNIT);
        Some((owner, owner.distance() * UNIT + offset % UNIT))
    }

    fn set_end(&self, end: usize) {
        // Release: who sees it may look into the tables.
        self.end.store(end, Ordering::Release);
    }

    /// Does `action` inside of a section.
    fn within<R>(&self, section: Section, action: impl FnOnce() -> R) -> R {
        self.system.enter(section);
        let result = action();
        self.system.leave(section);
        result
    }

    /// The central list of a class.
    ///
    /// # Safety
    /// The thread is in the section of the class, and has no other reference to the list.
    #[expect(clippy::mut_from_ref, reason = "the section is what makes it exclusive")]
    unsafe fn central(&self, number: usize) -> &mut Central {
        // SAFETY: the caller's.
        unsafe { &mut *self.classes[number].get() }
    }

    /// All pages.
    ///
    /// # Safety
    /// The thread is in [`Section::PAGES`], and has no other reference to them.
    #[expect(clippy::mut_from_ref, reason = "the section is what makes it exclusive")]
    unsafe fn pages(&self) -> &mut Pages {
        // SAFETY: the caller's.
        unsafe { &mut *self.pages.get() }
    }
}

/// Writes zeros to a block.
///
/// # Safety
/// The block has at least `size` bytes, rounded up to [`GRAIN`].
unsafe fn clear(block: *mut u8, size: usize) {
    /// Up to this many bytes a loop takes less time than `rep stosb` needs to begin.
    const SHORT: usize = 512;
    if size > SHORT {
        // SAFETY: the caller's.
        unsafe { block.write_bytes(0, size) };
        return;
    }
    for grain in 0..size.div_ceil(GRAIN) {
        // SAFETY: the caller's. Volatile, or the compiler would make a call of memset of it.
        unsafe { block.cast::<u128>().add(grain).write_volatile(0) };
    }
}

//! What is known about each piece of memory, kept apart from the memory itself: a program that writes beyond its
//! blocks cannot reach it.
//!
//! Memory is divided into *units*. Consecutive units that belong together are a *span*: free, or cut into blocks of one
//! class, or a single large block.

use core::cell::Cell;
use core::sync::atomic::{AtomicU16, Ordering};

/// Bytes of a unit of the heap.
pub const UNIT: usize = 8 << 10;
/// Bytes of a unit where huge blocks are.
pub const HUGE_UNIT: usize = 64 << 10;
/// Bytes of the kernel's pages.
pub const PAGE: usize = 4096;

/// Offsets from the base, and sizes, of the parts of the address range. No part is mapped before it is used.
pub mod layout {
    use super::{HUGE_UNIT, Span, UNIT};
    use core::sync::atomic::AtomicU16;

    /// Spans of small and large blocks, which begin at the base.
    pub const HEAP_SIZE: usize = 1 << 40;
    /// Huge blocks.
    pub const HUGE: usize = HEAP_SIZE;
    pub const HUGE_SIZE: usize = 3 << 40;
    /// An [`Owner`](super::Owner) for each unit of the heap.
    pub const OWNERS: usize = HUGE + HUGE_SIZE;
    pub const OWNERS_SIZE: usize = HEAP_SIZE / UNIT * size_of::<AtomicU16>();
    /// A [`Span`] for each unit of the heap.
    pub const HEAP_SPANS: usize = OWNERS + OWNERS_SIZE;
    pub const HEAP_SPANS_SIZE: usize = HEAP_SIZE / UNIT * size_of::<Span>();
    /// A [`Span`] for each unit of the huge blocks' part.
    pub const HUGE_SPANS: usize = HEAP_SPANS + HEAP_SPANS_SIZE;
    pub const HUGE_SPANS_SIZE: usize = HUGE_SIZE / HUGE_UNIT * size_of::<Span>();
    /// All of it.
    pub const SIZE: usize = HUGE_SPANS + HUGE_SPANS_SIZE;
}

/// No unit: the end of a list.
pub const NONE: u32 = u32::MAX;

/// What a span is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// Nobody's. The record of its last unit says the same, with the same length.
    Free,
    /// Somebody's; the record of its last unit says so.
    Used,
}

/// A span's record: that of its first unit.
///
/// `units`, `state` and `dirty` belong to [`Section::PAGES`](super::Section::PAGES). The others belong to it too
/// while the span is free or a block, and to the section of its class while it is cut into blocks: they are cells, so
/// that each can be changed under its own section.
pub struct Span {
    /// Its length.
    pub units: Cell<u32>,
    /// What it is.
    pub state: Cell<State>,
    /// How many of its units may contain something else than zeros, at most.
    pub dirty: Cell<u32>,
    /// The first unit of the span before it in the list that it is in.
    pub previous: Cell<u32>,
    /// The same of the one after it.
    pub next: Cell<u32>,
    /// How many of its blocks are not here; or how many pages of a huge block are mapped.
    pub used: Cell<u32>,
    /// How many of its blocks were handed out at least once: the others have never been touched.
    pub cut: Cell<u32>,
    /// Where, in bytes from its begin, its first free block is, plus 1; 0 if there is none. Each links to the next by
    /// its address.
    pub free: Cell<u32>,
}

/// The spans of one part of the address range.
#[derive(Clone, Copy)]
pub struct Spans {
    /// Address of the first unit's record.
    pub records: usize,
}

impl Spans {
    /// The record of unit `first`.
    pub fn at(&self, first: u32) -> &Span {
        // SAFETY: records are mapped, zeroed, before the units that they are for, and stay; all zeros is a value of each
        // field; and they are never borrowed mutably. Only holders of the sections that a field belongs to use it.
        unsafe { &*((self.records + first as usize * size_of::<Span>()) as *const Span) }
    }

    /// Puts `first` before all others of the list that begins at `list`.
    pub fn push(&self, list: &mut u32, first: u32) {
        let span = self.at(first);
        span.previous.set(NONE);
        span.next.set(*list);
        if *list != NONE {
            self.at(*list).previous.set(first);
        }
        *list = first;
    }

    /// Takes `first` out of the list that begins at `list`.
    pub fn remove(&self, list: &mut u32, first: u32) {
        let span = self.at(first);
        let (previous, next) = (span.previous.get(), span.next.get());
        match previous {
            NONE => *list = next,
            _ => self.at(previous).next.set(next),
        }
        if next != NONE {
            self.at(next).previous.set(previous);
        }
    }
}

/// Whose a unit of the heap is, for whoever frees a block: a class, or a large block, or nobody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Owner(u16);

impl Owner {
    /// Nobody's, or not the first unit of a large block.
    pub const NOBODY: Owner = Owner(0);
    /// The first unit of a large block.
    pub const LARGE: Owner = Owner(0xff);

    /// A unit that is `distance` after the first one of a span of that class.
    pub fn class(number: usize, distance: u32) -> Owner {
        Owner(number as u16 | (distance as u16) << 8)
    }

    /// The number of the class, or one that is none's.
    #[inline]
    pub fn number(self) -> usize {
        usize::from(self.0 & 0xff)
    }

    /// Units from the span's begin.
    #[inline]
    pub fn distance(self) -> usize {
        usize::from(self.0 >> 8)
    }
}

/// The owners of the heap's units.
///
/// They change in [`Section::PAGES`](super::Section::PAGES) and are read without it, but only for a unit that contains
/// a block of the reader: such a unit's owner was written before the block was handed out and stays as long as it lives.
#[derive(Clone, Copy)]
pub struct Owners {
    /// Address of the first unit's.
    pub entries: usize,
}

impl Owners {
    #[inline]
    fn entry(&self, unit: usize) -> &AtomicU16 {
        // SAFETY: entries are mapped before the units that they are for, and callers ask for no others.
        unsafe { &*((self.entries + unit * size_of::<AtomicU16>()) as *const AtomicU16) }
    }

    /// The owner of a unit that is mapped.
    #[inline]
    pub fn get(&self, unit: usize) -> Owner {
        Owner(self.entry(unit).load(Ordering::Relaxed))
    }

    /// Changes it.
    pub fn set(&self, unit: u32, owner: Owner) {
        self.entry(unit as usize).store(owner.0, Ordering::Relaxed);
    }
}

//! The central lists: for each class the spans that have free blocks, and the exchange of batches with threads.

use super::cache::{Bin, Cache, FreeBlock};
use super::classes::{self, CLASSES, Class};
use super::table::{NONE, Owner, UNIT};
use super::{Corruption, Failure, Heap, Section, System};

/// One class's spans, which belong to [`Section::of_class`].
pub struct Central {
    /// The first span that has free blocks.
    partial: u32,
    /// Blocks that threads have, used or in their caches.
    pub out: usize,
    /// How many spans there are.
    pub spans: usize,
}

impl Central {
    /// A class without blocks.
    pub const fn new() -> Central {
        Central { partial: NONE, out: 0, spans: 0 }
    }
}

/// Blocks on their way to a thread: a list of linked ones, then some in a row that are still untouched. The row is
/// linked after the section: its pages may be fresh, and each of them faults.
#[derive(Default)]
struct Batch {
    head: usize,
    tail: usize,
    linked: u32,
    row: usize,
    in_row: u32,
}

impl Batch {
    fn count(&self) -> u32 {
        self.linked + self.in_row
    }

    fn append(&mut self, address: usize) {
        match self.tail {
            0 => self.head = address,
            // SAFETY: the last block that was appended is free, and ours.
            tail => unsafe { (*(tail as *mut FreeBlock)).next = address },
        }
        self.tail = address;
        self.linked += 1;
    }

    /// Links all: the first block, and how many there are.
    fn link(mut self, class: &Class) -> (usize, u32) {
        for index in 0..self.in_row as usize {
            self.append(self.row + index * class.size as usize);
        }
        if self.tail != 0 {
            // SAFETY: as in `append`.
            unsafe { (*(self.tail as *mut FreeBlock)).next = 0 };
        }
        (self.head, self.linked)
    }
}

impl<S: System> Heap<S> {
    /// Gets a batch of the class for a thread whose list is empty, and a block of it.
    pub(super) fn refill(&self, bin: &mut Bin, number: usize) -> Result<*mut u8, Failure> {
        let class = &classes::TABLE[number];
        bin.widen(class);
        let batch = self.within(Section::of_class(number), || self.take_blocks(number, bin.batch()));
        let (head, count) = batch.link(class);
        bin.fill(head, count);
        bin.pop().ok_or(Failure::NoMemory)
    }

    /// Adds a block to a thread's list that is full: the list becomes longer, or gives a batch to the central one.
    ///
    /// # Safety
    /// It is a block of the class, and nobody uses it.
    pub(super) unsafe fn overflow(&self, bin: &mut Bin, number: usize, address: usize) {
        bin.widen(&classes::TABLE[number]);
        // SAFETY: the caller's.
        if unsafe { bin.push(address) } {
            return;
        }
        let count = bin.batch();
        let head = bin.split(count);
        self.within(Section::of_class(number), || self.put_blocks(number, head, count));
        // SAFETY: the caller's; there is room for a batch now.
        unsafe { bin.push(address) };
    }

    /// Gives a thread's blocks to the others, at its end. The cache is a new one afterwards.
    pub fn give_back(&self, cache: &mut Cache) {
        self.give_lists(cache, |bin| bin.count() > 0);
        *cache = Cache::new();
    }

    /// A thread has made an exchange for a class. At the end of an epoch it gives back what it has at hand of others.
    pub(super) fn exchanged(&self, cache: &mut Cache, number: usize) {
        if cache.note_exchange(number) {
            self.give_lists(cache, Bin::is_idle);
            cache.begin_epoch();
        }
    }

    /// Gives back the lists that are chosen, with one visit to each section.
    fn give_lists(&self, cache: &mut Cache, is_chosen: impl Fn(&Bin) -> bool) {
        for section in Section::of_classes() {
            let numbers = (1..=CLASSES).filter(|number| Section::of_class(*number) == section);
            if !numbers.clone().any(|number| is_chosen(cache.bin(number))) {
                continue;
            }
            self.within(section, || {
                for number in numbers {
                    let bin = cache.bin(number);
                    if is_chosen(bin) {
                        let (head, count) = bin.take_all();
                        self.put_blocks(number, head, count);
                    }
                }
            });
        }
    }

    /// Takes up to `wanted` blocks, none if there is no memory. The thread is in the section of the class.
    fn take_blocks(&self, number: usize, wanted: u32) -> Batch {
        let (class, spans) = (&classes::TABLE[number], Self::HEAP_SPANS);
        // SAFETY: callers are in the section, and have no reference.
        let central = unsafe { self.central(number) };
        let mut batch = Batch::default();
        while batch.count() < wanted && batch.in_row == 0 {
            if central.partial == NONE {
                if batch.count() > 0 {
                    break;
                }
                let Some(first) = self.new_span(number) else { break };
                spans.push(&mut central.partial, first);
                central.spans += 1;
            }
            let (first, before) = (central.partial, batch.count());
            let (span, begin) = (spans.at(first), address_of(S::BASE, first));
            while batch.count() < wanted && span.free.get() != 0 {
                let address = begin + span.free.get() as usize - 1;
                // SAFETY: a free block of the class.
                let next = unsafe { (*(address as *const FreeBlock)).next };
                span.free.set(self.link_within(class, begin, next));
                batch.append(address);
            }
            let in_row = (wanted - batch.count()).min(class.blocks - span.cut.get());
            if in_row > 0 {
                batch.row = begin + (span.cut.get() * class.size) as usize;
                batch.in_row = in_row;
                span.cut.set(span.cut.get() + in_row);
            }
            span.used.set(span.used.get() + batch.count() - before);
            if span.used.get() == class.blocks {
                spans.remove(&mut central.partial, first);
            }
        }
        central.out += batch.count() as usize;
        batch
    }

    /// What [`free`](super::table::Span::free) becomes when `next` is the first free block of the span at `begin`.
    fn link_within(&self, class: &Class, begin: usize, next: usize) -> u32 {
        if next == 0 {
            return 0;
        }
        let offset = next.wrapping_sub(begin);
        if offset >= (class.blocks * class.size) as usize || !class.divides(offset) {
            self.system.corrupted(Corruption::Link);
        }
        offset as u32 + 1
    }

    /// Puts `count` blocks that are linked into the spans that they are from. The thread is in the section of the class.
    fn put_blocks(&self, number: usize, head: usize, count: u32) {
        let (class, spans) = (&classes::TABLE[number], Self::HEAP_SPANS);
        // SAFETY: callers are in the section, and have no reference.
        let central = unsafe { self.central(number) };
        let mut next = head;
        for _ in 0..count {
            let address = next;
            // Before it is touched: the program may have overwritten the link of a block that it had freed.
            let Some(first) = self.span_of(number, address) else { self.system.corrupted(Corruption::Link) };
            let (span, begin) = (spans.at(first), address_of(S::BASE, first));
            if span.used.get() == 0 {
                self.system.corrupted(Corruption::FreedTwice);
            }
            let link = match span.free.get() {
                0 => 0,
                free => begin + free as usize - 1,
            };
            // SAFETY: it is a block of a span of this class, which the thread has freed.
            next = unsafe { core::mem::replace(&mut (*(address as *mut FreeBlock)).next, link) };
            span.free.set((address - begin) as u32 + 1);
            if span.used.get() == class.blocks {
                spans.push(&mut central.partial, first);
            }
            span.used.set(span.used.get() - 1);
            // One empty span is kept if there is no other: its next block may be asked for soon.
            let is_alone = span.previous.get() == NONE && span.next.get() == NONE;
            if span.used.get() == 0 && !is_alone {
                self.drop_span(central, number, first);
            }
        }
        central.out -= count as usize;
    }

    /// Frees the spans of a class of which nothing is used.
    pub(super) fn drop_empty_spans(&self, number: usize) {
        self.within(Section::of_class(number), || {
            // SAFETY: this is the section of the class.
            let central = unsafe { self.central(number) };
            let mut first = central.partial;
            while first != NONE {
                let span = Self::HEAP_SPANS.at(first);
                let next = span.next.get();
                if span.used.get() == 0 {
                    self.drop_span(central, number, first);
                }
                first = next;
            }
        });
    }

    fn new_span(&self, number: usize) -> Option<u32> {
        let class = &classes::TABLE[number];
        let first = self.within(Section::PAGES, || {
            // SAFETY: this is their section.
            let pages = unsafe { self.pages() };
            let first = pages.take_span(self, class.units as usize, 1)?.first;
            for distance in 0..class.units {
                Self::OWNERS.set(first + distance, Owner::class(number, distance));
            }
            Some(first)
        })?;
        let span = Self::HEAP_SPANS.at(first);
        span.used.set(0);
        span.cut.set(0);
        span.free.set(0);
        Some(first)
    }

    fn drop_span(&self, central: &mut Central, number: usize, first: u32) {
        let class = &classes::TABLE[number];
        Self::HEAP_SPANS.remove(&mut central.partial, first);
        central.spans -= 1;
        let touched = (Self::HEAP_SPANS.at(first).cut.get() * class.size).div_ceil(UNIT as u32);
        self.within(Section::PAGES, || {
            for distance in 0..class.units {
                Self::OWNERS.set(first + distance, Owner::NOBODY);
            }
            // SAFETY: this is their section.
            unsafe { self.pages() }.free_span(self, first, touched);
        });
    }

    /// The span that has `address` as a block of the class; `None` if it is no such block.
    fn span_of(&self, number: usize, address: usize) -> Option<u32> {
        let (owner, offset) = self.owner_of(address)?;
        let is_block = owner.number() == number && classes::TABLE[number].divides(offset);
        is_block.then(|| ((address - offset - S::BASE) / UNIT) as u32)
    }
}

/// Address of a unit.
fn address_of(base: usize, unit: u32) -> usize {
    base + unit as usize * UNIT
}

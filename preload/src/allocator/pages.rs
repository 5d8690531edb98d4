//! Memory by the page: where spans come from, and when memory goes back to the system.

use super::area::Area;
use super::runs::{Runs, Taken};
use super::table::{HUGE_UNIT, Owner, PAGE, UNIT, layout};
use super::{Corruption, Failure, Heap, Section, System};

/// Blocks above this are huge at first: a mapping of their own. When one is freed, the limit becomes its size, as
/// glibc's M_MMAP_THRESHOLD does: a program that frees large blocks is likely to ask for more of them.
const FIRST_HUGE: usize = 128 << 10;
/// The most that this limit becomes (glibc's DEFAULT_MMAP_THRESHOLD_MAX).
const LAST_HUGE: usize = 32 << 20;
/// Bytes of free memory that are kept however small the heap is.
const KEPT: usize = 16 << 20;
/// The share of the heap that is kept when it is larger.
const KEPT_SHARE: usize = 2;

/// All units. It belongs to [`Section::PAGES`].
pub struct Pages {
    /// Those of small and large blocks, which stay mapped.
    pub heap: Runs,
    /// Those of huge blocks, which are mapped while they are used.
    huge: Runs,
    areas: Areas,
    /// Blocks larger than this are huge.
    limit: usize,
    /// How many there are.
    pub huge_blocks: usize,
    /// Their size together.
    pub huge_bytes: usize,
}

/// What is mapped of each part.
struct Areas {
    heap: Area,
    owners: Area,
    heap_spans: Area,
    huge_spans: Area,
}

impl Areas {
    fn reach_heap<S: System>(&mut self, heap: &Heap<S>, units: u32) -> bool {
        let system = &heap.system;
        let reached = self.heap.reach(system, units as usize * UNIT);
        // All that is mapped has a row in the tables: whoever looks one up compares the address with that alone.
        let units = self.heap.mapped() / UNIT;
        let reached = reached
            && self.owners.reach(system, units * size_of::<Owner>())
            && self.heap_spans.reach(system, units * size_of::<super::table::Span>());
        if reached {
            heap.set_end(self.heap.mapped());
        }
        reached
    }

    fn reach_huge<S: System>(&mut self, heap: &Heap<S>, units: u32) -> bool {
        self.huge_spans.reach(&heap.system, units as usize * size_of::<super::table::Span>())
    }
}

impl Pages {
    /// The pages of the address range that begins at `base`.
    pub const fn new(base: usize) -> Pages {
        let (heap_spans, huge_spans) = (base + layout::HEAP_SPANS, base + layout::HUGE_SPANS);
        Pages {
            heap: Runs::new(heap_spans, layout::HEAP_SIZE / UNIT),
            huge: Runs::new(huge_spans, layout::HUGE_SIZE / HUGE_UNIT),
            areas: Areas {
                heap: Area::blocks(base, layout::HEAP_SIZE),
                owners: Area::table(base + layout::OWNERS, layout::OWNERS_SIZE),
                heap_spans: Area::table(heap_spans, layout::HEAP_SPANS_SIZE),
                huge_spans: Area::table(huge_spans, layout::HUGE_SPANS_SIZE),
            },
            limit: FIRST_HUGE,
            huge_blocks: 0,
            huge_bytes: 0,
        }
    }

    /// Bytes of the heap that are mapped.
    pub fn mapped(&self) -> usize {
        self.areas.heap.mapped()
    }

    /// Takes units of the heap, the first of them a multiple of `alignment` units.
    pub fn take_span<S: System>(&mut self, heap: &Heap<S>, units: usize, alignment: usize) -> Option<Taken> {
        let Pages { heap: runs, areas, .. } = self;
        runs.take(units, alignment, |end| areas.reach_heap(heap, end))
    }

    /// Frees a span of the heap, of which at most `touched` units contain something, and gives memory back to the
    /// system if there is much that is free.
    pub fn free_span<S: System>(&mut self, heap: &Heap<S>, first: u32, touched: u32) {
        self.heap.free(first, touched);
        self.clean_if_much(heap);
    }

    fn clean_if_much<S: System>(&mut self, heap: &Heap<S>) {
        let kept = KEPT.max(2 * self.limit).max(self.heap.used() * UNIT / KEPT_SHARE) / UNIT;
        if self.heap.dirty() > kept {
            // Half of it, so that this is rare.
            self.clean(heap, kept / 2);
        }
    }

    /// Gives the contents of free units back to the system until at most `keep` are left. True if there were any.
    pub fn clean<S: System>(&mut self, heap: &Heap<S>, keep: usize) -> bool {
        self.heap.clean(keep, |first, units| {
            heap.system.discard(S::BASE + first as usize * UNIT, units as usize * UNIT)
        })
    }
}

/// A large or huge block.
#[derive(Clone, Copy)]
struct Large {
    first: u32,
    is_huge: bool,
}

/// How a block is mapped that is huge.
fn pages_of(size: usize) -> usize {
    size.div_ceil(PAGE)
}

fn huge_units(pages: usize) -> usize {
    (pages * PAGE).div_ceil(HUGE_UNIT)
}

impl<S: System> Heap<S> {
    /// A block of more than [`SMALL`](super::classes::SMALL) bytes, or one that is aligned to more than a unit
    /// (`alignment` is a power of two), and whether it is all zeros.
    pub(super) fn allocate_large(&self, size: usize, alignment: usize) -> Result<(*mut u8, bool), Failure> {
        if size > isize::MAX as usize {
            return Err(Failure::NoMemory);
        }
        self.within(Section::PAGES, || {
            // SAFETY: this is their section.
            let pages = unsafe { self.pages() };
            if size > pages.limit {
                self.map_huge(pages, size, alignment)
            } else {
                self.cut_large(pages, size, alignment)
            }
        })
        .ok_or(Failure::NoMemory)
    }

    fn cut_large(&self, pages: &mut Pages, size: usize, alignment: usize) -> Option<(*mut u8, bool)> {
        let units = size.div_ceil(UNIT).max(1);
        let taken = pages.take_span(self, units, alignment.div_ceil(UNIT))?;
        Self::OWNERS.set(taken.first, Owner::LARGE);
        Some(((S::BASE + taken.first as usize * UNIT) as *mut u8, taken.is_zero))
    }

    fn map_huge(&self, pages: &mut Pages, size: usize, alignment: usize) -> Option<(*mut u8, bool)> {
        let Pages { huge, areas, .. } = pages;
        let count = pages_of(size);
        let taken =
            huge.take(huge_units(count), alignment.div_ceil(HUGE_UNIT), |end| areas.reach_huge(self, end))?;
        let address = huge_address(S::BASE, taken.first);
        if !self.system.map(address, count * PAGE) {
            huge.free(taken.first, 0);
            return None;
        }
        huge.spans.at(taken.first).used.set(count as u32);
        pages.huge_blocks += 1;
        pages.huge_bytes += count * PAGE;
        Some((address as *mut u8, true))
    }

    /// Frees a block that is not small.
    pub(super) fn free_large(&self, address: usize) {
        self.within(Section::PAGES, || {
            // SAFETY: this is their section.
            let pages = unsafe { self.pages() };
            let Large { first, is_huge } = self.large_at(pages, address, Corruption::Free);
            if is_huge {
                self.unmap_huge(pages, first);
            } else {
                Self::OWNERS.set(first, Owner::NOBODY);
                let units = pages.heap.spans.at(first).units.get();
                self.system.forget(address, units as usize * UNIT);
                pages.free_span(self, first, units);
            }
        });
    }

    fn unmap_huge(&self, pages: &mut Pages, first: u32) {
        let span = pages.huge.spans.at(first);
        let bytes = span.used.replace(0) as usize * PAGE;
        pages.huge_blocks -= 1;
        pages.huge_bytes -= bytes;
        if bytes <= LAST_HUGE {
            pages.limit = pages.limit.max(bytes);
        }
        // If the system refuses, as it does to a process with too many mappings, the addresses stay taken.
        if self.system.unmap(huge_address(S::BASE, first), bytes) {
            pages.huge.free(first, 0);
        }
    }

    /// Bytes of a block that is not small.
    pub(super) fn size_of_large(&self, address: usize) -> usize {
        self.within(Section::PAGES, || {
            // SAFETY: this is their section.
            let pages = unsafe { self.pages() };
            self.large_at(pages, address, Corruption::Realloc).size(pages)
        })
    }

    /// Makes a block that is not small `size` bytes long where it is, if that can be done and is sensible; if it cannot,
    /// how long it is. A huge one may move, with its pages.
    pub(super) fn resize_large(&self, address: usize, size: usize) -> Result<Result<usize, usize>, Failure> {
        self.within(Section::PAGES, || {
            // SAFETY: this is their section.
            let pages = unsafe { self.pages() };
            let large = self.large_at(pages, address, Corruption::Realloc);
            let old = large.size(pages);
            if size > isize::MAX as usize {
                return Err(Failure::NoMemory);
            }
            // What becomes small moves to where small blocks are.
            let resized = match large.is_huge {
                _ if size <= super::classes::SMALL => None,
                true => self.resize_huge(pages, large.first, size),
                false => self.resize_cut(pages, large.first, size).then_some(address),
            };
            Ok(resized.ok_or(old))
        })
    }

    fn resize_cut(&self, pages: &mut Pages, first: u32, size: usize) -> bool {
        if size > pages.limit {
            return false;
        }
        let (old, new) = (pages.heap.spans.at(first).units.get(), size.div_ceil(UNIT) as u32);
        if new > old {
            let Pages { heap, areas, .. } = pages;
            return heap.lengthen(first, new - old, |end| areas.reach_heap(self, end));
        }
        if new < old {
            pages.heap.shorten(first, new, old - new);
            pages.clean_if_much(self);
        }
        true
    }

    fn resize_huge(&self, pages: &mut Pages, first: u32, size: usize) -> Option<usize> {
        let Pages { huge, areas, huge_bytes, .. } = pages;
        let address = huge_address(S::BASE, first);
        let (old, new) = (huge.spans.at(first).used.get() as usize, pages_of(size));
        let (old_units, units) = (huge.spans.at(first).units.get(), u32::try_from(huge_units(new)).ok()?);
        let end = |pages: usize| address + pages * PAGE;
        if new < old {
            if !self.system.unmap(end(new), (old - new) * PAGE) {
                return Some(address);
            }
            if units < old_units {
                huge.shorten(first, units, 0);
            }
        } else if new > old {
            let is_long_enough = units <= old_units
                || huge.lengthen(first, units - old_units, |end| areas.reach_huge(self, end));
            if !is_long_enough {
                return self.move_huge(pages, first, new);
            }
            if !self.system.map(end(old), (new - old) * PAGE) {
                if units > old_units {
                    huge.shorten(first, old_units, 0);
                }
                return None;
            }
        }
        huge.spans.at(first).used.set(new as u32);
        *huge_bytes = *huge_bytes + new * PAGE - old * PAGE;
        Some(address)
    }

    /// Moves a huge block's pages to where it can be `count` pages long.
    fn move_huge(&self, pages: &mut Pages, first: u32, count: usize) -> Option<usize> {
        let Pages { huge, areas, huge_bytes, .. } = pages;
        let old = huge.spans.at(first).used.get() as usize;
        let taken = huge.take(huge_units(count), 1, |end| areas.reach_huge(self, end))?;
        let (from, to) = (huge_address(S::BASE, first), huge_address(S::BASE, taken.first));
        if !self.system.relocate(from, old * PAGE, to, count * PAGE) {
            huge.free(taken.first, 0);
            return None;
        }
        huge.spans.at(first).used.set(0);
        huge.free(first, 0);
        huge.spans.at(taken.first).used.set(count as u32);
        *huge_bytes = *huge_bytes + count * PAGE - old * PAGE;
        Some(to)
    }

    /// The block that is not small at `address`.
    fn large_at(&self, pages: &Pages, address: usize, corruption: Corruption) -> Large {
        let offset = address.wrapping_sub(S::BASE);
        let first = match self.owner_of(address) {
            Some((owner, _)) => {
                let is_large = offset.is_multiple_of(UNIT) && owner == Owner::LARGE;
                is_large.then_some(Large { first: (offset / UNIT) as u32, is_huge: false })
            }
            None if (layout::HUGE..layout::OWNERS).contains(&offset) => {
                let first = (offset - layout::HUGE) / HUGE_UNIT;
                let is_first = offset.is_multiple_of(HUGE_UNIT)
                    && pages.areas.huge_spans.mapped() > first * size_of::<super::table::Span>()
                    && pages.huge.spans.at(first as u32).used.get() != 0;
                is_first.then_some(Large { first: first as u32, is_huge: true })
            }
            None => None,
        };
        first.unwrap_or_else(|| self.system.corrupted(corruption))
    }
}

impl Large {
    fn size(self, pages: &Pages) -> usize {
        if self.is_huge {
            pages.huge.spans.at(self.first).used.get() as usize * PAGE
        } else {
            pages.heap.spans.at(self.first).units.get() as usize * UNIT
        }
    }
}

fn huge_address(base: usize, first: u32) -> usize {
    base + layout::HUGE + first as usize * HUGE_UNIT
}

//! What mallinfo tells, and malloc_trim.

use super::classes::{CLASSES, TABLE};
use super::table::UNIT;
use super::{Cache, Heap, Section, System};

/// What mallinfo2 tells, by the names of its fields. What it has besides is 0: there are no fast bins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Bytes mapped that are not huge blocks.
    pub arena: usize,
    /// Runs of free pages.
    pub ordblks: usize,
    /// Huge blocks.
    pub hblks: usize,
    /// Their bytes.
    pub hblkhd: usize,
    /// Bytes of the other blocks that threads have, used or in their caches.
    pub uordblks: usize,
    /// Bytes of `arena` that are free.
    pub fordblks: usize,
    /// Bytes that [`Heap::trim`] could give back.
    pub keepcost: usize,
}

impl From<Statistics> for libc::mallinfo2 {
    fn from(statistics: Statistics) -> libc::mallinfo2 {
        let Statistics { arena, ordblks, hblks, hblkhd, uordblks, fordblks, keepcost } = statistics;
        libc::mallinfo2 {
            arena,
            ordblks,
            smblks: 0,
            hblks,
            hblkhd,
            usmblks: 0,
            fsmblks: 0,
            uordblks,
            fordblks,
            keepcost,
        }
    }
}

/// In `int`s, cut as glibc cuts them.
impl From<Statistics> for libc::mallinfo {
    fn from(statistics: Statistics) -> libc::mallinfo {
        let Statistics { arena, ordblks, hblks, hblkhd, uordblks, fordblks, keepcost } = statistics;
        libc::mallinfo {
            arena: arena as i32,
            ordblks: ordblks as i32,
            smblks: 0,
            hblks: hblks as i32,
            hblkhd: hblkhd as i32,
            usmblks: 0,
            fsmblks: 0,
            uordblks: uordblks as i32,
            fordblks: fordblks as i32,
            keepcost: keepcost as i32,
        }
    }
}

impl<S: System> Heap<S> {
    /// mallinfo2. mallinfo is the same in `int`s.
    pub fn statistics(&self) -> Statistics {
        let (mut out, mut in_spans) = (0, 0);
        for (number, class) in TABLE.iter().enumerate().skip(1) {
            self.within(Section::of_class(number), || {
                // SAFETY: this is the section of the class.
                let central = unsafe { self.central(number) };
                out += central.out * class.size as usize;
                in_spans += central.spans * class.units as usize * UNIT;
            });
        }
        self.within(Section::PAGES, || {
            // SAFETY: this is their section.
            let pages = unsafe { self.pages() };
            // Other threads go on between the sections.
            let large = (pages.heap.used() * UNIT).saturating_sub(in_spans);
            let (arena, uordblks) = (pages.mapped(), (out + large).min(pages.mapped()));
            Statistics {
                arena,
                ordblks: pages.heap.free_spans(),
                hblks: pages.huge_blocks,
                hblkhd: pages.huge_bytes,
                uordblks,
                fordblks: arena - uordblks,
                keepcost: pages.heap.dirty() * UNIT,
            }
        })
    }

    /// malloc_trim: gives free memory back to the system, what this thread has at hand included, but for `pad` bytes.
    /// True if there was any.
    pub fn trim(&self, cache: &mut Cache, pad: usize) -> bool {
        self.give_back(cache);
        (1..=CLASSES).for_each(|number| self.drop_empty_spans(number));
        self.within(Section::PAGES, || {
            // SAFETY: this is their section.
            unsafe { self.pages() }.clean(self, pad / UNIT)
        })
    }
}

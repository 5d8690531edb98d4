//! The surroundings of a heap under test: the kernel's memory, and sections whose order is noted or imposed.

use crate::allocator::{Cache, Corruption, Heap, Section, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

/// The distance between the address ranges of tests that run at the same time.
const DISTANCE: usize = 5 << 40;

thread_local! {
    /// Which thread of a test this is.
    pub static THREAD: Cell<usize> = const { Cell::new(0) };
}

/// Who visited each section, in this order.
pub type Order = [VecDeque<usize>; Section::COUNT];

#[derive(Default)]
struct Sections {
    inside: [bool; Section::COUNT],
    visits: Order,
    /// Who must visit them.
    wanted: Option<Order>,
}

/// The surroundings in range `PLACE`.
pub struct Host<const PLACE: usize> {
    sections: Mutex<Sections>,
    left: Condvar,
    /// Bytes that may still be mapped.
    pub available: AtomicUsize,
    /// Discarding memory is refused, as it is for locked memory.
    pub is_locked: AtomicBool,
    /// Bytes that were mapped, less those that were taken away.
    pub mapped: AtomicUsize,
}

impl<const PLACE: usize> Host<PLACE> {
    /// A heap in surroundings that note the order of visits, or impose `wanted`.
    pub fn heap(wanted: Option<Order>) -> Place<PLACE> {
        let host = Host {
            sections: Mutex::new(Sections { wanted, ..Sections::default() }),
            left: Condvar::new(),
            available: AtomicUsize::new(usize::MAX),
            is_locked: AtomicBool::new(false),
            mapped: AtomicUsize::new(0),
        };
        Place(Heap::new(host))
    }

    /// The order of visits so far.
    pub fn visits(&self) -> Order {
        self.sections.lock().unwrap().visits.clone()
    }

    /// fork, with no other thread in the middle of `enter` or `leave`.
    pub fn fork(&self) -> libc::pid_t {
        let _sections = self.sections.lock().unwrap();
        // SAFETY: the child uses the heap alone, and what belongs to its surroundings is whole.
        unsafe { libc::fork() }
    }

    fn pages(address: usize, size: usize) {
        assert!(Heap::<Host<PLACE>>::range().contains(&address), "{address:x} is not the heap's");
        assert_eq!((address % 4096, size % 4096), (0, 0));
        assert!(size > 0);
    }
}

/// A heap whose memory is taken away at its end.
pub struct Place<const PLACE: usize>(pub Heap<Host<PLACE>>);

impl<const PLACE: usize> Place<PLACE> {
    /// A thread's cache.
    pub fn cache(&self) -> Cache {
        Cache::new()
    }

    /// Resident bytes of the heap's blocks.
    pub fn resident(&self) -> usize {
        let range = Heap::<Host<PLACE>>::range();
        // The tables come last.
        let blocks = range.start..range.start + (4 << 40);
        let mut bytes = 0;
        let mut inside = false;
        for line in std::fs::read_to_string("/proc/self/smaps").unwrap().lines() {
            let begin = line.split_once('-').and_then(|(begin, _)| usize::from_str_radix(begin, 16).ok());
            inside = begin.map_or(inside, |begin| blocks.contains(&begin));
            if let Some(kibibytes) = line.strip_prefix("Rss:").filter(|_| inside) {
                bytes += kibibytes.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10;
            }
        }
        bytes
    }
}

impl<const PLACE: usize> Drop for Place<PLACE> {
    fn drop(&mut self) {
        let range = Heap::<Host<PLACE>>::range();
        // SAFETY: the range is the heap's alone, which nobody can use any more.
        unsafe { libc::munmap(range.start as *mut libc::c_void, range.len()) };
    }
}

impl<const PLACE: usize> System for Host<PLACE> {
    const BASE: usize = 0x0800_0000_0000 + PLACE * DISTANCE;

    fn enter(&self, section: Section) {
        let (number, me) = (section.number(), THREAD.get());
        let mut sections = self.sections.lock().unwrap();
        let must_wait = |sections: &mut Sections| {
            let turn = sections.wanted.as_ref().is_none_or(|wanted| wanted[number].front() == Some(&me));
            sections.inside[number] || !turn
        };
        sections = self.left.wait_while(sections, must_wait).unwrap();
        sections.inside[number] = true;
        sections.visits[number].push_back(me);
        if let Some(wanted) = &mut sections.wanted {
            wanted[number].pop_front();
        }
    }

    fn leave(&self, section: Section) {
        self.sections.lock().unwrap().inside[section.number()] = false;
        self.left.notify_all();
    }

    fn map(&self, address: usize, size: usize) -> bool {
        Self::pages(address, size);
        if self.available.load(Ordering::Relaxed) < size {
            return false;
        }
        // SAFETY: nothing of ours is in the range but what the heap has put there, and that is not replaced.
        let mapped = unsafe {
            libc::mmap(
                address as *mut libc::c_void,
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
                -1,
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            let error = std::io::Error::last_os_error();
            assert_eq!(error.raw_os_error(), Some(libc::ENOMEM), "{address:x} + {size:x}: {error}");
            return false;
        }
        self.available.fetch_sub(size, Ordering::Relaxed);
        self.mapped.fetch_add(size, Ordering::Relaxed);
        true
    }

    fn unmap(&self, address: usize, size: usize) -> bool {
        Self::pages(address, size);
        self.available.fetch_add(size, Ordering::Relaxed);
        self.mapped.fetch_sub(size, Ordering::Relaxed);
        // SAFETY: the heap's, which uses it no more.
        unsafe { libc::munmap(address as *mut libc::c_void, size) == 0 }
    }

    fn discard(&self, address: usize, size: usize) -> bool {
        Self::pages(address, size);
        if self.is_locked.load(Ordering::Relaxed) {
            return false;
        }
        // SAFETY: as above.
        unsafe { libc::madvise(address as *mut libc::c_void, size, libc::MADV_DONTNEED) == 0 }
    }

    fn relocate(&self, from: usize, old_size: usize, to: usize, size: usize) -> bool {
        Self::pages(from, old_size);
        Self::pages(to, size);
        if self.available.load(Ordering::Relaxed) < size - old_size {
            return false;
        }
        self.available.fetch_sub(size - old_size, Ordering::Relaxed);
        self.mapped.fetch_add(size - old_size, Ordering::Relaxed);
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let (from, to) = (from as *mut libc::c_void, to as *mut libc::c_void);
        // SAFETY: nothing is mapped at the target, and the source is the block that moves.
        unsafe { libc::mremap(from, old_size, size, flags, to) == to }
    }

    fn corrupted(&self, what: Corruption) -> ! {
        panic!("{}", what.message())
    }
}

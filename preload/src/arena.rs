//! The library's own memory.
//!
//! Everything of ours lives in one address range far from where the kernel places anything by itself, so that
//! it neither moves the program's mappings nor lies in the way of its wild writes:
//!
//! | offset | what |
//! | --- | --- |
//! | 0 | the session's [`tracer_core::session::Control`] |
//! | [`HEAP`] | the heap behind Rust's allocator in this library |
//! | [`SCHEDULE`] | the list of hand-overs of a recording that has one |
//! | [`GRANULES`] | in rebuilt programs, the order of accesses to memory ([`crate::order::objects`]) |
//! | [`THREADS`] | one [`THREAD_STRIDE`] per thread: state, stacks, ring |

use crate::kernel;
use core::alloc::{GlobalAlloc, Layout};
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Where our range begins. The kernel fills 0x7fff... downwards and 0x5555... upwards; sanitizers' shadows end
/// below 0x2000_0000_0000 or begin above 0x5000_0000_0000.
pub const BASE: usize = tracer_core::session::CONTROL_ADDRESS;
/// Offset of the heap.
pub const HEAP: usize = 0x1000_0000;
/// Bytes reserved for the heap.
const HEAP_SIZE: usize = 0x1000_0000;
/// Offset of the list of hand-overs.
pub const SCHEDULE: usize = 0x3000_0000;
/// Offset of what is known of the order in which memory is accessed.
pub const GRANULES: usize = 0x4000_0000;
/// Offset of the first thread's area.
pub const THREADS: usize = 0x1_0000_0000;
/// Distance between threads' areas.
pub const THREAD_STRIDE: usize = 0x40_0000;
/// How many threads of one process can be alive at once.
pub const THREAD_LIMIT: usize = 16384;

/// All addresses that are ours, near-code stubs excepted.
pub const RANGE: Range<usize> = BASE..BASE + THREADS + THREAD_LIMIT * THREAD_STRIDE;

/// Bytes mapped at a time.
const STEP: usize = 1 << 20;

/// Hands out memory from the heap range; freed blocks go to one list per size class.
///
/// The hook path does not allocate; what does is start-up, the rewriter and rare calls such as exec, so size
/// classes of powers of two and no coalescing are enough.
pub struct Arena {
    next: AtomicUsize,
    mapped: AtomicUsize,
    free: [AtomicUsize; CLASSES],
    busy: AtomicUsize,
}

const CLASSES: usize = 24;
const SMALLEST: usize = 16;

#[global_allocator]
static ARENA: Arena = Arena {
    next: AtomicUsize::new(BASE + HEAP),
    mapped: AtomicUsize::new(BASE + HEAP),
    free: [const { AtomicUsize::new(0) }; CLASSES],
    busy: AtomicUsize::new(0),
};

fn class_of(layout: Layout) -> usize {
    let size = layout.size().max(layout.align()).max(SMALLEST).next_power_of_two();
    (size / SMALLEST).trailing_zeros() as usize
}

impl Arena {
    /// Runs `action` alone: threads of the program, or of the writer process, may allocate at the same time.
    fn exclusively<R>(&self, action: impl FnOnce() -> R) -> R {
        while self.busy.swap(1, Ordering::Acquire) != 0 {
            core::hint::spin_loop();
        }
        let result = action();
        self.busy.store(0, Ordering::Release);
        result
    }

    fn fresh(&self, size: usize) -> *mut u8 {
        let start = self.next.load(Ordering::Relaxed).next_multiple_of(size.min(4096));
        let end = start + size;
        if end > BASE + HEAP + HEAP_SIZE {
            return core::ptr::null_mut();
        }
        let mapped = self.mapped.load(Ordering::Relaxed);
        if end > mapped {
            let more = (end - mapped).next_multiple_of(STEP);
            if kernel::map_anonymous(mapped, more).is_err() {
                return core::ptr::null_mut();
            }
            self.mapped.store(mapped + more, Ordering::Relaxed);
        }
        self.next.store(end, Ordering::Relaxed);
        start as *mut u8
    }
}

impl Arena {
    /// A block, and whether it is fresh from the kernel, and so all zero.
    fn take(&self, layout: Layout) -> (*mut u8, bool) {
        let class = class_of(layout);
        if class >= CLASSES {
            return (core::ptr::null_mut(), false);
        }
        self.exclusively(|| {
            let head = self.free[class].load(Ordering::Relaxed);
            if head == 0 {
                return (self.fresh(SMALLEST << class), true);
            }
            // SAFETY: a block in the list is at least 16 bytes of our memory, and its first word is the link.
            let next = unsafe { *(head as *const usize) };
            self.free[class].store(next, Ordering::Relaxed);
            (head as *mut u8, false)
        })
    }
}

// SAFETY: blocks are powers of two at least as large as size and alignment, taken from a range that only grows,
// or from a list of blocks of the same class that their owners gave back; `exclusively` makes both atomic.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout).0
    }

    /// Leaves pages that nobody has used yet untouched.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (block, zero) = self.take(layout);
        if !zero && !block.is_null() {
            // SAFETY: the block has that size.
            unsafe { core::ptr::write_bytes(block, 0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let class = class_of(layout);
        self.exclusively(|| {
            // SAFETY: the block is at least 16 bytes, and its owner has given it up.
            unsafe { *(block as *mut usize) = self.free[class].load(Ordering::Relaxed) };
            self.free[class].store(block as usize, Ordering::Relaxed);
        });
    }
}

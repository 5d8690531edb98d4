//! malloc and its relatives, which sync order has an allocator of its own for ([`crate::allocator`]): libc's gives
//! addresses that depend on which of its locks were taken at some moment.

use super::ordered::Ordered;
use super::original::Original;
use super::rows::{ERRNO, Row};
use super::stack;
use crate::allocator::{Cache, Corruption, Failure, Heap, Section, System};
use crate::kernel;
use crate::thread;
use crate::watch::{accesses, alone};
use core::ptr::null_mut;

/// One lock for each section.
static SECTIONS: [Ordered; Section::COUNT] = [const { Ordered::new() }; Section::COUNT];
static HEAP: Heap<Process> = Heap::new(Process);

/// libc's own, for blocks that it or ld.so made before we came.
static FREE: Original = Original::new();
static USABLE_SIZE: Original = Original::new();
/// `write` and `abort`, as the program would call them.
pub static WRITE: Original = Original::new();
/// See there.
pub static ABORT: Original = Original::new();

/// The allocator's surroundings.
///
/// What the kernel answers is taken to be the same in replay, where the same is mapped: if it is not, the replay has less
/// memory than the recording, and ends.
struct Process;

/// Where the allocator's memory is: far from the kernel's choices (0x5555... and 0x7fff...), from ours, and from sanitizers'
/// shadows.
const BASE: usize = 0x2a00_0000_0000;

fn succeeds(number: i64, arguments: [u64; 6]) -> bool {
    // SAFETY: each caller asks for a change of memory that only the allocator uses.
    accesses::while_mappings_change(|| unsafe { kernel::call(number, arguments) }).is_ok()
}

impl System for Process {
    const BASE: usize = BASE;

    fn enter(&self, section: Section) {
        SECTIONS[section.number()].enter();
    }

    fn leave(&self, section: Section) {
        SECTIONS[section.number()].leave();
    }

    fn map(&self, address: usize, size: usize) -> bool {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        succeeds(libc::SYS_mmap, [address as u64, size as u64, access as u64, flags as u64, u64::MAX, 0])
    }

    fn unmap(&self, address: usize, size: usize) -> bool {
        self.forget(address, size);
        succeeds(libc::SYS_munmap, [address as u64, size as u64, 0, 0, 0, 0])
    }

    fn discard(&self, address: usize, size: usize) -> bool {
        succeeds(libc::SYS_madvise, [address as u64, size as u64, libc::MADV_DONTNEED as u64, 0, 0, 0])
    }

    fn relocate(&self, from: usize, old_size: usize, to: usize, size: usize) -> bool {
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let arguments = [from as u64, old_size as u64, size as u64, flags as u64, to as u64, 0];
        succeeds(libc::SYS_mremap, arguments)
    }

    fn forget(&self, address: usize, size: usize) {
        accesses::forgets(thread::current(), address as u64, size as u64);
    }

    /// Dies as glibc's would, of a call that is seen: with the same message, and by SIGABRT.
    fn corrupted(&self, what: Corruption) -> ! {
        let message = what.message();
        // SAFETY: libc's functions; the message is that long.
        unsafe {
            WRITE.call([libc::STDERR_FILENO as u64, message.as_ptr() as u64, message.len() as u64]);
            WRITE.call([libc::STDERR_FILENO as u64, b"\n".as_ptr() as u64, 1]);
            ABORT.call([]);
        }
        kernel::exit(libc::SIGABRT + 128)
    }
}

/// The calling thread's free blocks. A child of vfork has its parent's.
#[inline(always)]
fn cache() -> &'static mut Cache {
    let thread = thread::current();
    let owner = if thread.lender.is_null() { thread } else { thread.lender };
    // SAFETY: the thread's own, or its parent's, who waits; each function below takes one reference.
    unsafe { &mut (*owner).cache }
}

fn error_of(failure: Failure) -> i32 {
    match failure {
        Failure::NoMemory => libc::ENOMEM,
        Failure::Invalid | Failure::Foreign => libc::EINVAL,
    }
}

fn answer(result: Result<*mut u8, Failure>) -> *mut u8 {
    result.unwrap_or_else(|failure| {
        // SAFETY: libc's function, which was found before anything was redirected.
        unsafe { *(ERRNO.address([]) as *mut i32) = error_of(failure) };
        null_mut()
    })
}

extern "C" fn malloc(size: usize) -> *mut u8 {
    match HEAP.take_at_hand(cache(), size) {
        Some(block) => block,
        None => malloc_elsewhere(size),
    }
}

#[cold]
#[inline(never)]
fn malloc_elsewhere(size: usize) -> *mut u8 {
    stack::run(|| answer(HEAP.allocate(cache(), size)))
}

extern "C" fn calloc(count: usize, size: usize) -> *mut u8 {
    answer(HEAP.allocate_zeroed(cache(), count, size))
}

unsafe extern "C" fn free(block: *mut u8) {
    // SAFETY: the program's.
    if !unsafe { HEAP.keep_at_hand(cache(), block) } {
        // SAFETY: the program's.
        unsafe { free_elsewhere(block) };
    }
}

/// # Safety
/// As of free.
#[cold]
#[inline(never)]
unsafe fn free_elsewhere(block: *mut u8) {
    stack::run(|| {
        // SAFETY: the program's; libc made it if the heap did not.
        unsafe {
            if HEAP.free(cache(), block) == Err(Failure::Foreign) {
                FREE.call([block as u64]);
            }
        }
    });
}

unsafe extern "C" fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the program's.
    unsafe { resized(HEAP.resize(cache(), block, size), block, size) }
}

unsafe extern "C" fn reallocarray(block: *mut u8, count: usize, size: usize) -> *mut u8 {
    // SAFETY: the program's. A product that is too large is an error before the block is looked at.
    unsafe { resized(HEAP.resize_array(cache(), block, count, size), block, count.wrapping_mul(size)) }
}

/// What a change of size gives: a block of libc's is copied to one of ours.
///
/// # Safety
/// As of realloc.
unsafe fn resized(result: Result<*mut u8, Failure>, block: *mut u8, size: usize) -> *mut u8 {
    if result != Err(Failure::Foreign) {
        return answer(result);
    }
    // SAFETY: libc made the block; both have so many bytes.
    unsafe {
        let new = answer(HEAP.allocate(cache(), size));
        if !new.is_null() {
            let old_size = USABLE_SIZE.call([block as u64]) as u32 as usize;
            core::ptr::copy_nonoverlapping(block, new, old_size.min(size));
            FREE.call([block as u64]);
        }
        new
    }
}

extern "C" fn memalign(alignment: usize, size: usize) -> *mut u8 {
    answer(HEAP.allocate_aligned(cache(), alignment, size))
}

unsafe extern "C" fn posix_memalign(result: *mut *mut u8, alignment: usize, size: usize) -> i32 {
    match HEAP.allocate_posix(cache(), alignment, size) {
        Ok(block) => {
            // SAFETY: the program's.
            unsafe { *result = block };
            0
        }
        Err(failure) => error_of(failure),
    }
}

extern "C" fn valloc(size: usize) -> *mut u8 {
    answer(HEAP.allocate_page(cache(), size))
}

extern "C" fn pvalloc(size: usize) -> *mut u8 {
    answer(HEAP.allocate_pages(cache(), size))
}

extern "C" fn malloc_usable_size(block: *mut u8) -> usize {
    match HEAP.usable_size(block) {
        // SAFETY: libc made it.
        Err(Failure::Foreign) => unsafe { USABLE_SIZE.call([block as u64]) as u32 as usize },
        size => size.unwrap_or(0),
    }
}

extern "C" fn malloc_trim(pad: usize) -> i32 {
    HEAP.trim(cache(), pad).into()
}

extern "C" fn mallinfo2() -> libc::mallinfo2 {
    HEAP.statistics().into()
}

extern "C" fn mallinfo() -> libc::mallinfo {
    HEAP.statistics().into()
}

/// What takes the place of these where a replay tells accesses: blocks that are given back, or may be moved, have no past any
/// more, and what was opened to the allocator is closed again.
mod telling {
    use super::{HEAP, accesses, alone, thread};

    fn forget(block: *mut u8) {
        // Of others the allocator itself says so.
        if let Some(size) = HEAP.small_size(block) {
            accesses::forgets(thread::current(), block as u64, size as u64);
        }
    }

    pub extern "C" fn malloc(size: usize) -> *mut u8 {
        let block = super::malloc(size);
        alone::before_program();
        block
    }

    pub extern "C" fn calloc(count: usize, size: usize) -> *mut u8 {
        let block = super::calloc(count, size);
        alone::before_program();
        block
    }

    pub unsafe extern "C" fn free(block: *mut u8) {
        forget(block);
        // SAFETY: the program's.
        unsafe { super::free(block) };
        alone::before_program();
    }

    pub unsafe extern "C" fn realloc(block: *mut u8, size: usize) -> *mut u8 {
        forget(block);
        // SAFETY: the program's.
        let block = unsafe { super::realloc(block, size) };
        alone::before_program();
        block
    }
}

/// libc's functions that nobody calls any more.
static UNUSED: Original = Original::new();

/// A function that nothing of libc's is needed for.
const fn replaced(name: &'static [u8], hook: fn() -> u64) -> Row {
    Row::new(name, hook, &UNUSED).with_equivalent(hook)
}

/// The functions. libc's own are called only for libc's own blocks. The quickest stay on the program's stack, and go to the
/// other one for what they cannot do at once.
pub static ROWS: &[Row] = &[
    replaced(b"malloc", || malloc as *const () as u64)
        .staying()
        .telling(|| telling::malloc as *const () as u64),
    replaced(b"calloc", || calloc as *const () as u64).telling(|| telling::calloc as *const () as u64),
    Row::new(b"free", || free as *const () as u64, &FREE)
        .staying()
        .telling(|| telling::free as *const () as u64),
    replaced(b"realloc", || realloc as *const () as u64).telling(|| telling::realloc as *const () as u64),
    replaced(b"reallocarray", || reallocarray as *const () as u64),
    replaced(b"memalign", || memalign as *const () as u64),
    replaced(b"aligned_alloc", || memalign as *const () as u64),
    replaced(b"posix_memalign", || posix_memalign as *const () as u64),
    replaced(b"valloc", || valloc as *const () as u64),
    replaced(b"pvalloc", || pvalloc as *const () as u64),
    Row::new(b"malloc_usable_size", || malloc_usable_size as *const () as u64, &USABLE_SIZE),
    replaced(b"malloc_trim", || malloc_trim as *const () as u64),
    replaced(b"mallinfo", || mallinfo as *const () as u64),
    replaced(b"mallinfo2", || mallinfo2 as *const () as u64),
];

/// The thread ends: what it has at hand is for others.
pub fn give_back() {
    HEAP.give_back(cache());
}

/// The process is about to be copied.
pub fn before_fork() {
    HEAP.before_fork();
}

/// It was, and this is the copy or the original.
pub fn after_fork() {
    HEAP.after_fork();
}

//! The allocator as a library to preload, without the rest: `LD_PRELOAD=target/release/examples/liballocator.so program`.
//! The benchmarks compare it with glibc's, and the tests run programs with it. Its sections are plain locks: nothing is
//! recorded.

#[path = "../src/allocator/mod.rs"]
pub mod allocator;

use allocator::{Cache, Corruption, Failure, Heap, Section, System};
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, Ordering};

/// A thread's part: zeros at first.
#[repr(C)]
struct Mine {
    cache: Cache,
    /// Its cache will be given back when it ends.
    is_registered: bool,
}

global_asm!(
    ".pushsection .tbss, \"awT\", @nobits",
    ".balign 64",
    ".globl imitate_allocator_mine",
    ".hidden imitate_allocator_mine",
    ".type imitate_allocator_mine, @object",
    "imitate_allocator_mine: .zero {size}",
    ".popsection",
    size = const size_of::<Mine>(),
);

/// This thread's part.
#[inline(always)]
fn mine() -> &'static mut Mine {
    let address: usize;
    // SAFETY: it reads the thread pointer, and where in the thread's static block the variable is.
    unsafe {
        asm!(
            "mov {address}, qword ptr fs:[0]",
            "add {address}, qword ptr [rip + imitate_allocator_mine@gottpoff]",
            address = out(reg) address,
            options(pure, readonly, nostack)
        );
    }
    // SAFETY: the thread's own variable, of that size, zeros at first. Each function below takes one reference.
    unsafe { &mut *(address as *mut Mine) }
}

struct Locks([UnsafeCell<libc::pthread_mutex_t>; Section::COUNT]);
// SAFETY: mutexes are for more than one thread.
unsafe impl Sync for Locks {}

static LOCKS: Locks = Locks([const { UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER) }; Section::COUNT]);
static HEAP: Heap<Process> = Heap::new(Process);
/// No key of pthread_setspecific.
const NO_KEY: u32 = u32::MAX;
/// The key whose destructor gives caches back.
static KEY: AtomicU32 = AtomicU32::new(NO_KEY);

struct Process;

impl System for Process {
    const BASE: usize = 0x2a00_0000_0000;

    fn enter(&self, section: Section) {
        // SAFETY: an initialised mutex.
        unsafe { libc::pthread_mutex_lock(LOCKS.0[section.number()].get()) };
    }

    fn leave(&self, section: Section) {
        // SAFETY: an initialised mutex, which this thread has locked.
        unsafe { libc::pthread_mutex_unlock(LOCKS.0[section.number()].get()) };
    }

    fn map(&self, address: usize, size: usize) -> bool {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: it replaces nothing.
        unsafe { libc::mmap(address as *mut c_void, size, access, flags, -1, 0) == address as *mut c_void }
    }

    fn unmap(&self, address: usize, size: usize) -> bool {
        // SAFETY: the heap's memory, which it does not use any more.
        unsafe { libc::munmap(address as *mut c_void, size) == 0 }
    }

    fn discard(&self, address: usize, size: usize) -> bool {
        // SAFETY: as above.
        unsafe { libc::madvise(address as *mut c_void, size, libc::MADV_DONTNEED) == 0 }
    }

    fn relocate(&self, from: usize, old_size: usize, to: usize, size: usize) -> bool {
        let (from, to) = (from as *mut c_void, to as *mut c_void);
        // SAFETY: nothing is mapped at the target, and the source is a block that moves.
        unsafe { libc::mremap(from, old_size, size, libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, to) == to }
    }

    fn corrupted(&self, what: Corruption) -> ! {
        let message = what.message();
        // SAFETY: the message is that long, and abort does not return.
        unsafe {
            libc::write(2, message.as_ptr().cast(), message.len());
            libc::write(2, b"\n".as_ptr().cast(), 1);
            libc::abort()
        }
    }
}

/// Runs before the program's own constructors.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = prepare;

extern "C" fn prepare() {
    extern "C" fn before() {
        HEAP.before_fork();
    }
    extern "C" fn after() {
        HEAP.after_fork();
    }
    let mut key = 0;
    // SAFETY: the functions live as long as the library, which stays.
    unsafe {
        libc::pthread_atfork(Some(before), Some(after), Some(after));
        if libc::pthread_key_create(&raw mut key, Some(give_back)) == 0 {
            KEY.store(key, Ordering::Relaxed);
        }
    }
}

unsafe extern "C" fn give_back(_: *mut c_void) {
    let mine = mine();
    HEAP.give_back(&mut mine.cache);
    // Another destructor may allocate yet: then there is another round.
    mine.is_registered = false;
}

/// The thread's cache, for a call that may fill it: it will be given back when the thread ends.
fn cache() -> &'static mut Cache {
    let mine = mine();
    let key = KEY.load(Ordering::Relaxed);
    if !mine.is_registered && key != NO_KEY {
        mine.is_registered = true;
        // SAFETY: the key was made; any value but null has the destructor called.
        unsafe { libc::pthread_setspecific(key, (&raw const HEAP).cast()) };
    }
    &mut mine.cache
}

fn fail(failure: Failure) -> c_int {
    match failure {
        Failure::NoMemory => libc::ENOMEM,
        Failure::Invalid => libc::EINVAL,
        // ld.so's own, from before it had found this library.
        Failure::Foreign => HEAP.system().corrupted(Corruption::Free),
    }
}

fn answer(result: Result<*mut u8, Failure>) -> *mut c_void {
    match result {
        Ok(block) => block.cast(),
        Err(failure) => {
            // SAFETY: errno is the thread's.
            unsafe { *libc::__errno_location() = fail(failure) };
            null_mut()
        }
    }
}

/// malloc(3).
#[unsafe(no_mangle)]
pub extern "C" fn malloc(size: usize) -> *mut c_void {
    match HEAP.take_at_hand(&mut mine().cache, size) {
        Some(block) => block.cast(),
        None => elsewhere(size),
    }
}

#[cold]
#[inline(never)]
fn elsewhere(size: usize) -> *mut c_void {
    answer(HEAP.allocate(cache(), size))
}

/// calloc(3).
#[unsafe(no_mangle)]
pub extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    answer(HEAP.allocate_zeroed(cache(), count, size))
}

/// free(3).
///
/// # Safety
/// As of free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: the caller's.
    if !unsafe { HEAP.keep_at_hand(&mut mine().cache, block.cast()) } {
        // SAFETY: the caller's.
        unsafe { free_elsewhere(block) };
    }
}

/// # Safety
/// As of free.
#[cold]
#[inline(never)]
unsafe fn free_elsewhere(block: *mut c_void) {
    // What ld.so has allocated before it had found this library may be freed, which does nothing.
    // SAFETY: the caller's.
    let _ = unsafe { HEAP.free(cache(), block.cast()) };
}

/// realloc(3).
///
/// # Safety
/// As of realloc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's.
    answer(unsafe { HEAP.resize(cache(), block.cast(), size) })
}

/// reallocarray(3).
///
/// # Safety
/// As of reallocarray.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void {
    // SAFETY: the caller's.
    answer(unsafe { HEAP.resize_array(cache(), block.cast(), count, size) })
}

/// memalign(3).
#[unsafe(no_mangle)]
pub extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    answer(HEAP.allocate_aligned(cache(), alignment, size))
}

/// aligned_alloc(3).
#[unsafe(no_mangle)]
pub extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    memalign(alignment, size)
}

/// posix_memalign(3).
///
/// # Safety
/// `result` can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(result: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    match HEAP.allocate_posix(cache(), alignment, size) {
        Ok(block) => {
            // SAFETY: the caller's.
            unsafe { *result = block.cast() };
            0
        }
        Err(failure) => fail(failure),
    }
}

/// valloc(3).
#[unsafe(no_mangle)]
pub extern "C" fn valloc(size: usize) -> *mut c_void {
    answer(HEAP.allocate_page(cache(), size))
}

/// pvalloc(3).
#[unsafe(no_mangle)]
pub extern "C" fn pvalloc(size: usize) -> *mut c_void {
    answer(HEAP.allocate_pages(cache(), size))
}

/// malloc_usable_size(3).
#[unsafe(no_mangle)]
pub extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    HEAP.usable_size(block.cast()).unwrap_or(0)
}

/// malloc_trim(3).
#[unsafe(no_mangle)]
pub extern "C" fn malloc_trim(pad: usize) -> c_int {
    c_int::from(HEAP.trim(cache(), pad))
}

/// mallinfo2(3).
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo2() -> libc::mallinfo2 {
    HEAP.statistics().into()
}

/// mallinfo(3).
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo() -> libc::mallinfo {
    HEAP.statistics().into()
}

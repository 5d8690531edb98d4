//! GNU's OpenMP runtime, libgomp, is ordered as libc is: threads agree in it by atomics of its own, which nobody else sees.
//!
//! Its locks (critical sections, `omp_set_lock`, atomics that the processor does not have) are objects like a mutex. What a
//! thread takes from work that is shared (the next piece of a loop, the next section, who makes a `single`) is taken in
//! functions that do not wait, which are enclosed ([`super::enclosed`]); or only for the thread's turn in an ordered loop, which
//! is waited for before. Teams, barriers and ordered regions need nothing:
//! they wait, in replay as in the recording, but choose nothing. Its futex calls are no events, as libc's are none.
//!
//! Not ordered is what waits and chooses in one function: explicit tasks, `copyprivate`, `omp_test_nest_lock`, cancellation.

use super::engine::{self, Subject};
use super::original::Original;
use super::rows::{Failure, Row, by, either, once, taking};
use super::{base_of, code_behind, contains, enclose_all, redirect_all, remember_code};
use crate::order::sections::{self, state};
use crate::start::{maps::Mapping, with_mappings};
use crate::thread::Thread;
use crate::watch;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use kmod_shim::patch::object::Object;
use kmod_shim::vdso::Functions;
use tracer_core::event::Operation;
use tracer_core::session::functions;

/// How its file's name begins.
const LIBRARY: &[u8] = b"/libgomp.so.1";

const PAGE: u64 = 4096;

/// Its code.
pub static CODE: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Waits for a thread's turn in an ordered loop. To do so twice is as good as once.
static ORDERED_START: Original = Original::new();

/// Redirects its functions, if it is loaded.
pub fn install(mappings: &[Mapping]) {
    if let Some(base) = base_of(mappings, is_library) {
        // SAFETY: ld.so has loaded it.
        unsafe { redirect(mappings, base) };
    }
}

fn is_library(name: &[u8]) -> bool {
    contains(name, LIBRARY)
}

/// The program has protected memory. So does ld.so with a file that it has relocated, before anything in it is called: this
/// may be ours, by dlopen. It makes the part that was relocated readable only, where the dynamic section is as well.
#[inline]
pub fn memory_was_protected(start: u64, protection: u64) {
    if protection == libc::PROT_READ as u64 && sections::is_chosen() && !is_known() {
        with_mappings(|mappings| {
            if let Some(base) = base_of(mappings, is_library).filter(|base| reaches(mappings, *base, start)) {
                // SAFETY: see above.
                unsafe { redirect(mappings, base) };
            }
        });
    }
}

/// Whether `address` belongs to what is loaded at `base`. In replay not all that comes from a file has its name.
fn reaches(mappings: &[Mapping], base: u64, address: u64) -> bool {
    code_behind(mappings, base)
        // SAFETY: the mapping that begins there was just found, and has a page at least.
        .and_then(|code| unsafe { Object::at(base..base + PAGE, code.begin) })
        .is_some_and(|object| object.mapped.contains(&address))
}

/// The program has given memory up: if the file was there, it may come again elsewhere.
#[inline]
pub fn memory_was_unmapped(range: &Range<u64>) {
    if range.contains(&CODE[0].load(Ordering::Relaxed)) {
        CODE.iter().for_each(|bound| bound.store(0, Ordering::Relaxed));
    }
}

fn is_known() -> bool {
    CODE[0].load(Ordering::Relaxed) != 0
}

/// # Safety
/// The file is completely mapped at `base`.
unsafe fn redirect(mappings: &[Mapping], base: u64) {
    remember_code(mappings, base, &CODE);
    // SAFETY: see above.
    let functions = unsafe { Functions::at(base) };
    if let Some(function) = functions.find(b"GOMP_ordered_start") {
        ORDERED_START.set(function.address);
    }
    let mut redirected = Vec::new();
    redirect_all(base, &functions, &[TAKING], &mut redirected);
    enclose_all(base, &functions, &mut redirected);
}

fn lock(object: u64) -> Subject {
    Subject::by_address(Operation::Mutex, object)
}

/// Functions without an argument have a lock of libgomp's own each: what is kept of the function stands for it.
fn critical(_: u64) -> Subject {
    lock(&raw const CRITICAL_START as u64)
}

fn atomic(_: u64) -> Subject {
    lock(&raw const ATOMIC_START as u64)
}

/// The function returns nothing, and has the lock then.
struct Never;

impl Failure for Never {
    fn error(_: i32) -> i32 {
        0
    }

    fn result(_: i32) -> i32 {
        0
    }
}

/// The function returns whether it has the lock.
struct Told;

impl Failure for Told {
    fn error(result: i32) -> i32 {
        if result == 0 { libc::EBUSY } else { 0 }
    }

    fn result(error: i32) -> i32 {
        i32::from(error == 0)
    }
}

taking! {
    objects 0;
    b"GOMP_critical_start" CRITICAL_START critical_start(unused): critical, Never, waits by(&CRITICAL_START);
    b"GOMP_critical_name_start" NAME_START name_start(object): lock, Never, waits by(&NAME_START);
    b"GOMP_atomic_start" ATOMIC_START atomic_start(unused): atomic, Never, waits by(&ATOMIC_START);
    b"omp_set_lock" SET_LOCK set_lock(object): lock, Never, waits by(&SET_LOCK);
    b"omp_test_lock" TEST_LOCK test_lock(object): lock, Told, waits wait_for_lock;
    b"omp_set_nest_lock" SET_NEST_LOCK set_nest_lock(object): lock, Never, waits by(&SET_NEST_LOCK);
}

/// Waits for the calling thread's turn, in the ordered loop that it is in.
pub fn wait_for_turn() {
    // SAFETY: libgomp's function, which takes nothing; a thread is in such a loop only by functions of the same file.
    unsafe { ORDERED_START.call([]) };
}

/// Waits for the lock, as a function that says that it has it.
fn wait_for_lock(object: u64) -> i32 {
    by(&SET_LOCK)(object);
    1
}

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
use super::rows::{Failure, Row, either, once, taking};
use super::{base_of, contains, enclose_all, redirect_all, remember_code};
use crate::order::sections::{self, state};
use crate::start::maps::{self, Mapping};
use crate::thread::Thread;
use crate::{kernel, watch};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use kmod_shim::vdso::Functions;
use tracer_core::event::Operation;
use tracer_core::session::functions;

/// How its file's name begins.
const LIBRARY: &[u8] = b"/libgomp.so.1";

/// Its code.
pub static CODE: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// Where dlopen has mapped it, until it is complete.
static INCOMPLETE: AtomicU64 = AtomicU64::new(0);

/// Waits for a thread's turn in an ordered loop. To do so twice is as good as once.
static ORDERED_START: Original = Original::new();

/// Redirects its functions, if it is loaded.
pub fn install(mappings: &[Mapping]) {
    if let Some(base) = base_of(mappings, |name| contains(name, LIBRARY)) {
        // SAFETY: ld.so has loaded it.
        unsafe { redirect(mappings, base) };
    }
}

/// The program has mapped code: this may be ours, in the middle of a dlopen.
pub fn code_was_mapped() {
    if sections::is_chosen() && !is_known() {
        with_mappings(|mappings| {
            let base = base_of(mappings, |name| contains(name, LIBRARY));
            INCOMPLETE.store(base.unwrap_or(0), Ordering::Relaxed);
        });
    }
}

/// The program has protected memory. So does ld.so with a file that it has relocated, before anything in it is called, and
/// it does not begin to relocate before it has mapped all that it is loading.
#[inline]
pub fn memory_was_protected() {
    let base = INCOMPLETE.load(Ordering::Relaxed);
    if base != 0 && !is_known() {
        // SAFETY: see above.
        with_mappings(|mappings| unsafe { redirect(mappings, base) });
    }
}

/// The program has given memory up: if the file was there, it may come again elsewhere.
#[inline]
pub fn memory_was_unmapped(range: &Range<u64>) {
    if range.contains(&CODE[0].load(Ordering::Relaxed)) {
        INCOMPLETE.store(0, Ordering::Relaxed);
        CODE.iter().for_each(|bound| bound.store(0, Ordering::Relaxed));
    }
}

fn is_known() -> bool {
    CODE[0].load(Ordering::Relaxed) != 0
}

fn with_mappings(action: impl FnOnce(&[Mapping])) {
    if let Ok(text) = kernel::read_file(c"/proc/thread-self/maps") {
        action(&maps::parse(&text).collect::<Vec<_>>());
    }
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

/// What stands for the locks that functions without an argument take.
static CRITICAL: u8 = 0;
static ATOMIC: u8 = 1;

fn lock(object: u64) -> Subject {
    Subject::by_address(Operation::Mutex, object)
}

fn critical(_: u64) -> Subject {
    lock(&raw const CRITICAL as u64)
}

fn atomic(_: u64) -> Subject {
    lock(&raw const ATOMIC as u64)
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
    b"GOMP_critical_start" CRITICAL_START critical_start(unused): critical, Never, waits enter_critical;
    b"GOMP_critical_name_start" NAME_START name_start(object): lock, Never, waits enter_named;
    b"GOMP_atomic_start" ATOMIC_START atomic_start(unused): atomic, Never, waits enter_atomic;
    b"omp_set_lock" SET_LOCK set_lock(object): lock, Never, waits wait_for_lock;
    b"omp_test_lock" TEST_LOCK test_lock(object): lock, Told, waits wait_for_lock;
    b"omp_set_nest_lock" SET_NEST_LOCK set_nest_lock(object): lock, Never, waits wait_for_nest_lock;
}

/// Waits for the calling thread's turn, in the ordered loop that it is in.
pub fn wait_for_turn() {
    // SAFETY: libgomp's function, which takes nothing; a thread is in such a loop only by functions of the same file.
    unsafe { ORDERED_START.call([]) };
}

fn enter_critical(unused: u64) -> i32 {
    // SAFETY: libgomp's function, which takes nothing.
    unsafe { CRITICAL_START.call([unused]) }
}

fn enter_named(object: u64) -> i32 {
    // SAFETY: libgomp's function, with the address that the compiler passes.
    unsafe { NAME_START.call([object]) }
}

fn enter_atomic(unused: u64) -> i32 {
    // SAFETY: libgomp's function, which takes nothing.
    unsafe { ATOMIC_START.call([unused]) }
}

fn wait_for_lock(object: u64) -> i32 {
    // SAFETY: libgomp's function, with the program's lock.
    unsafe { SET_LOCK.call([object]) };
    1
}

fn wait_for_nest_lock(object: u64) -> i32 {
    // SAFETY: as above.
    unsafe { SET_NEST_LOCK.call([object]) }
}

//! What one thread does once, for all: pthread_once, and the static variables of C++ functions.
//!
//! Which thread that is is logged, by it. All others go on when it is done, which the object itself says, in both modes, and
//! for C++ to code of the compiler's that calls nobody. So there is nothing to log for them.

use super::engine::{Subject, is_next, tell};
use super::original::Original;
use super::rows::Row;
use super::stack;
use super::word::Place;
use crate::order::sections::{self, state};
use crate::thread::{self, Thread};
use crate::{kernel, log, process, watch};
use core::sync::atomic::{AtomicU32, Ordering};
use tracer_core::event::Operation;
use tracer_core::session::functions;

static PTHREAD_ONCE: Original = Original::new();
static GUARD_ACQUIRE: Original = Original::new();
static GUARD_RELEASE: Original = Original::new();

/// In libc.
pub static LIBC: &[Row] =
    &[Row::new(b"pthread_once", || pthread_once as *const () as u64, &PTHREAD_ONCE).staying()];

/// In the C++ library.
pub static CPP: &[Row] = &[
    Row::new(b"__cxa_guard_acquire", || guard_acquire as *const () as u64, &GUARD_ACQUIRE).staying(),
    Row::new(b"__cxa_guard_release", || guard_release as *const () as u64, &GUARD_RELEASE).staying(),
];

/// The bit of a pthread_once_t that says that it is done (nptl/pthreadP.h).
const ONCE_DONE: u32 = 2;
/// The byte of a guard that says so (Itanium C++ ABI, 3.3.3).
const GUARD_DONE: u32 = 0xff;
/// Milliseconds after which a sleeper looks whether the companion is still there.
const PATIENCE: u64 = 1000;

/// What a watched replay tells of these is the same for both.
const ONCE: Option<u16> = functions::number(b"pthread_once");

/// Replay: what is done once is done, as the calling thread knows now.
fn tell_end(object: u64) {
    stack::run(|| watch::operation_ends(thread::current(), ONCE, object, 0));
}

/// What is to be called once, by a hook that is on the stack.
pub struct Initialiser {
    function: u64,
    control: u64,
    outer: *const Initialiser,
}

/// # Safety
/// The object lies in the program's memory, which libc will read as well.
unsafe fn word_of(object: u64) -> &'static AtomicU32 {
    // SAFETY: see above.
    unsafe { &*(object as *const AtomicU32) }
}

/// Replay: another thread does it; waits until that is done. Not on the program's stack, which may be closed meanwhile
/// ([`watch::alone`]).
fn wait(word: &AtomicU32, done: u32) {
    stack::run(|| {
        loop {
            let seen = word.load(Ordering::Acquire);
            if seen & done != 0 {
                break;
            }
            if watch::alone::is_wanted() {
                watch::alone::pause();
            } else if kernel::futex_wait(word, seen, PATIENCE) {
                process::end_if_abandoned();
            }
        }
    });
}

extern "C" fn pthread_once(control: u64, function: u64) -> i32 {
    // SAFETY: libc's function; what it calls is the program's, or calls that.
    let call = |function: u64| unsafe { PTHREAD_ONCE.call([control, function]) };
    let Some((thread, state)) = sections::ordered() else { return call(function) };
    if log::read_value::<u32>(control).is_none() {
        // It is not there. libc's function fails.
        return call(function);
    }
    // SAFETY: the program's object.
    let word = unsafe { word_of(control) };
    if state == state::REPLAY {
        watch::operation_begins(thread, ONCE, [control, 0]);
        let result = replay_once(thread, control, word, || call(function));
        tell_end(control);
        return result;
    }
    if word.load(Ordering::Acquire) & ONCE_DONE != 0 {
        return 0;
    }
    let initialiser = Initialiser { function, control, outer: thread.initialiser };
    thread.initialiser = &raw const initialiser;
    let result = call(initialise as *const () as u64);
    thread::current().initialiser = initialiser.outer;
    result
}

/// Replay: `call` has libc call the function, if that is not done and this is the thread.
fn replay_once(thread: &mut Thread, control: u64, word: &AtomicU32, call: impl FnOnce() -> i32) -> i32 {
    if word.load(Ordering::Acquire) & ONCE_DONE != 0 {
        return 0;
    }
    if !is_next(thread, Subject::by_address(Operation::Once, control)) {
        wait(word, ONCE_DONE);
        return 0;
    }
    thread.passes += 1;
    let result = call();
    // libc wakes only those that sleep as it does, privately.
    kernel::futex_wake(word);
    result
}

/// Recording: libc has chosen this thread.
extern "C" fn initialise() {
    let thread = thread::current();
    // SAFETY: the hook that libc was called from is on the stack, below this function.
    let Initialiser { function, control, .. } = unsafe { thread.initialiser.read() };
    tell(thread, 0, Subject::by_address(Operation::Once, control), Place(0), 0);
    thread.passes += 1;
    // SAFETY: what the program passed to pthread_once.
    let function: extern "C" fn() = unsafe { core::mem::transmute(function) };
    function();
}

/// Calls one of the C++ library's functions. By `syscall`, as the program's atomics do, it sleeps while another thread
/// is at work, or wakes those that do; who that is differs between the modes.
fn call_guard(function: &Original, guard: u64) -> i32 {
    if !sections::are_on() {
        // SAFETY: the function, with the program's guard.
        return unsafe { function.call([guard]) };
    }
    thread::current().is_in_guard = true;
    // SAFETY: see above.
    let result = unsafe { function.call([guard]) };
    thread::current().is_in_guard = false;
    result
}

extern "C" fn guard_acquire(guard: u64) -> i32 {
    let call = || call_guard(&GUARD_ACQUIRE, guard);
    let Some((thread, state)) = sections::ordered() else { return call() };
    let subject = Subject::by_address(Operation::Guard, guard);
    if state == state::REPLAY {
        watch::operation_begins(thread, ONCE, [guard, 0]);
        if is_next(thread, subject) {
            thread.passes += 1;
            return call();
        }
        // SAFETY: the program's object.
        wait(unsafe { word_of(guard) }, GUARD_DONE);
        tell_end(guard);
        return 0;
    }
    let result = call();
    if result != 0 {
        tell(thread, 0, subject, Place(0), result);
        thread.passes += 1;
    }
    result
}

extern "C" fn guard_release(guard: u64) -> i32 {
    let result = call_guard(&GUARD_RELEASE, guard);
    if sections::state() == state::REPLAY {
        // The library knows nothing of those that wait here.
        // SAFETY: the program's object.
        kernel::futex_wake(unsafe { word_of(guard) });
        tell_end(guard);
    }
    result
}

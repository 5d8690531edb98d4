//! Accesses to memory, in programs that were rebuilt so that these can be ordered (`imitate cc`).
//!
//! The compiler puts a call before each access that is to be ordered, or, for atomic operations, in its place
//! (`-fsanitize=thread`). What is called is linked into the program (`replayer/src/rebuild/stand_in.c`), does the same
//! as the program would have done, and comes here if threads run in parallel: to [`enter`] and [`leave`] around an atomic
//! operation, to [`touch`] before any other access, which the program makes when it is back.
//!
//! Memory is ordered by pieces of 64 bytes, [`granule`]s. Each is an object with operations that are numbered
//! ([`super::engine`]); what is different is that reads have no order among each other:
//!
//! - Recording excludes others from the granule during an access. One that the program makes itself is over when the
//!   thread comes to its next hook, of any kind: until then it *holds* the granule ([`held`]).
//! - Every access is counted. The thread that has written last, and nobody else has looked since, has the granule for itself
//!   and logs nothing. Whoever comes to write logs how many accesses there were: replay waits for all of them. Whoever
//!   comes to read logs how many there were when the last write was over, if it does not know that write yet: replay waits
//!   for those. A thread that waits for a value in a loop logs nothing until the value changes.
//! - Replay excludes nobody: it waits for what was logged.
//!
//! *Why replay honours every order that matters.* Of two accesses of different threads of which one is a write, the second
//! was counted after the first was over. If it is a write, the granule was not its thread's alone, or had become so after the
//! first; it, or the one that made it so, waits for all that were counted before. If it is a read, the first, a write, was
//! made by the last thread that had the granule for itself (or an earlier one, for whose writes that thread waited);
//! the first read of its thread after that logged a number that the granule comes to only when all writes of that
//! thread are over: others cannot bring it there, since they wait for the same write or a later one.
//!
//! *Who spins* does so on a granule that it has for itself, or holds again and again. Whoever waits for a granule is counted
//! in it, and a thread that had it [`record::QUANTUM`] times in a row while others wait lets one of them in first.
//!
//! *Who computes* may come to no hook for long after an access. Whoever waits for its granule interrupts it, and if it can
//! be told that the access has been made, that ends there ([`window`]).

mod granule;
mod held;
mod record;
mod replay;
mod window;

use super::{interrupt, stack};
use crate::order::sections::{self, state};
use crate::thread::{self, Thread};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use granule::Granule;
pub use held::Accesses;
use held::kind;
pub use window::nudged;

/// What the part that is linked into programs has to agree with.
const VERSION: u64 = 1;

/// What that part calls.
#[repr(C)]
pub struct Hooks {
    /// Where it looks whether there is anything to order: [`state::OFF`] if not.
    state: &'static AtomicU8,
    /// [`enter`], [`leave`], [`touch`] and [`done`], on the stack for operations.
    functions: [AtomicU64; 4],
}

static HOOKS: Hooks = Hooks { state: &sections::STATE, functions: [const { AtomicU64::new(0) }; 4] };

/// The part that is linked into programs, and into their libraries, asks for this when it is loaded. Null if there is nothing
/// to order in this process.
#[unsafe(no_mangle)]
pub extern "C" fn imitate_accesses(version: u64) -> *const Hooks {
    let nothing = core::ptr::null();
    if version != VERSION || !crate::process::is_attached() || !sections::is_chosen() || !granule::map() {
        return nothing;
    }
    let hooks = [
        enter as *const () as u64,
        leave as *const () as u64,
        touch as *const () as u64,
        done as *const () as u64,
    ];
    for (place, hook) in HOOKS.functions.iter().zip(hooks) {
        let Some(entry) = stack::entry(hook) else { return nothing };
        place.store(entry, Ordering::Relaxed);
    }
    &raw const HOOKS
}

/// An atomic operation on the memory at `address` begins.
extern "C" fn enter(address: u64) {
    let Some((thread, state)) = sections::ordered() else { return };
    let object = granule::object(address);
    if state == state::RECORD {
        interrupt::record(thread);
        record::take(thread, object);
    } else {
        interrupt::replay(thread);
        thread.accesses.is_logged = replay::come(thread, object);
    }
}

/// It is over. `changes`: it has changed the memory, else it may count as a read.
extern "C" fn leave(address: u64, changes: u64) {
    let Some((thread, state)) = sections::ordered() else { return };
    let object = granule::object(address);
    if state == state::RECORD {
        record::note(thread, object, changes != 0);
        Granule::of(object).give_back();
    } else {
        let before = Granule::of(object).word.advance_and_wake(thread);
        if changes != 0 && !thread.accesses.is_logged {
            replay::check_alone(thread, object, before);
        }
    }
    thread.passes += 1;
}

/// The program is about to read or write `size` bytes; [`kind`] has what else there is to say. `behind` is the address where
/// it goes on.
extern "C" fn touch(address: u64, size: u64, kind: u64, behind: u64) {
    let state = sections::state();
    let thread = thread::current();
    if state == state::OFF || thread.borrows_memory {
        return;
    }
    let object = granule::object(address);
    let is_one = granule::object(address + size.max(1) - 1) == object;
    if state == state::RECORD && is_one && record::may_stay(thread, object) {
        record::note(thread, object, kind & kind::WRITES != 0);
        thread.passes += 1;
    } else {
        hold(thread, state, address, size, kind);
    }
    thread.accesses.describe(kind, behind);
}

fn hold(thread: &mut Thread, state: u8, address: u64, size: u64, kind: u64) {
    if state == state::RECORD {
        interrupt::record(thread)
    } else {
        interrupt::replay(thread)
    }
    thread.accesses.gather(address, size, kind);
    thread.accesses.finish();
    if state == state::RECORD { record::hold(thread) } else { replay::hold(thread) }
}

/// What the thread was allowed to access has been accessed.
extern "C" fn done() {
    // Which is all that it has to hear.
    let _ = sections::ordered();
}

/// In the child of a fork: the threads that had anything are not there, and how far they were is not repeatable.
pub fn reset() {
    granule::forget_all();
}

/// Interrupts the thread of that stream, which may hold what the calling thread waits for.
pub fn nudge(stream: u32) {
    let own = crate::process::get().real_id;
    let slots = crate::process::control().used_slots();
    let is_it = |slot: &&tracer_core::session::Slot| {
        slot.stream.load(Ordering::Relaxed) == stream && slot.process.load(Ordering::Relaxed) == own
    };
    if let Some(slot) = slots.iter().find(is_it) {
        let thread = slot.thread.load(Ordering::Relaxed);
        crate::stop::request([own, thread], crate::stop::Request::new(0, 0));
    }
}

//! Recording with chaos: what [`super::chaos`] decides, done to a domain.
//!
//! Threads are named by their slots in the session, so that those of several processes can be told apart. The decisions
//! of a process are those of its own state, which only the thread that has the right to run uses.

use super::chaos::{Chaos, Decision, seed_of};
use super::schedule::{self, Why};
use crate::thread::Thread;
use crate::{kernel, process, stop};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering;
use tracer_core::session::Domain;

struct Holder(UnsafeCell<Chaos>);

// SAFETY: only the thread that has the right to run uses it.
unsafe impl Sync for Holder {}

static STATE: Holder = Holder(UnsafeCell::new(Chaos::new(0)));

#[allow(clippy::mut_from_ref)]
fn state() -> &'static mut Chaos {
    // SAFETY: see Holder; no reference is kept across a call that takes another.
    unsafe { &mut *STATE.0.get() }
}

/// Where a thread might hand over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before a call.
    Safepoint,
    /// At one of libc's functions ([`super::points`]).
    Point,
    /// Between two instructions, at the end of a slice.
    Stop,
    /// Where it says that it waits: sched_yield, or a `pause`.
    Yield,
}

/// Whether the recording is disturbed.
#[inline]
pub fn is_on() -> bool {
    process::control().chaos.load(Ordering::Relaxed) != 0
}

/// A process begins, with the stream of its first thread.
pub fn reset(stream: u32) {
    if is_on() {
        *state() = Chaos::new(seed_of(process::control().chaos.load(Ordering::Relaxed), stream));
    }
}

/// A thread appears, in this slot.
pub fn thread_began(slot: usize) {
    if is_on() {
        state().thread_began(slot);
    }
}

/// Slots of the threads that wait for the right to run.
pub fn waiting(domain: &Domain) -> impl Iterator<Item = usize> + '_ {
    domain.waiters.iter().enumerate().flat_map(|(word, bits)| {
        let bits = bits.load(Ordering::Relaxed);
        (0..64).filter(move |bit| bits >> bit & 1 != 0).map(move |bit| 64 * word + bit)
    })
}

/// Notes in the domain who gets the right to run next: the thread in that slot, or whoever comes first.
pub fn prefer(domain: &Domain, slot: Option<usize>) {
    domain.preferred.store(slot.map_or(0, |slot| slot as u32 + 1), Ordering::Relaxed);
}

/// Whether the thread, which has the right to run, is to hand over here; to whom, is noted in the domain.
pub fn hands_over(thread: &mut Thread, domain: &Domain, place: Place) -> bool {
    if schedule::is_on() {
        return schedule::hands_over(thread, domain, place);
    }
    let (state, runner) = (state(), thread.slot);
    let decision = match place {
        Place::Safepoint | Place::Point => state.at_safepoint(runner, waiting(domain)),
        Place::Stop => state.at_stop(runner, waiting(domain)),
        Place::Yield => state.at_yield(runner, waiting(domain)),
    };
    match decision {
        Decision::GoOn => false,
        Decision::HandOverTo(slot) => {
            prefer(domain, Some(slot));
            true
        }
        Decision::Delay(time) => {
            kernel::sleep(time.0);
            false
        }
    }
}

/// The right to run is about to be given up for another reason: who gets it.
pub fn choose(thread: &mut Thread, domain: &Domain, why: Why) {
    if schedule::is_on() {
        return schedule::choose(thread, domain, why);
    }
    let next = state().choose(waiting(domain));
    prefer(domain, next);
}

/// The thread has got the right to run: when it will be stopped if it comes to no safepoint.
pub fn begin_slice(thread: &mut Thread) {
    if schedule::is_on() {
        return;
    }
    let slice = state().slice();
    stop::interrupt_after(thread, slice.0 / 1000);
}

//! Recording: who may access a granule now, and what is logged of it.

use super::super::engine::{Subject, tell};
use super::super::word::Place;
use super::granule::{self, CLEAN, Granule};
use super::held::number;
use super::nudge;
use crate::kernel;
use crate::thread::Thread;
use core::sync::atomic::Ordering;
use tracer_core::event::{
    Operation,
    operation::{READS, SHARED},
};

/// Accesses that a thread makes in a row while others wait.
pub const QUANTUM: u32 = 64;
/// How often the lock is looked at before the thread gives up the processor for it, which may be for long if others want that
/// too, and how often that before it sleeps.
const SPINS: u32 = 400;
const YIELDS: u32 = 20;
/// Milliseconds that it sleeps, at most.
const PATIENCE: u64 = 1;
/// How often a thread that lets others in looks whether one has come: one that waits may not run now.
const LOOKS: u32 = SPINS + 4;

/// Whether the thread holds the object, and nothing else, and may go on to do so.
#[inline(always)]
pub fn may_stay(thread: &Thread, object: u64) -> bool {
    thread.accesses.holds_only(object)
        && thread.register.signals_pending == 0
        && !is_due(thread, Granule::of(object))
}

/// Whether others have waited for long enough.
#[inline(always)]
fn is_due(thread: &Thread, granule: &Granule) -> bool {
    granule.waiters.load(Ordering::Relaxed) != 0
        && granule.run.load(Ordering::Relaxed) >= QUANTUM
        && granule.word.last() == Some(thread.stream)
}

/// Holds the objects that were gathered, and notes the accesses.
#[inline(always)]
pub fn hold(thread: &mut Thread) {
    let mut number = 0;
    while let Some((object, _)) = thread.accesses.gathered(number) {
        take(thread, object);
        thread.accesses.keep(object);
        number += 1;
    }
    // Now: what is logged of one of them may be waited for by who has another.
    number = 0;
    while let Some((object, writes)) = thread.accesses.gathered(number) {
        note(thread, object, writes);
        thread.passes += 1;
        number += 1;
    }
}

/// Takes an object, however long that takes.
#[inline(always)]
pub fn take(thread: &mut Thread, object: u64) {
    let granule = Granule::of(object);
    if is_due(thread, granule) {
        let_others_in(thread, granule);
    }
    if !try_to_take(thread, granule) {
        wait(thread, granule);
    }
}

#[inline(always)]
fn try_to_take(thread: &Thread, granule: &Granule) -> bool {
    // What is ordered becomes visible in its order: the exchange waits until what the thread wrote before can be seen.
    granule.lock.compare_exchange(0, number(thread), Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

#[cold]
#[inline(never)]
fn wait(thread: &Thread, granule: &Granule) {
    granule.waiters.fetch_add(1, Ordering::SeqCst);
    let mut looks = 0;
    loop {
        let seen = granule.lock.load(Ordering::Relaxed);
        if seen == 0 {
            if try_to_take(thread, granule) {
                break;
            }
            continue;
        }
        looks += 1;
        if looks < SPINS {
            core::hint::spin_loop();
        } else if looks < SPINS + YIELDS {
            kernel::yield_processor();
        } else {
            granule.sleepers.fetch_add(1, Ordering::SeqCst);
            if kernel::futex_wait(&granule.lock, seen, PATIENCE) {
                nudge(seen - 1);
            }
            granule.sleepers.fetch_sub(1, Ordering::Relaxed);
        }
    }
    granule.waiters.fetch_sub(1, Ordering::Relaxed);
}

/// The thread has had the granule for long enough, and does not have it now: others go first.
#[cold]
#[inline(never)]
fn let_others_in(thread: &Thread, granule: &Granule) {
    for look in 0..LOOKS {
        if !is_due(thread, granule) {
            break;
        }
        if look < SPINS { core::hint::spin_loop() } else { kernel::yield_processor() }
    }
    // None of them came: it has another quantum.
    if granule.word.last() == Some(thread.stream) {
        granule.run.store(0, Ordering::Relaxed);
    }
}

/// Counts an access to an object that the thread has taken, and logs what it comes after.
#[inline(always)]
pub fn note(thread: &mut Thread, object: u64, writes: bool) {
    let granule = Granule::of(object);
    let (me, place) = (number(thread), granule.word.place());
    let exclusive = granule.exclusive.load(Ordering::Relaxed);
    if exclusive & !CLEAN != me {
        note_change(thread, object, writes, exclusive, place);
    } else if writes && exclusive != me {
        granule.exclusive.store(me, Ordering::Relaxed);
    }
    let follows = !granule.word.advance_alone(thread).changes;
    let run = if follows { granule.run.load(Ordering::Relaxed).saturating_add(1) } else { 0 };
    granule.run.store(run, Ordering::Relaxed);
}

/// Of a granule that the thread does not have for itself.
#[cold]
#[inline(never)]
fn note_change(thread: &mut Thread, object: u64, writes: bool, exclusive: u32, place: Place) {
    let granule = Granule::of(object);
    let me = number(thread);
    let log = |thread: &mut Thread, flags: u8, place: Place| {
        let subject = Subject { operation: Operation::Access, object, word: &granule.word, alone: true };
        tell(thread, flags, subject, place, 0);
    };
    match (writes, exclusive) {
        // Nobody has accessed it.
        _ if place.0 == 0 => granule.exclusive.store(if writes { me } else { me | CLEAN }, Ordering::Relaxed),
        (true, _) => {
            log(thread, if exclusive == 0 { SHARED } else { 0 }, place);
            granule.exclusive.store(me, Ordering::Relaxed);
        }
        (false, 0) => {
            let version = Place(granule.version.load(Ordering::Relaxed));
            let index = granule::place(object);
            let is_own = version.last() == Some(thread.stream);
            if version.0 != 0 && !is_own && !thread.accesses.knows(index, version) {
                log(thread, READS, version);
                thread.accesses.learn(index, version);
            }
        }
        (false, _) => {
            if exclusive & CLEAN == 0 {
                granule.version.store(place.0, Ordering::Relaxed);
                log(thread, READS, place);
                thread.accesses.learn(granule::place(object), place);
            }
            granule.exclusive.store(0, Ordering::Relaxed);
        }
    }
}

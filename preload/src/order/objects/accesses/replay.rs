//! Replay: what an access comes after.

use super::super::demand;
use super::super::engine::{Logged, Subject, next};
use super::super::word::Before;
use super::granule::Granule;
use super::nudge;
use crate::thread::Thread;
use crate::{divergence, playback};
use tracer_core::event::{
    Operation,
    operation::{READS, SHARED},
};

/// How often a thread looks before it sleeps: accesses follow each other within nanoseconds.
const SPINS: usize = 400;
/// Milliseconds that a thread waits before it interrupts the one that it waits for.
const PATIENCE: u64 = 2;

/// Waits for all that comes before the accesses to the objects that were gathered.
pub fn hold(thread: &mut Thread) {
    let mut number = 0;
    while let Some((object, writes)) = thread.accesses.gathered(number) {
        let is_logged = come(thread, object);
        if writes && !is_logged {
            let granule = Granule::of(object);
            let changes = !granule.word.is_last(thread);
            check_alone(thread, object, Before { place: granule.word.place(), changes });
        }
        thread.accesses.keep(object);
        thread.passes += 1;
        number += 1;
    }
}

/// Waits for what comes before the thread's access to an object. Whether that was logged.
pub fn come(thread: &mut Thread, object: u64) -> bool {
    let word = &Granule::of(object).word;
    let subject = Subject { operation: Operation::Access, object, word, alone: false };
    let Some(Logged { place, flags, .. }) = next(thread, subject) else {
        if !thread.is_ending && playback::peek(thread).is_none() {
            // As in `engine`: it goes on for as long as others need what it does.
            demand::wait(thread);
        }
        return false;
    };
    let whose = if flags & SHARED != 0 { Some(demand::ANYBODY) } else { place.last() };
    if word.spins_until(place.count(), SPINS) {
        return true;
    }
    let nudge_last = || place.last().into_iter().for_each(nudge);
    let in_time = word.wait_until_and(thread, place, whose, PATIENCE, nudge_last);
    if !in_time && flags & READS == 0 {
        divergence::other_access(thread, object, place.count(), word.count(), word.last());
    }
    true
}

/// A write was not logged: the accesses before were this thread's, or there were none.
pub fn check_alone(thread: &mut Thread, object: u64, before: Before) {
    if before.changes && before.place.0 != 0 {
        divergence::unexpected_operation(thread, Operation::Access, object, before.place.last());
    }
}

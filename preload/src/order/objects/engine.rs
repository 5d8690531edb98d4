//! What happens at an operation on a synchronisation object: the same for all of them.
//!
//! Recording makes the operation and gives it a place among those on the object ([`super::word`]). Only what another
//! thread's operation came before is logged, with its place and how many operations this thread has made on any objects:
//! an object that one thread uses costs nothing in the log. Replay counts too. At an operation that was logged it waits
//! until the object has come to that place; at any other it finds itself the last that used the object, or there is a
//! divergence.
//!
//! *Why replay honours every happens-before edge.* An edge from an operation `a` to `b` of another thread comes about by
//! an object. `a` is made, or for what gives (a semaphore's post) begins, before it has its place; `b` has its place after
//! it was made. So `a`'s place is lower, and the places of an object are those of one counter, which has each value once.
//! Between `a` and `b` the last operation before `b` by a thread other than `b`'s comes not before `a`, and the one after it
//! by `b`'s thread was logged: it waits for all lower places, that of `a` among them, and `b` comes after it in its thread.
//!
//! *Why it cannot deadlock.* All that a replay waits for (a place, a section, a lock that is held) came about in the
//! recording before that which waits. A cycle would be one in time.

use super::cancel;
use super::demand;
use super::interrupt;
use super::word::{Before, Place, Word};
use crate::order::sections::{self, state};
use crate::stop::spot;
use crate::thread::Thread;
use crate::{divergence, log, playback, start};
use tracer_core::event::{Header, Kind, Operation, operation::REFUSED};

/// An operation on an object.
#[derive(Clone, Copy)]
pub struct Subject {
    /// What is done.
    pub operation: Operation,
    /// The object's address.
    pub object: u64,
    /// Where its places are counted.
    pub word: &'static Word,
    /// Nobody else can use the word meanwhile.
    pub alone: bool,
}

impl Subject {
    /// An operation on an object that has no room for a word.
    #[inline(always)]
    pub fn by_address(operation: Operation, object: u64) -> Subject {
        Subject { operation, object, word: Word::of(object), alone: false }
    }

    /// Recording: notes the operation.
    #[inline(always)]
    pub fn advance(self, thread: &Thread) -> Before {
        if self.alone { self.word.advance_alone(thread) } else { self.word.advance(thread) }
    }
}

/// The body of an event.
type Body = [u64; 4];

/// Logs an operation.
///
/// The subject comes in pieces, which go in registers: nothing of this is to burden those that log nothing.
#[cold]
#[inline(never)]
fn tell_pieces(thread: &mut Thread, number: u32, object: u64, place: u64, result: i32) {
    let (slept, at) = thread.slept;
    // Of an earlier operation, which was not logged, it says nothing here.
    let slept = if at == thread.passes { slept.div_ceil(1000).min(u64::from(u32::MAX)) } else { 0 };
    thread.slept = (0, 0);
    let body: Body = [object, place, thread.passes, u64::from(result as u32) | slept << 32];
    log::words(thread, Kind::Operation, (number >> 16) as u8, number as u16, &body);
}

/// Logs an operation.
#[inline(always)]
pub fn tell(thread: &mut Thread, flags: u8, subject: Subject, place: Place, result: i32) {
    tell_pieces(thread, subject.operation as u32 | u32::from(flags) << 16, subject.object, place.0, result);
}

/// Whether that result means that the object was taken: a robust mutex's dead owner is told by an error.
fn is_taken(result: i32) -> bool {
    result == 0 || result == libc::EOWNERDEAD
}

/// Recording: an operation that waits for other threads, or fails where it would: a lock, a semaphore's wait.
#[inline(always)]
pub fn record_taking(thread: &mut Thread, subject: Subject, attempt: impl FnOnce() -> i32) -> i32 {
    let result = attempt();
    if is_taken(result) {
        record_taken(thread, subject, result);
    } else {
        let flags = REFUSED | cancel::told(thread);
        tell(thread, flags, subject, Place(0), result);
        thread.passes += 1;
    }
    result
}

/// Recording: the object was taken.
#[inline(always)]
pub fn record_taken(thread: &mut Thread, subject: Subject, result: i32) {
    let before = subject.advance(thread);
    if before.changes {
        tell(thread, 0, subject, before.place, result);
    }
    thread.passes += 1;
}

/// Replay of the same. `attempt` waits for as long as it takes.
pub fn replay_taking(thread: &mut Thread, subject: Subject, attempt: impl FnOnce() -> i32) -> i32 {
    interrupt::replay(thread);
    let logged = next(thread, subject);
    let result = match logged {
        Some(Logged { refused: true, result, flags, .. }) => {
            cancel::follow(thread, flags);
            result
        }
        Some(Logged { place, .. }) => {
            come_to(thread, subject, place);
            thread.held_by = place.holder();
            let result = attempt();
            thread.held_by = 0;
            result
        }
        None => {
            stay(thread, subject);
            attempt()
        }
    };
    if is_taken(result) {
        subject.word.advance_and_wake(thread);
    }
    thread.passes += 1;
    spot::look_behind_operation(thread);
    result
}

/// Either of these, or the attempt alone where nothing is ordered. `wait` is what replay does when it knows that the attempt
/// succeeded.
pub fn take(subject: Subject, attempt: impl FnOnce() -> i32, wait: impl FnOnce() -> i32) -> i32 {
    match sections::ordered() {
        None => attempt(),
        Some((thread, state::RECORD)) => record_taking(thread, subject, attempt),
        Some((thread, _)) => replay_taking(thread, subject, wait),
    }
}

/// An operation that lets others go on: it has its place before it is made.
#[inline(always)]
pub fn give(thread: &mut Thread, state: u8, subject: Subject) {
    if state == state::RECORD {
        let before = subject.word.advance(thread);
        if before.changes {
            tell(thread, 0, subject, before.place, 0);
        }
    } else {
        interrupt::replay(thread);
        match next(thread, subject) {
            Some(Logged { place, .. }) => come_to(thread, subject, place),
            None => stay(thread, subject),
        }
        subject.word.advance_and_wake(thread);
    }
    thread.passes += 1;
    if state != state::RECORD {
        spot::look_behind_operation(thread);
    }
}

/// Replay: waits for a logged place.
pub fn come_to(thread: &mut Thread, subject: Subject, place: Place) {
    if !subject.word.wait_until(thread, place) {
        divergence::other_place(
            thread,
            subject.operation,
            subject.object,
            place.count(),
            subject.word.count(),
        );
    }
}

/// Replay: the recorded operation was not logged, so the one before was this thread's.
fn stay(thread: &mut Thread, subject: Subject) {
    if !thread.is_ending && playback::peek(thread).is_none() {
        // The recording's end met the thread somewhere behind its last event. It goes on for as long as others need
        // what it does, and no further: it may never have come there.
        if !subject.word.is_last(thread) {
            divergence::ends_early(thread);
        }
        demand::wait(thread);
    }
    if !subject.word.is_last(thread) && !fails(subject.object) {
        divergence::unexpected_operation(thread, subject.operation, subject.object, subject.word.last());
    }
}

/// Whether an operation on the object fails: it cannot be written. In the recording it was not noted then.
fn fails(object: u64) -> bool {
    start::is_writable(object) == Some(false)
}

/// What the log says about an operation.
#[derive(Clone, Copy)]
pub struct Logged {
    /// The object was not taken.
    pub refused: bool,
    /// What the event's flags say.
    pub flags: u8,
    /// Its place.
    pub place: Place,
    /// What it returned.
    pub result: i32,
}

/// Replay: whether this operation was logged, for those that most threads need not make: the event may be that of what the
/// thread does next.
pub fn is_next(thread: &mut Thread, subject: Subject) -> bool {
    let is_it = comes_now(thread)
        .is_some_and(|(header, body)| header.number == subject.operation as u16 && body[0] == subject.object);
    is_it && next(thread, subject).is_some()
}

/// Replay: the event of an operation at this place in the thread, left where it is.
fn comes_now(thread: &mut Thread) -> Option<(Header, Body)> {
    let header = playback::peek(thread)?;
    if header.kind != Kind::Operation as u8 {
        return None;
    }
    let body: Body = playback::preview(thread)?;
    (body[2] == thread.passes).then_some((header, body))
}

/// Replay: takes the event of the operation that the thread is about to make, if it was logged.
pub fn next(thread: &mut Thread, subject: Subject) -> Option<Logged> {
    let (header, body) = comes_now(thread)?;
    if header.number != subject.operation as u16 || body[0] != subject.object {
        divergence::other_operation(thread, header.number, body[0], subject.operation, subject.object);
    }
    thread.next = None;
    let _: Body = playback::value(thread);
    let refused = header.flags & REFUSED != 0;
    spot::look(thread);
    Some(Logged { refused, flags: header.flags, place: Place(body[1]), result: body[3] as i32 })
}

/// Replay: takes the event of an operation that is always logged. A thread that the recording's end met in it stays there.
pub fn expect(thread: &mut Thread, subject: Subject) -> Logged {
    if playback::peek(thread).is_none() {
        divergence::ends_early(thread);
    }
    match next(thread, subject) {
        Some(logged) => logged,
        None => {
            divergence::unexpected_operation(thread, subject.operation, subject.object, subject.word.last())
        }
    }
}

/// Replay: whether the operation that the thread is about to make failed at once.
pub fn is_refused(thread: &mut Thread) -> bool {
    comes_now(thread).is_some_and(|(header, _)| header.flags & REFUSED != 0)
}

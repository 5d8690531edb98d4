//! Recording with a list of hand-overs ([`tracer_core::session::schedule`]): these are made, and no others.
//!
//! A thread that comes to a place of the list hands over to the thread that the list names, and is told to go on if the list
//! says so. At all other places it keeps the right to run until it really waits; then the one runs that has waited for longest.
//! A call that may sleep need not, so the right is kept for who makes one, as long as the kernel runs it: whoever waits for
//! the right asks the tool, which can see that without a descriptor that the program could find. So a run does not depend on
//! how quickly the kernel does what, as far as that is in our hands. The recording is an ordinary one in any case: what is in
//! the log is who ran.

use super::adversary::{Place, prefer};
use crate::stop;
use crate::thread::Thread;
use crate::{arena, kernel, process};
use core::cmp::Ordering::{Equal, Greater, Less};
use core::sync::atomic::{AtomicU32, Ordering};
use tracer_core::session::schedule::{self, ANY, HandOver, LIST, LIST_SIZE, answer, outcome, place};
use tracer_core::session::{Domain, SLOTS, Slot, slot_state};

/// Safepoints that a thread may pass while others wait and the list says nothing: it may be waiting for them in a loop of calls
/// that do not sleep.
const PATIENCE: u32 = 20_000;
/// Nanoseconds between two looks at who has come to wait.
const PAUSE: u64 = 20_000;
/// Looks before a thread that the kernel is said to run is not waited for any longer: some seconds.
const LOOKS: u32 = 50_000;
/// How long, in milliseconds, an answer of the tool is waited for.
const ANSWER: u64 = 2000;

/// How far a thread has come.
#[derive(Clone, Copy)]
pub struct Progress {
    /// Events that it has logged and that do not count.
    pub incidental: u64,
    /// Points that it had passed when its last turn began.
    pub points: u64,
    /// Threads and processes that it has created.
    pub created: u32,
    /// Safepoints passed in this turn while others waited.
    passed: u32,
    /// The part of the list that is before it.
    next: u32,
    end: u32,
}

impl Progress {
    /// Of a thread that begins.
    pub const NEW: Progress = Progress { incidental: 0, points: 0, created: 0, passed: 0, next: 0, end: 0 };
}

/// Why a thread gives up the right to run where it is not asked to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It makes a call that may sleep.
    Sleeps,
    /// It lets others run, wants the right again, and has not waited for anything.
    Yields,
    /// It needs the right no more.
    Ends,
}

/// Whether there is a list.
#[inline]
pub fn is_on() -> bool {
    process::control().schedule.on.load(Ordering::Relaxed) != 0
}

/// A process image begins: false if the list cannot be mapped.
pub fn begin_image(slot: &Slot) -> bool {
    if !is_on() {
        return true;
    }
    slot.lineage.store(schedule::image(slot.lineage.load(Ordering::Relaxed)), Ordering::Relaxed);
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    let memory = process::get().memory;
    kernel::map(arena::BASE + arena::SCHEDULE, LIST_SIZE, writable, libc::MAP_SHARED, memory, LIST).is_ok()
}

/// A thread begins, in its slot: finds its part of the list.
pub fn begin(thread: &mut Thread) {
    if !is_on() {
        return;
    }
    let own = slots()[thread.slot].lineage.load(Ordering::Relaxed);
    let count = process::control().schedule.count.load(Ordering::Relaxed);
    let is_own = |index: &u32| hand_over(*index).thread == own;
    let next = (0..count).find(is_own).unwrap_or(count);
    let end = (next..count).find(|index| !is_own(index)).unwrap_or(count);
    (thread.progress.next, thread.progress.end) = (next, end);
}

/// `thread` is about to create another one, in this slot.
pub fn creates(thread: &Thread, slot: usize) {
    if is_on() {
        let own = slots()[thread.slot].lineage.load(Ordering::Relaxed);
        let lineage = schedule::child(own, thread.progress.created + 1);
        slots()[slot].lineage.store(lineage, Ordering::Relaxed);
    }
}

/// The thread has got its turn.
pub fn turn_begins(thread: &mut Thread, domain: &Domain) {
    let turns = &process::control().schedule.turns;
    slots()[thread.slot].ran.store(turns.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    domain.hand_over.store(0, Ordering::Relaxed);
    thread.progress.passed = 0;
}

/// Whether the thread, which has the right to run and could go on, hands over here; to whom, is noted in the domain.
pub fn hands_over(thread: &mut Thread, domain: &Domain, at: Place) -> bool {
    stop::forget_scheduled();
    let listed = match at {
        Place::Safepoint => take(thread, place::EVENT),
        Place::Point | Place::Yield => take(thread, place::POINT),
        Place::Stop => None,
    };
    if listed.is_some_and(|index| make(domain, index)) {
        return true;
    }
    if domain.waiting.load(Ordering::Relaxed) == 0 {
        return false;
    }
    thread.progress.passed += 1;
    if at != Place::Yield {
        if thread.progress.passed < PATIENCE {
            return false;
        }
        process::control().schedule.others.fetch_add(1, Ordering::Relaxed);
    }
    let next = longest_waiting(domain);
    prefer(domain, next);
    next.is_some()
}

/// The thread is about to give up the right to run: notes who gets it.
pub fn choose(thread: &mut Thread, domain: &Domain, why: Why) {
    stop::forget_scheduled();
    let listed = take(thread, place::WAIT).map(|index| (index, hand_over(index)));
    let target = match listed {
        Some((_, HandOver { wanted: 0, .. })) | None => None,
        Some((_, HandOver { target, .. })) => slot_of(target),
    };
    if let Some((index, listed)) = listed {
        note(
            index,
            match (listed.wanted, target) {
                (0, _) => outcome::LEFT_OUT,
                (_, Some(_)) => outcome::MADE,
                (_, None) => outcome::NOBODY,
            },
        );
        domain.hand_over.store(if target.is_some() { index + 1 } else { 0 }, Ordering::Relaxed);
    }
    let next = target.or_else(|| match why {
        Why::Sleeps => Some(thread.slot),
        Why::Yields | Why::Ends => {
            settle(domain, thread.slot);
            longest_waiting(domain)
        }
    });
    prefer(domain, next);
}

/// A thread, in slot `own`, waits for the right to run, which another one shall have: for a moment, or until that one is seen
/// to sleep. Then the one that has waited for longest has it.
pub fn wait(domain: &Domain, own: usize) {
    let preferred = domain.preferred.load(Ordering::Relaxed);
    let Some(chosen) = (preferred as usize).checked_sub(1) else { return };
    let seen = domain.lock.load(Ordering::Relaxed);
    if seen != 0 {
        kernel::futex_wait(&domain.lock, seen, 1);
    } else if is_waiting(domain, chosen) || longest_waiting(domain) != Some(own) || !sleeps(chosen) {
        kernel::sleep(PAUSE);
    } else {
        settle(domain, chosen);
        let own = longest_waiting(domain).unwrap_or(own) as u32 + 1;
        let order = Ordering::Relaxed;
        if !is_waiting(domain, chosen)
            && domain.preferred.compare_exchange(preferred, own, order, order).is_ok()
        {
            if let Some(index) = domain.hand_over.swap(0, Ordering::Relaxed).checked_sub(1) {
                note(index, outcome::NOBODY);
            }
            kernel::futex_wake(&domain.lock);
        }
    }
}

/// A thread was created in this slot: it is waited for until it waits for its first turn.
pub fn await_created(domain: &Domain, slot: usize) {
    for _ in 0..LOOKS {
        if is_waiting(domain, slot) || slots()[slot].state.load(Ordering::Relaxed) == slot_state::FREE {
            break;
        }
        kernel::sleep(PAUSE);
    }
}

/// The next place of the list that is between two instructions, if the thread may come to it before its next hook, once it has
/// logged so many `more` events: which of the list, the instruction, and at which passage.
pub fn next_stop(thread: &Thread, more: u64) -> Option<(u32, u64, u64)> {
    let (events, points) = position(thread, more);
    let rest = (thread.progress.next..thread.progress.end).map(|index| (index, hand_over(index)));
    let here = rest.skip_while(|(_, next)| (next.events, next.points) < (events, points));
    let here = here.take_while(|(_, next)| (next.events, next.points) == (events, points));
    here.filter(|(_, next)| next.place == place::STOP)
        .map(|(index, next)| (index, next.address, next.passages))
        .next()
}

/// The thread is at the place of the list with this index, between two instructions. Whether it hands over; to whom, is noted
/// in the domain.
pub fn hands_over_at_stop(thread: &mut Thread, index: u32) -> bool {
    thread.progress.next = index + 1;
    make(super::domain(), index)
}

/// A thread was stopped between two instructions: not by the list, if nobody is named.
pub fn is_stopped(domain: &Domain) {
    if domain.preferred.load(Ordering::Relaxed) == 0 {
        process::control().schedule.others.fetch_add(1, Ordering::Relaxed);
    }
}

/// Makes a hand-over of the list, if it is wanted and the thread that is to run can.
fn make(domain: &Domain, index: u32) -> bool {
    let HandOver { wanted, target, .. } = hand_over(index);
    if wanted == 0 {
        note(index, outcome::LEFT_OUT);
        return false;
    }
    let target = slot_of(target).filter(|slot| comes(domain, *slot));
    note(index, if target.is_some() { outcome::MADE } else { outcome::NOBODY });
    if target.is_some() {
        prefer(domain, target);
    }
    target.is_some()
}

/// Whether the thread in this slot waits for the right to run, now or soon.
fn comes(domain: &Domain, slot: usize) -> bool {
    for _ in 0..LOOKS {
        if is_waiting(domain, slot) {
            return true;
        }
        if sleeps(slot) {
            break;
        }
        kernel::sleep(PAUSE);
    }
    is_waiting(domain, slot)
}

/// Waits until all threads that are on their way to the right to run, but for the one in slot `except`, wait for it.
fn settle(domain: &Domain, except: usize) {
    let is_shared = core::ptr::eq(domain, &process::control().shared);
    let own = process::get().real_id;
    for (index, slot) in process::control().used_slots().iter().enumerate() {
        let takes_part = is_shared || slot.process.load(Ordering::Relaxed) == own;
        if index != except && takes_part {
            comes(domain, index);
        }
    }
}

/// Where the thread is once it has logged so many `more` events: events and points, as the list counts them.
fn position(thread: &Thread, more: u64) -> (u64, u64) {
    (thread.events + more - thread.progress.incidental, thread.progress.points + thread.spins)
}

/// The next hand-over of the thread's part of the list, if that is here. Those whose places it has passed are left behind.
fn take(thread: &mut Thread, kind: u32) -> Option<u32> {
    let (events, points) = position(thread, 0);
    let mut at = thread.progress.next;
    while at < thread.progress.end {
        let next = hand_over(at);
        let points = if next.points == ANY { ANY } else { points };
        match (next.events, next.points).cmp(&(events, points)) {
            Less => thread.progress.next = at + 1,
            Equal if next.place == kind => {
                thread.progress.next = at + 1;
                return Some(at);
            }
            // It would be between two instructions, to which the thread may have come already, or comes yet.
            Equal if next.place == place::STOP => {}
            Equal | Greater => return None,
        }
        at += 1;
    }
    None
}

/// Among those that wait, who had the last turn before the others had theirs; those that never had one come first.
fn longest_waiting(domain: &Domain) -> Option<usize> {
    super::adversary::waiting(domain).min_by_key(|slot| {
        let Slot { ran, stream, .. } = &slots()[*slot];
        (ran.load(Ordering::Relaxed), stream.load(Ordering::Relaxed))
    })
}

fn is_waiting(domain: &Domain, slot: usize) -> bool {
    domain.waiters[slot / 64].load(Ordering::Relaxed) >> (slot % 64) & 1 != 0
}

/// Where the thread with this lineage is, if it lives.
fn slot_of(lineage: u64) -> Option<usize> {
    let is_it = |slot: &Slot| slot.lineage.load(Ordering::Relaxed) == lineage && is_alive(slot);
    process::control().used_slots().iter().position(is_it)
}

fn is_alive(slot: &Slot) -> bool {
    matches!(slot.state.load(Ordering::Relaxed), slot_state::RESERVED | slot_state::LIVE)
}

/// Whether the thread in this slot sleeps in the kernel, or is not there. The tool knows.
fn sleeps(slot: usize) -> bool {
    let slot = &slots()[slot];
    if !is_alive(slot) {
        return true;
    }
    if slot.thread.load(Ordering::Relaxed) == 0 {
        return false;
    }
    slot.answer.store(answer::NONE, Ordering::Relaxed);
    slot.question.store(1, Ordering::Release);
    let questions = &process::control().schedule.questions;
    questions.fetch_add(1, Ordering::SeqCst);
    kernel::futex_wake(questions);
    if slot.answer.load(Ordering::Acquire) == answer::NONE {
        kernel::futex_wait(&slot.answer, answer::NONE, ANSWER);
    }
    slot.answer.load(Ordering::Acquire) != answer::RUNS
}

fn slots() -> &'static [Slot; SLOTS] {
    &process::control().slots
}

/// Where a hand-over is; there are [`schedule::LONGEST`].
fn address(index: u32) -> *mut HandOver {
    let list = (arena::BASE + arena::SCHEDULE) as *mut HandOver;
    list.wrapping_add(index as usize)
}

fn hand_over(index: u32) -> HandOver {
    // SAFETY: `begin_image` has mapped the list, and callers' indices are below its length. Only outcomes change, which are not
    // read here for what they are, and any bytes are numbers.
    unsafe { address(index).read_volatile() }
}

/// Notes what became of a hand-over.
fn note(index: u32, outcome: u32) {
    // SAFETY: as above; the word is aligned, and changed in no other way.
    let word = unsafe { AtomicU32::from_ptr(&raw mut (*address(index)).outcome) };
    let made = &process::control().schedule.made;
    match (word.swap(outcome, Ordering::Relaxed), outcome) {
        (outcome::MADE, outcome::MADE) => {}
        (outcome::MADE, _) => drop(made.fetch_sub(1, Ordering::Relaxed)),
        (_, outcome::MADE) => drop(made.fetch_add(1, Ordering::Relaxed)),
        _ => {}
    }
}

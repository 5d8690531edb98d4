//! Serial order: of the threads that share memory one runs at a time, and the log says who.
//!
//! A *tenure* is a stretch in which one thread has the right to run. It ends at a safepoint: before a call that
//! may sleep, at the thread's end, or at any call once others have waited long enough; a thread that reaches no
//! safepoint is stopped between two instructions ([`crate::stop`]). Between two hand-overs the thread is alone, so
//! its data races, atomics and malloc calls are deterministic by themselves, and the log is only the hand-overs: a
//! [`Kind::Turn`] with the tenure's number, in the stream of the thread that begins it. In replay a thread that
//! finds one ends its tenure there and waits for that number.
//!
//! The threads of a process have a [`Domain`] of their own. Once a process shares memory with another it belongs to
//! the recording's shared domain ([`share`]), until it executes another program. A process with a single thread and
//! memory of its own comes here for one comparison.
//!
//! In sync order none of this happens: threads run in parallel, in recording and in replay, and what is kept is the order
//! of what they do in our hooks ([`sections`]) and of what they do to libc's synchronisation objects ([`objects`]).
//!
//! With [`chaos`] the hand-overs of a recording are chosen to bring races out ([`adversary`]).

mod adversary;
mod chaos;
mod lock;
pub mod objects;
mod placement;
pub mod points;
mod schedule;
pub mod sections;
pub mod stall;
mod turns;

use crate::thread::Thread;
use crate::{kernel, log, playback, process, stop};
use adversary::Place;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
pub use placement::{gather, scatter};
use schedule::Why;
pub use schedule::{Progress, begin_image, creates, hands_over_at_stop, is_on as is_scheduled, next_stop};
use tracer_core::event::{Kind, turn};
use tracer_core::session::schedule::place;
use tracer_core::session::{Domain, Mode};
use turns::{finish_tenure, follow_or_sleep};
pub use turns::{follow, sleep_until_the_end};

/// Calls that a thread may make while others wait.
const QUANTUM: u64 = 64;
/// How often the holder of a lock that was just given up looks whether somebody has taken it.
const LOOKS: usize = 200;
/// How often a thread looks for what another one is about to do: to interrupt it, or to begin.
const LAST_LOOKS: usize = 1000;

/// The domain of this process's threads. A child of fork gets a copy and starts afresh.
static OWN: Domain = Domain::new();
/// This process is in the shared domain instead.
static SHARES: AtomicBool = AtomicBool::new(false);
/// Replay: threads that have come to the end of their streams.
static STARVED: AtomicU32 = AtomicU32::new(0);

fn domain() -> &'static Domain {
    domain_for(SHARES.load(Ordering::Relaxed))
}

fn domain_for(shared: bool) -> &'static Domain {
    if shared { &process::control().shared } else { &OWN }
}

/// Whether this thread has to share the right to run with others.
#[inline]
pub fn is_ordered(thread: &Thread) -> bool {
    (process::get().threads > 1 || SHARES.load(Ordering::Relaxed))
        && !thread.borrows_memory
        && !sections::are_on()
}

/// Whether this process's threads run in parallel.
pub fn is_parallel() -> bool {
    sections::are_on()
}

/// Whether there is nobody to be ordered with, nor ever was in sync order.
#[inline]
pub fn is_alone() -> bool {
    process::get().threads == 1 && !SHARES.load(Ordering::Relaxed) && !sections::are_on()
}

/// A system call begins: a safepoint before an event.
#[inline(always)]
pub fn enter(thread: &mut Thread) {
    if sections::are_on() { sections::enter(thread) } else { at_safepoint(thread) }
}

/// It has been made.
#[inline(always)]
pub fn exit(thread: &mut Thread) {
    if sections::are_on() {
        sections::leave(thread);
    }
}

/// The process is about to get its second thread.
pub fn become_parallel(thread: &mut Thread) {
    sections::begin(thread);
}

/// Whether this process shares memory with others.
pub fn shares() -> bool {
    SHARES.load(Ordering::Relaxed)
}

/// Recording: whether the thread has the right to run, and others do not run meanwhile.
pub fn is_holder(thread: &Thread) -> bool {
    let domain = domain();
    !sections::are_on() && (!is_ordered(thread) || lock::is_held_by(domain, thread))
}

/// Recording: how many tenures have begun.
pub fn tenures() -> u64 {
    domain().tenures.load(Ordering::Relaxed)
}

/// How long, in milliseconds, a thread that reaches no safepoint is left alone.
pub fn patience() -> &'static AtomicU32 {
    &domain().patience
}

/// The calling thread is the only one of its process, and runs: at start and after fork. A child of a process that
/// shares memory then has to [`begin`].
pub fn reset(thread: &mut Thread) {
    thread.tenure = 0;
    thread.tenure_is_shared = false;
    thread.holds_tenure = false;
    thread.spins = 0;
    sections::reset(thread);
    crate::sites::reset();
    let free = sections::is_chosen();
    OWN.lock.store(if free { 0 } else { thread.real }, Ordering::Relaxed);
    OWN.interrupting.store(0, Ordering::Relaxed);
    OWN.waiting.store(0, Ordering::Relaxed);
    OWN.wanted.store(0, Ordering::Relaxed);
    // The first thread's tenure, number 0, is not in the log.
    OWN.tenures.store((process::get().mode == Mode::Record && !free) as u64, Ordering::Relaxed);
    OWN.last.store(thread.stream as u64 + 1, Ordering::Relaxed);
    hold(&OWN);
    OWN.preferred.store(0, Ordering::Relaxed);
    OWN.ended.store(0, Ordering::Relaxed);
    OWN.hand_over.store(0, Ordering::Relaxed);
    OWN.waiters.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    adversary::reset(thread.stream);
    schedule::begin(thread);
    lock::reset();
    STARVED.store(0, Ordering::Relaxed);
}

/// Recording: the thread, which has the right to run, must not be interrupted for those that wait.
pub fn refuse_requests() {
    domain().holder[0].store(0, Ordering::Relaxed);
}

/// Recording: it may be again.
pub fn permit_requests() {
    hold(domain());
}

/// Says of which process the thread is that has the lock.
fn hold(domain: &Domain) {
    domain.holder[0].store(process::get().real_id, Ordering::Relaxed);
}

/// Recording: gives up the right to run before a call that may sleep. False if there is nobody to give it to.
#[inline]
pub fn release(thread: &mut Thread) -> bool {
    if sections::are_on() {
        return sections::pause(thread);
    }
    if !is_ordered(thread) {
        return false;
    }
    give_up(thread);
    true
}

fn give_up(thread: &mut Thread) {
    stop::cancel();
    if adversary::is_on() {
        adversary::choose(thread, domain(), Why::Sleeps);
        note_end(thread, domain(), place::WAIT);
    }
    lock::give_back(domain());
}

/// Recording: gets the right to run (again), and logs it if another thread has had it meanwhile.
pub fn acquire(thread: &mut Thread) {
    if sections::are_on() {
        return sections::resume(thread);
    }
    acquire_at(thread, 0);
}

fn acquire_at(thread: &mut Thread, place: u8) {
    let mut mine = domain();
    lock::take(mine, thread);
    // The process may have come to share memory meanwhile.
    while !core::ptr::eq(mine, domain()) {
        lock::give_back(mine);
        mine = domain();
        lock::take(mine, thread);
    }
    hold(mine);
    if adversary::is_on() {
        adversary::begin_slice(thread);
    }
    let me = thread.stream as u64 + 1;
    if mine.last.swap(me, Ordering::Relaxed) == me {
        return;
    }
    mine.wanted.store(0, Ordering::Relaxed);
    thread.tenure = mine.tenures.fetch_add(1, Ordering::Relaxed);
    thread.calls_at_turn = thread.calls;
    let shared = if SHARES.load(Ordering::Relaxed) { turn::SHARED } else { 0 };
    thread.progress.points += thread.spins;
    if schedule::is_on() {
        schedule::turn_begins(thread, mine);
    }
    let body = [thread.tenure, core::mem::take(&mut thread.spins)];
    let ended = mine.ended.swap(0, Ordering::Relaxed) as u16;
    log::words(thread, Kind::Turn, place | shared, ended, &body);
}

/// A safepoint before an event: recording hands over if others have waited for long enough; replay hands over
/// if the recording did.
#[inline(always)]
pub fn at_safepoint(thread: &mut Thread) {
    match process::get().mode {
        Mode::Replay if sections::are_on() => sections::follow(thread),
        Mode::Record if is_ordered(thread) => hand_over_if_due(thread),
        Mode::Record => {}
        Mode::Replay if playback::peek(thread).is_some_and(|next| next.kind == Kind::Turn as u8) => {
            follow(thread, 0);
        }
        Mode::Replay => {}
    }
}

/// The same before a clock is read. That is the last that the hook asks for here.
#[inline]
pub fn at_clock(thread: &mut Thread) {
    at_safepoint(thread);
    if process::get().mode == Mode::Record && is_ordered(thread) {
        stop::look_ahead(thread);
    }
}

fn hand_over_if_due(thread: &mut Thread) {
    let domain = domain();
    if domain.waiting.load(Ordering::Relaxed) == 0 && !schedule::is_on() {
        return;
    }
    if adversary::is_on() {
        if adversary::hands_over(thread, domain, Place::Safepoint) {
            hand_over_at(thread, place::EVENT);
        }
        return;
    }
    if thread.calls - thread.calls_at_turn >= QUANTUM || domain.wanted.load(Ordering::Relaxed) != 0 {
        hand_over(thread);
    }
}

/// A safepoint in a loop in which the thread waits for another one.
pub fn at_spin(thread: &mut Thread) {
    if process::get().mode == Mode::Record
        && is_ordered(thread)
        && domain().waiting.load(Ordering::Relaxed) == 0
    {
        // Who has just given the right up may not have come to wait for it again: on a busy machine, not for milliseconds.
        kernel::yield_processor();
    }
    pass(thread, Place::Yield);
}

/// A place that is no event, where the thread may hand over: its passages are counted.
fn pass(thread: &mut Thread, place: Place) {
    thread.spins += 1;
    match process::get().mode {
        Mode::Record => hand_over_if_wanted(thread, place),
        Mode::Replay => follow(thread, turn::SPIN),
    }
}

/// Recording: hands over to one of those that wait, if there is no chaos or chaos wants it.
fn hand_over_if_wanted(thread: &mut Thread, place: Place) {
    if is_ordered(thread)
        && (domain().waiting.load(Ordering::Relaxed) != 0 || schedule::is_on())
        && (!adversary::is_on() || adversary::hands_over(thread, domain(), place))
    {
        hand_over_at(thread, place::POINT);
    }
}

/// The thread was stopped between two instructions to let another one run.
pub fn stopped(thread: &mut Thread) {
    match process::get().mode {
        Mode::Record => {
            // Even if nobody comes: see `follow`.
            domain().last.store(0, Ordering::Relaxed);
            if schedule::is_on() {
                schedule::is_stopped(domain());
            }
            if is_ordered(thread) {
                hand_over_at(thread, place::STOP);
            }
        }
        Mode::Replay => follow_or_sleep(thread),
    }
}

/// Lets one of those that wait run first.
pub fn hand_over(thread: &mut Thread) {
    if is_ordered(thread) {
        hand_over_at(thread, place::WAIT);
    }
}

/// The place is one of [`place`].
fn hand_over_at(thread: &mut Thread, place: u32) {
    let domain = domain();
    stop::cancel();
    if adversary::is_on() && domain.preferred.load(Ordering::Relaxed) == 0 {
        adversary::choose(thread, domain, Why::Yields);
    }
    note_end(thread, domain, place);
    lock::give_back(domain);
    // The lock is not fair: without this, the thread that runs would nearly always win it back. One that was
    // counted and killed while it waited never comes.
    let mine = domain.tenures.load(Ordering::Relaxed);
    for _ in 0..LOOKS {
        let others = domain.waiting.load(Ordering::Relaxed) > 0;
        if !others || domain.tenures.load(Ordering::Relaxed) != mine {
            break;
        }
        kernel::yield_processor();
    }
    thread.calls_at_turn = thread.calls;
    acquire_at(thread, if place == place::POINT { turn::SPIN } else { 0 });
}

/// Recording: the thread's turn ends here, if it does not get the next one.
fn note_end(thread: &Thread, domain: &Domain, place: u32) {
    if adversary::is_on() {
        domain.ended.store(turn::ended(place, thread.spins).into(), Ordering::Relaxed);
    }
}

/// A new thread, or the child of a process that shares memory, waits for its first tenure.
pub fn begin(thread: &mut Thread) {
    if sections::are_on() {
        return sections::appear(thread);
    }
    match process::get().mode {
        Mode::Record => {
            schedule::begin(thread);
            acquire(thread);
            adversary::thread_began(thread.slot);
        }
        Mode::Replay => follow_or_sleep(thread),
    }
}

/// Recording: a thread was created in this slot. With chaos it is waited for, since it can only be chosen when it is
/// there: its creator might have done all that it has to do before the kernel runs it.
pub fn thread_was_created(slot: usize) {
    if !adversary::is_on() {
        return;
    }
    if schedule::is_on() {
        return schedule::await_created(domain(), slot);
    }
    let (word, bit) = (&domain().waiters[slot / 64], 1 << (slot % 64));
    for _ in 0..LAST_LOOKS {
        if word.load(Ordering::Relaxed) & bit != 0 {
            break;
        }
        kernel::yield_processor();
    }
}

/// Recording: the thread has computed for the slice that chaos gave it. Whether it is to be stopped.
pub fn slice_is_over(thread: &mut Thread) -> bool {
    if !adversary::is_on() || schedule::is_on() || !is_ordered(thread) {
        return false;
    }
    if domain().waiting.load(Ordering::Relaxed) != 0 && adversary::hands_over(thread, domain(), Place::Stop) {
        return true;
    }
    adversary::begin_slice(thread);
    false
}

/// Recording: whether hand-overs are chosen to bring races out.
pub fn is_chaotic() -> bool {
    adversary::is_on()
}

/// Recording: the process comes to share memory with another one; its threads are ordered with the other's.
pub fn share(thread: &mut Thread) {
    if sections::is_chosen() {
        return sections::refuse_to_share();
    }
    if SHARES.swap(true, Ordering::Relaxed) {
        return;
    }
    stop::cancel();
    // Threads that wait for the old right find out when they get it.
    lock::give_back(&OWN);
    acquire(thread);
}

/// The thread ends while it has the right to run.
pub fn end(thread: &mut Thread) {
    process::get().threads -= 1;
    leave(thread);
}

/// The thread gives its right up for good: it ends, or its process does, or executes another program.
pub fn leave(thread: &mut Thread) {
    match process::get().mode {
        _ if sections::are_on() => sections::leave(thread),
        Mode::Record if thread.borrows_memory => {}
        Mode::Record => {
            // The stream may come back, after an exec: with a tenure of its own.
            domain().last.store(0, Ordering::Relaxed);
            if schedule::is_on() {
                schedule::choose(thread, domain(), Why::Ends);
            }
            note_end(thread, domain(), place::WAIT);
            lock::give_back(domain());
        }
        Mode::Replay => finish_tenure(thread),
    }
}

/// The process ends, or is about to execute another program, while the thread has the right to run.
pub fn leave_with_process(thread: &mut Thread) {
    if thread.borrows_memory {
        return;
    }
    crate::calls::memory::leave();
    // The right to run among its own threads ends with them: none of them must run any more.
    if !SHARES.load(Ordering::Relaxed) {
        return;
    }
    if process::get().mode == Mode::Record {
        stop::cancel();
        lock::end_process(domain());
    }
    leave(thread);
}

/// Recording: the process is about to execute another program. A signal of ours that came then would kill it, before
/// there is a handler again.
pub fn before_exec(thread: &mut Thread) {
    if thread.borrows_memory {
        return;
    }
    let domain = domain();
    domain.holder[0].store(0, Ordering::SeqCst);
    for _ in 0..LAST_LOOKS {
        if domain.interrupting.load(Ordering::SeqCst) == 0 {
            break;
        }
        kernel::yield_processor();
    }
    stop::cancel();
    thread.stop_timer.delete();
    leave_with_process(thread);
}

/// Recording: the program was not executed: the process goes on, without the right to run.
pub fn stay(thread: &mut Thread) {
    if thread.borrows_memory {
        return;
    }
    hold(domain());
    if lock::go_on(domain()) {
        acquire(thread);
    }
    crate::calls::memory::inherit();
}

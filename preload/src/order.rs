//! Serial order: one thread of a process runs at a time, and the log says who.
//!
//! A *tenure* is a stretch in which one thread has the right to run. It ends at a safepoint: before a call that
//! may sleep, at the thread's end, or at any call once others have waited long enough. Between two hand-overs
//! the thread is alone, so its data races, atomics and malloc calls are deterministic by themselves, and the
//! log is only the hand-overs: a [`Kind::Turn`] with the tenure's number, in the stream of the thread that
//! begins it. In replay a thread that finds one ends its tenure there and waits for that number.
//!
//! A process with a single thread comes here for one comparison.

use crate::thread::Thread;
use crate::{kernel, log, playback, process};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tracer_core::event::Kind;
use tracer_core::session::Mode;

/// Calls that a thread may make while others wait.
const QUANTUM: u64 = 64;
const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// The right to run in this process. A child of fork gets a copy and starts afresh.
struct Domain {
    /// Recording: the lock (a futex: free, held, held with sleepers).
    lock: AtomicU32,
    /// Threads that wait for the lock.
    waiting: AtomicU32,
    /// Tenures begun (recording) or ended (replay).
    tenures: AtomicU64,
    /// Area of the thread whose tenure is or was the last, plus one.
    last: AtomicU64,
    /// Replay: changes with `tenures`; sleepers wait here.
    bell: AtomicU32,
    /// Replay: threads that have come to the end of their streams.
    starved: AtomicU32,
}

static DOMAIN: Domain = Domain {
    lock: AtomicU32::new(HELD),
    waiting: AtomicU32::new(0),
    tenures: AtomicU64::new(0),
    last: AtomicU64::new(1),
    bell: AtomicU32::new(0),
    starved: AtomicU32::new(0),
};

/// Whether this thread has to share the right to run with others.
#[inline]
fn is_shared(thread: &Thread) -> bool {
    process::get().threads > 1 && !thread.borrows_memory
}

/// The calling thread is the only one, and runs: after fork.
pub fn reset(thread: &mut Thread) {
    thread.tenure = 0;
    DOMAIN.lock.store(HELD, Ordering::Relaxed);
    DOMAIN.waiting.store(0, Ordering::Relaxed);
    DOMAIN.tenures.store(0, Ordering::Relaxed);
    DOMAIN.last.store(thread.area as u64 + 1, Ordering::Relaxed);
    DOMAIN.starved.store(0, Ordering::Relaxed);
}

/// Recording: gives up the right to run before a call that may sleep. False if there is nobody to give it to.
#[inline]
pub fn release(thread: &Thread) -> bool {
    if !is_shared(thread) {
        return false;
    }
    unlock();
    true
}

fn unlock() {
    if DOMAIN.lock.swap(FREE, Ordering::Release) == CONTENDED {
        kernel::futex_wake_one(&DOMAIN.lock);
    }
}

/// Recording: gets the right to run (again), and logs it if another thread has had it meanwhile.
pub fn acquire(thread: &mut Thread) {
    let lock = &DOMAIN.lock;
    if lock.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
        DOMAIN.waiting.fetch_add(1, Ordering::Relaxed);
        while lock.swap(CONTENDED, Ordering::Acquire) != FREE {
            kernel::futex_wait(lock, CONTENDED, 1000);
        }
        DOMAIN.waiting.fetch_sub(1, Ordering::Relaxed);
    }
    let me = thread.area as u64 + 1;
    if DOMAIN.last.swap(me, Ordering::Relaxed) != me {
        thread.tenure = DOMAIN.tenures.fetch_add(1, Ordering::Relaxed) + 1;
        thread.calls_at_turn = thread.calls;
        log::words(thread, Kind::Turn, 0, 0, &[thread.tenure]);
    }
}

/// A safepoint before an event: recording hands over if others have waited for long enough; replay hands over
/// if the recording did.
#[inline]
pub fn at_safepoint(thread: &mut Thread) {
    if is_shared(thread) {
        match process::get().mode {
            Mode::Record => hand_over_if_due(thread),
            Mode::Replay => follow(thread),
        }
    }
}

fn hand_over_if_due(thread: &mut Thread) {
    if DOMAIN.waiting.load(Ordering::Relaxed) == 0 || thread.calls - thread.calls_at_turn < QUANTUM {
        return;
    }
    hand_over(thread);
}

/// Lets one of those that wait run first.
pub fn hand_over(thread: &mut Thread) {
    if !is_shared(thread) {
        return;
    }
    unlock();
    // The lock is not fair: without this, the thread that runs would nearly always win it back.
    let mine = DOMAIN.tenures.load(Ordering::Relaxed);
    while DOMAIN.waiting.load(Ordering::Relaxed) > 0 && DOMAIN.tenures.load(Ordering::Relaxed) == mine {
        kernel::yield_processor();
    }
    thread.calls_at_turn = thread.calls;
    acquire(thread);
}

/// A new thread waits for its first tenure.
pub fn begin(thread: &mut Thread) {
    match process::get().mode {
        Mode::Record => acquire(thread),
        Mode::Replay => follow(thread),
    }
}

/// The thread ends while it has the right to run.
pub fn end(thread: &mut Thread) {
    process::get().threads -= 1;
    match process::get().mode {
        Mode::Record => unlock(),
        Mode::Replay => finish_tenure(thread),
    }
}

/// Replay: if the next event is a hand-over, ends this thread's tenure and waits for its next.
pub fn follow(thread: &mut Thread) {
    while playback::peek(thread).is_some_and(|next| next.kind == Kind::Turn as u8) {
        thread.next = None;
        let turn: u64 = playback::value(thread);
        finish_tenure(thread);
        loop {
            let bell = DOMAIN.bell.load(Ordering::Acquire);
            if DOMAIN.tenures.load(Ordering::Acquire) == turn {
                break;
            }
            kernel::futex_wait(&DOMAIN.bell, bell, 1000);
        }
        thread.tenure = turn;
        thread.holds_tenure = true;
    }
}

/// Replay: the tenure after this one may begin.
fn finish_tenure(thread: &mut Thread) {
    if core::mem::take(&mut thread.holds_tenure) {
        DOMAIN.tenures.store(thread.tenure + 1, Ordering::Release);
        DOMAIN.bell.fetch_add(1, Ordering::Release);
        kernel::futex_wake(&DOMAIN.bell);
    }
}

/// Replay: this thread's stream has ended although the thread has not: in the recording it slept until the
/// process ended. It sleeps here, unless all threads do: then the recording was cut short.
pub fn sleep_forever(thread: &mut Thread) {
    if !is_shared(thread) {
        return;
    }
    finish_tenure(thread);
    if DOMAIN.starved.fetch_add(1, Ordering::AcqRel) + 1 >= process::get().threads {
        return;
    }
    let never = AtomicU32::new(0);
    loop {
        kernel::futex_wait(&never, 0, 60_000);
    }
}

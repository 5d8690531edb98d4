//! Recording: the lock of a domain, and how those that wait for it get it.
//!
//! It is a futex with its owner's thread id in it, so that it can be taken from an owner that was killed, and from
//! nobody else. It is not fair; that is the business of those who give it back.

use super::schedule;
use crate::thread::Thread;
use crate::{kernel, process, stop, time_stamps};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tracer_core::session::Domain;

/// A lock that nobody has.
const FREE: u32 = 0;
/// The bit of a lock that threads sleep for.
const CONTENDED: u32 = 1 << 31;
/// How long, in milliseconds, a thread waits before it asks for a hand-over at the next safepoint, and between two
/// requests to stop.
const SLICE: u64 = 5;
/// How often the lock is looked at before the thread sleeps for it.
const SPINS: usize = 200;
/// Waits after which a waiter looks whether the holder still exists.
const LOOK_FOR_HOLDER: u64 = 5;

/// Threads of this process that wait for the lock of the shared domain.
static WAITING: AtomicU32 = AtomicU32::new(0);
/// The process is ending: who gets the lock gives it back.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Whether the thread has it.
pub fn is_held_by(domain: &Domain, thread: &Thread) -> bool {
    domain.lock.load(Ordering::Relaxed) & !CONTENDED == thread.real
}

/// Gives it back.
pub fn give_back(domain: &Domain) {
    if domain.lock.swap(FREE, Ordering::Release) & CONTENDED != 0 {
        // One of them may be preferred.
        match domain.preferred.load(Ordering::Relaxed) {
            0 => kernel::futex_wake_one(&domain.lock),
            _ => kernel::futex_wake(&domain.lock),
        }
    }
}

/// Gets it, however long that takes. Code that others added meanwhile may need the trap for `rdtsc`.
pub fn take(domain: &Domain, thread: &mut Thread) {
    if !may_have(domain, thread.slot) || !try_for_a_moment(domain, thread) {
        wait_for_lock(domain, thread);
    }
    while ENDING.load(Ordering::Relaxed) {
        // Until the process has ended, or could not execute what it wanted to.
        give_back(domain);
        kernel::futex_wait(&AtomicU32::new(0), 0, SLICE);
        wait_for_lock(domain, thread);
    }
    domain.preferred.store(0, Ordering::Relaxed);
    time_stamps::follow(thread);
}

/// Gets it if it is free now or in a moment: a server's threads have it for a few microseconds between two calls, and to
/// be woken takes longer.
fn try_for_a_moment(domain: &Domain, thread: &Thread) -> bool {
    for _ in 0..SPINS {
        let seen = domain.lock.load(Ordering::Relaxed);
        if seen == FREE
            && domain.lock.compare_exchange(FREE, thread.real, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            return true;
        }
        if seen & CONTENDED != 0 {
            return false;
        }
        core::hint::spin_loop();
    }
    false
}

/// Whether the thread in this slot may take the lock: another one may be preferred.
fn may_have(domain: &Domain, slot: usize) -> bool {
    let preferred = domain.preferred.load(Ordering::Relaxed);
    preferred == 0 || preferred == slot as u32 + 1
}

#[cold]
fn wait_for_lock(domain: &Domain, thread: &Thread) {
    let slot = thread.slot;
    let counts = core::ptr::eq(domain, &process::control().shared);
    if !counts || !ENDING.load(Ordering::Relaxed) {
        domain.waiting.fetch_add(1, Ordering::Relaxed);
    }
    if counts {
        WAITING.fetch_add(1, Ordering::Relaxed);
    }
    let (word, bit) = (&domain.waiters[slot / 64], 1 << (slot % 64));
    word.fetch_or(bit, Ordering::Relaxed);
    let (mut tenure, mut waits) = (domain.tenures.load(Ordering::Relaxed), 0);
    loop {
        let ran_out = if may_have(domain, slot) {
            match try_lock(domain, thread) {
                None => break,
                Some(seen) => kernel::futex_wait(&domain.lock, seen, SLICE),
            }
        } else if schedule::is_on() {
            schedule::wait(domain, slot);
            false
        } else {
            let seen = domain.lock.load(Ordering::Relaxed);
            let ran_out = kernel::futex_wait(&domain.lock, seen, SLICE);
            if ran_out {
                // It does not come, and may have been killed.
                domain.preferred.store(0, Ordering::Relaxed);
            }
            ran_out
        };
        if !ran_out {
            continue;
        }
        let now = domain.tenures.load(Ordering::Relaxed);
        if now != tenure {
            (tenure, waits) = (now, 0);
            continue;
        }
        waits += 1;
        press(domain, waits, now);
    }
    word.fetch_and(!bit, Ordering::Relaxed);
    if counts {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
    if !counts || !ENDING.load(Ordering::Relaxed) {
        domain.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes the lock, as one that others sleep for if there are any; or marks it and tells what it is then.
fn try_lock(domain: &Domain, thread: &Thread) -> Option<u32> {
    let mut seen = domain.lock.load(Ordering::Relaxed);
    loop {
        // Who comes to wait after this look marks the lock itself.
        let others = if domain.waiting.load(Ordering::Relaxed) > 1 { CONTENDED } else { 0 };
        let wanted = if seen == FREE { thread.real | others } else { seen | CONTENDED };
        if seen == wanted {
            return Some(seen);
        }
        match domain.lock.compare_exchange_weak(seen, wanted, Ordering::Acquire, Ordering::Relaxed) {
            Ok(FREE) => return None,
            Ok(_) => return Some(wanted),
            Err(now) => seen = now,
        }
    }
}

/// The same tenure has gone on for `waits` slices: asks for a hand-over at a safepoint, and now and then the holder,
/// which is told for how long, to stop if it spins or it is time.
fn press(domain: &Domain, waits: u64, tenures: u64) {
    domain.wanted.store(1, Ordering::Relaxed);
    let seen = domain.lock.load(Ordering::Relaxed);
    let holder = seen & !CONTENDED;
    if holder == FREE {
        return;
    }
    // To see whether it spins takes the holder a fraction of a millisecond. So it is looked at less often the longer it has
    // not: one that begins to later loses as long as it has computed, at most.
    let request = stop::Request::new(waits * SLICE, tenures);
    // A section is over when its call is.
    if !super::sections::are_on() && (stop::is_due(request.waited) || waits.is_power_of_two()) {
        domain.interrupting.fetch_add(1, Ordering::SeqCst);
        let process = domain.holder[0].load(Ordering::SeqCst);
        if process != 0 {
            // Refused by the kernel if the thread is not one of that process (any more).
            stop::request([process, holder], request);
        }
        domain.interrupting.fetch_sub(1, Ordering::SeqCst);
    }
    if waits.is_multiple_of(LOOK_FOR_HOLDER) && !kernel::is_alive(holder) {
        // It was killed; nobody else will give its right up. Whoever comes first takes it.
        let _ = domain.lock.compare_exchange(seen, FREE, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// The process ends, or is about to execute another program: its threads must not get the lock of the shared domain any
/// more.
pub fn end_process(domain: &Domain) {
    ENDING.store(true, Ordering::Relaxed);
    domain.waiting.fetch_sub(WAITING.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// The program was not executed. False if [`end_process`] was not called.
pub fn go_on(domain: &Domain) -> bool {
    let was_ending = ENDING.swap(false, Ordering::Relaxed);
    if was_ending {
        domain.waiting.fetch_add(WAITING.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    was_ending
}

/// In a child of fork: none of its parent's threads waits here.
pub fn reset() {
    WAITING.store(0, Ordering::Relaxed);
}

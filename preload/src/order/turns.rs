//! Replay: tenures begin and end where they did.

use super::{OWN, SHARES, STARVED, domain_for, is_ordered, sections};
use crate::thread::Thread;
use crate::{kernel, playback, process, watch};
use core::sync::atomic::{AtomicU32, Ordering};
use tracer_core::event::{Kind, turn};
use tracer_core::session::Domain;

/// Replay: how often a thread whose turn is next looks for it before it sleeps.
const SPINS: usize = 1000;

/// Replay: a thread that runs on only with a turn, which there need not be: the recorded one never ran (again).
pub fn follow_or_sleep(thread: &mut Thread) {
    if playback::peek(thread).is_none() {
        crate::divergence::ends_early(thread);
    }
    follow(thread, 0);
}

/// Replay: if the next event is a hand-over at such a place (0, or [`turn::SPIN`]), this thread's tenure ends here.
///
/// One is taken, even if another one follows: that was at the next safepoint. A place where recording hands over is
/// followed by an event, or (the beginning of a thread, and a stop) always begins a tenure, so that it cannot be taken
/// for the next.
pub fn follow(thread: &mut Thread, place: u8) {
    let Some(next) = playback::peek(thread).filter(|next| next.kind == Kind::Turn as u8) else { return };
    let spin = next.flags & turn::SPIN;
    if spin != place {
        return;
    }
    let Some([number, spins]) = playback::preview::<[u64; 2]>(thread) else { return };
    if spin != 0 && spins != thread.spins {
        return;
    }
    thread.next = None;
    let _: [u64; 2] = playback::value(thread);
    finish_tenure(thread);
    let shared = next.flags & turn::SHARED != 0;
    SHARES.store(shared, Ordering::Relaxed);
    wait_for_turn(domain_for(shared), number, || ());
    domain_for(shared).holder[0].store(process::get().real_id, Ordering::Relaxed);
    domain_for(shared).holder[1].store(thread.slot as u32, Ordering::Relaxed);
    thread.tenure = number;
    thread.tenure_is_shared = shared;
    thread.holds_tenure = true;
    thread.spins = 0;
}

/// Waits until this tenure may begin.
pub fn wait_for_turn(domain: &Domain, number: u64, mut ran_out_of_time: impl FnMut()) {
    let mut looks = SPINS;
    loop {
        let bell = domain.bell.load(Ordering::SeqCst);
        let tenure = domain.tenures.load(Ordering::Acquire);
        if tenure == number {
            return;
        }
        // Whose turn is next need not sleep if it comes at once: to be woken takes longer than most tenures. Threads of
        // one process are on one processor (`gather`), and would wait for themselves.
        if tenure + 1 == number && looks > 0 && (sections::are_on() || !core::ptr::eq(domain, &OWN)) {
            looks -= 1;
            core::hint::spin_loop();
            continue;
        }
        domain.waiting.fetch_add(1, Ordering::SeqCst);
        let ran_out = kernel::futex_wait_for(&domain.bell, bell, 1000, sleepers_of(number));
        domain.waiting.fetch_sub(1, Ordering::Relaxed);
        looks = SPINS;
        if ran_out {
            process::end_if_abandoned();
            ran_out_of_time();
            end_who_was_killed(domain);
        }
    }
}

/// Replay: the recorded process that had the right to run among processes may have been killed while it computed. In
/// replay it would compute for ever: its stream has no more events, and others have had the right since.
fn end_who_was_killed(domain: &Domain) {
    let [holder, slot] = domain.holder.each_ref().map(|id| id.load(Ordering::Relaxed));
    let Some(slot) = process::control().slots.get(slot as usize) else { return };
    let exhausted = process::is_exhausted(slot, holder);
    let tenure = domain.tenures.load(Ordering::Acquire);
    if !core::ptr::eq(domain, &OWN) && exhausted && holder != process::get().real_id {
        slot.cut_short.store(holder, Ordering::Relaxed);
        kernel::kill(holder);
        let next = tenure + 1;
        if domain.tenures.compare_exchange(tenure, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            call_for(domain, next);
        }
    }
}

/// Replay: the sleepers, as the kernel's futexes can tell them apart, among whom is who waits for this tenure.
fn sleepers_of(number: u64) -> u32 {
    1 << (number % 32)
}

/// Replay: this tenure may begin.
pub fn call_for(domain: &Domain, number: u64) {
    domain.bell.fetch_add(1, Ordering::SeqCst);
    if domain.waiting.load(Ordering::SeqCst) != 0 {
        kernel::futex_wake_for(&domain.bell, sleepers_of(number));
    }
}

/// Replay: the tenure after this one may begin.
pub fn finish_tenure(thread: &mut Thread) {
    if core::mem::take(&mut thread.holds_tenure) {
        watch::hands_over(thread);
        let domain = domain_for(thread.tenure_is_shared);
        domain.tenures.store(thread.tenure + 1, Ordering::Release);
        call_for(domain, thread.tenure + 1);
    }
}

/// Replay: this thread's stream has ended although the thread has not: in the recording it slept until the
/// process ended. It sleeps here, unless all threads do: then the recording was cut short.
pub fn sleep_until_the_end(thread: &mut Thread) {
    if sections::are_on() {
        sections::leave(thread);
    } else if !is_ordered(thread) {
        return;
    }
    finish_tenure(thread);
    if STARVED.fetch_add(1, Ordering::AcqRel) + 1 < process::get().threads {
        sleep_for_ever();
    }
}

fn sleep_for_ever() -> ! {
    let never = AtomicU32::new(0);
    loop {
        kernel::futex_wait(&never, 0, 60_000);
    }
}

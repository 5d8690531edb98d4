//! The process itself: its end, its ids, its personality.

use super::{decided, generic};
use crate::order::{sections, stall::Stall};
use crate::thread::{self, Thread};
use crate::{check, kernel, log, playback, process, watch};
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::frame::Frame;
use tracer_core::event::Kind;
use tracer_core::session::{Mode, Slot, slot_state};
use tracer_core::syscalls::Syscall;

/// How often a thread looks whether another one moves before it sleeps, milliseconds for which it sleeps, and how often in a
/// row it does so before it asks whether anything will ever happen.
const LOOKS: usize = 100;
const PATIENCE: u64 = 1;
const SLEEPS: u32 = 1000;

/// exit and exit_group: logged before, because nothing comes after.
pub fn exit(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    check::check(thread, frame);
    thread.items.clear();
    match process::get().mode {
        Mode::Record => log::call(thread, Kind::Entry, syscall, &arguments, 0, 0),
        Mode::Replay => {
            let outcome = playback::outcome(thread, Kind::Entry, syscall, &arguments);
            playback::items(thread, syscall, outcome.items, generic::ignore_item);
        }
    }
    if syscall.number as i64 == libc::SYS_exit && process::get().threads > 1 && !thread.borrows_memory {
        end_thread(thread);
    } else {
        finish(thread);
    }
    loop {
        // SAFETY: nothing of the program runs on this thread any more.
        unsafe {
            kmod_shim::arch::native::raw::call(syscall.number as i64, [arguments[0], 0, 0, 0, 0, 0]);
        }
    }
}

/// Replay of sync order: what the process's other threads did before it ended, which none that is there waited for, they
/// are to do as well.
fn await_others(thread: &mut Thread) {
    if sections::state() != sections::state::REPLAY || thread.borrows_memory {
        return;
    }
    sections::leave(thread);
    for slot in others(thread.area) {
        let (mut stall, mut sleeps) = (Stall::new(), 0);
        while is_of_thread(slot.state.load(Ordering::Acquire)) && !process::is_at_end(slot) {
            // How far it is changes with each event; the thread wakes nobody for that.
            let place = slot.tail.0.load(Ordering::Relaxed);
            let has_moved = || slot.tail.0.load(Ordering::Relaxed) != place || process::is_at_end(slot);
            let moves = (0..LOOKS).any(|_| {
                kernel::yield_processor();
                has_moved()
            });
            if moves {
                sleeps = 0;
                continue;
            }
            let bell = &slot.program_wake.0;
            kernel::futex_wait(bell, bell.load(Ordering::Relaxed), PATIENCE);
            sleeps += 1;
            if sleeps == SLEEPS {
                sleeps = 0;
                stall.look(thread, "the end of stream", slot.stream.load(Ordering::Relaxed).into());
            }
        }
    }
}

/// Whether a thread runs, or was created and is about to.
fn is_of_thread(state: u32) -> bool {
    matches!(state, slot_state::LIVE | slot_state::RESERVED)
}

/// The process's other threads end with it, wherever they are: their streams are complete too.
pub fn end_others(thread: &mut Thread) {
    await_others(thread);
    watch::linger();
    let end = match process::get().mode {
        Mode::Record => slot_state::LEAVING,
        Mode::Replay => slot_state::FINISHED,
    };
    mark_others(thread, is_of_thread, end);
}

/// An exec is under way: if it succeeds, the process's other threads end.
pub fn others_may_end(thread: &Thread) {
    let count = mark_others(thread, is_of_thread, slot_state::ENDING);
    process::control().slots[thread.slot].ending.store(count, Ordering::Release);
}

/// The exec has failed: they go on.
pub fn others_go_on(thread: &Thread) {
    process::control().slots[thread.slot].ending.store(0, Ordering::Release);
    mark_others(thread, |state| state == slot_state::ENDING, slot_state::LIVE);
}

/// In the image that an exec has begun: the threads that it ended can't say so themselves.
pub fn others_have_ended(own: &Slot) {
    if own.ending.swap(0, Ordering::AcqRel) == 0 {
        return;
    }
    let control = process::control();
    let process = own.process.load(Ordering::Relaxed);
    for slot in control.used_slots() {
        if slot.process.load(Ordering::Relaxed) == process {
            let (from, to) = (slot_state::ENDING, slot_state::FINISHED);
            let _ = slot.state.compare_exchange(from, to, Ordering::Release, Ordering::Relaxed);
        }
    }
    thread::wake_companion();
}

/// Moves the slots of the process's other threads, of those in such a state, to another state. Returns how many there were.
fn mark_others(thread: &Thread, is_meant: fn(u32) -> bool, to: u32) -> u32 {
    if process::get().threads == 1 || thread.borrows_memory {
        return 0;
    }
    let change = |slot: &&Slot| {
        if slot.state.load(Ordering::Relaxed) == slot_state::RESERVED {
            // It has not said yet whose it is.
            slot.process.store(process::get().real_id, Ordering::Relaxed);
        }
        let next = |state| is_meant(state).then_some(to);
        slot.state.fetch_update(Ordering::Release, Ordering::Relaxed, next).is_ok()
    };
    others(thread.area).filter(change).count() as u32
}

/// The slots of the process's other threads. Children of vfork have areas too, but are processes.
fn others(own: usize) -> impl Iterator<Item = &'static Slot> {
    let areas = 0..process::get().next_area;
    areas.filter(move |area| *area != own).filter_map(|area| {
        // SAFETY: areas below the next one were prepared when they were first used, and stay mapped.
        let (slot, stream, is_thread) = unsafe {
            let other = thread::state_of(area);
            ((*other).slot, (*other).stream, !(*other).borrows_memory)
        };
        let slot = &process::control().slots[slot];
        (is_thread && slot.stream.load(Ordering::Relaxed) == stream).then_some(slot)
    })
}

/// One of several threads ends: the word that a joiner waits for is cleared here, while the thread has the
/// right to run, and not by the kernel at some moment.
fn end_thread(thread: &mut Thread) {
    super::robust::release(thread);
    let word = thread.clear_tid;
    crate::order::objects::thread_ends(thread, || {
        if word != 0 && log::write_program(word, &0u32.to_le_bytes()) {
            let wake = [word, libc::FUTEX_WAKE as u64, 1, 0, 0, 0];
            // SAFETY: the word was just written.
            let _ = unsafe { kernel::call(libc::SYS_futex, wake) };
        }
    });
    thread.stop_timer.delete();
    process::get().free_areas.push(thread.area);
    process::control().slots[thread.slot].state.store(slot_state::FINISHED, Ordering::Release);
    thread::wake_companion();
    crate::order::end(thread);
    watch::alone::end(thread);
}

/// sched_yield(2): in serial order it means what it says.
pub fn yield_processor(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if process::get().mode == Mode::Record {
        crate::order::hand_over(thread);
        if crate::order::is_parallel() && crate::order::release(thread) {
            kernel::yield_processor();
            crate::order::acquire(thread);
        }
    }
    decided(thread, frame, syscall, |_, _| 0);
    thread.progress.incidental += 1;
}

/// setrlimit and prlimit64. How far the stack may grow must hold in replay too.
pub fn limit(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    generic::emulate(thread, frame, syscall);
    let own = match syscall.number as i64 {
        libc::SYS_setrlimit => Some((arguments[0], arguments[1])),
        _ if arguments[0] as u32 == 0 || arguments[0] as u32 == process::get().id => {
            Some((arguments[1], arguments[2]))
        }
        _ => None,
    };
    if process::get().mode == Mode::Replay
        && frame.rax == 0
        && let Some((resource, new)) = own
        && resource == libc::RLIMIT_STACK as u64
        && new != 0
    {
        // SAFETY: the program's own, valid structure.
        let _ = unsafe { kernel::call(libc::SYS_setrlimit, [resource, new, 0, 0, 0, 0]) };
    }
}

/// Tells the companion that this thread's stream is complete, and those of the process's other threads, since it is about
/// to end.
pub fn finish(thread: &mut Thread) {
    super::robust::release_all(thread);
    crate::order::leave_with_process(thread);
    end_others(thread);
    let control = process::control();
    control.slots[thread.slot].state.store(slot_state::FINISHED, Ordering::Release);
    control.live_processes.fetch_sub(1, Ordering::Relaxed);
    thread::wake_companion();
}

/// set_tid_address(2): the word is ours to clear, so that its change has a place in the order.
pub fn set_tid_address(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    decided(thread, frame, syscall, |thread, arguments| {
        thread.clear_tid = arguments[0];
        thread.id as i64
    });
}

/// personality(2): the program does not see that we turned address randomisation off.
pub fn personality(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    const ADDR_NO_RANDOMIZE: u64 = 0x004_0000;
    let arguments = frame.arguments();
    if process::get().mode == Mode::Replay {
        generic::emulate(thread, frame, syscall);
        return;
    }
    let query = arguments[0] as u32 == u32::MAX;
    let wanted = if query { arguments[0] } else { arguments[0] | ADDR_NO_RANDOMIZE };
    // SAFETY: personality touches no memory.
    let result = unsafe { kernel::call(libc::SYS_personality, [wanted, 0, 0, 0, 0, 0]) }
        .map(|now| now & !ADDR_NO_RANDOMIZE);
    let result = result.map_or_else(|error| -error as i64, |now| now as i64);
    super::conclude(thread, frame, syscall, &arguments, result, 0);
}

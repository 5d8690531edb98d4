//! Recording: stopping the thread soon, at an instruction that replay can watch at little cost.
//!
//! The choice gets narrower until one is hit: a safepoint; the exit of the innermost loop around the thread (so
//! that replay runs the loop as it is); an instruction inside the loop; the next instruction of all.

use super::{code, deliver_here, is_alone, is_in_program, memory, snapshot::Snapshot, timer};
use crate::signals::{default_is_harmless, fault::flags, kernel_side};
use crate::thread::Thread;
use crate::{log, process};
use core::cell::UnsafeCell;
use kmod_shim::arch::native::signal_frame::{MachineContext, USER_SEGMENTS, UserContext};
use kmod_shim::stop::place::{Room, Surroundings};
use kmod_shim::stop::trampoline::BREAKPOINT;
use tracer_core::event::{Kind, Tag};
use tracer_core::session::Mode;

/// How long a thread has to reach a safepoint, in microseconds: a few hundred system calls' worth.
const PATIENCE: u64 = 300;
/// How long it has to reach the exit of its loop, or an instruction inside.
const REACH: [u64; 2] = [200, 500];
/// How long until another look at a thread that is where it cannot be stopped.
const AGAIN: u64 = 100;
/// How many returns are followed.
const RETURNS: usize = 8;
/// The longest such pause. Each is twice the one before.
const LONGEST_PAUSE: u64 = 50_000;

/// What is being done to stop the thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing.
    Idle,
    /// The timer runs.
    Waiting,
    /// The timer runs, and a breakpoint is in the program's code.
    Placed { address: u64, original: u8, purpose: Purpose },
}

/// What is to happen at a breakpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Memory is looked at, and the thread goes on, to be stopped the next time.
    Look,
    /// The thread has executed the instruction at the address and will be stopped there the next time.
    Return(u64),
    /// The thread is stopped.
    Stop,
}

struct Recorder {
    stage: Stage,
    /// Places tried since the signal arrived.
    attempts: usize,
    /// Returns followed since then.
    returns: usize,
    /// Memory was looked at since then.
    looked: bool,
    /// Until the next look, in microseconds.
    pause: u64,
    snapshot: Snapshot,
}

struct Holder(UnsafeCell<Recorder>);

// SAFETY: only the only thread of a process uses it, in handlers that it does not interrupt with each other:
// `expired` and `reached` act only when the program's code was interrupted.
unsafe impl Sync for Holder {}

static RECORDER: Holder = Holder(UnsafeCell::new(Recorder {
    stage: Stage::Idle,
    attempts: 0,
    returns: 0,
    looked: false,
    pause: AGAIN,
    snapshot: Snapshot::EMPTY,
}));

#[allow(clippy::mut_from_ref)]
fn recorder() -> &'static mut Recorder {
    // SAFETY: see Holder; no reference is kept across a call that takes another.
    unsafe { &mut *RECORDER.0.get() }
}

/// A signal was put aside.
pub fn arrived(thread: &Thread) {
    let recorder = recorder();
    if recorder.stage != Stage::Idle || !is_alone(thread) || !is_deliverable(thread) {
        return;
    }
    recorder.attempts = 0;
    recorder.returns = 0;
    recorder.looked = false;
    recorder.pause = AGAIN;
    // Before the timer is set: it may expire before this function returns.
    recorder.stage = Stage::Waiting;
    if !timer::set(PATIENCE) {
        recorder.stage = Stage::Idle;
    }
}

/// Whether the next signal to be delivered has a handler.
fn is_deliverable(thread: &Thread) -> bool {
    let next = thread.pending.first(thread.blocked);
    next.is_some_and(|signal| process::get().actions[signal as usize].is_function())
}

/// A safepoint was reached, or something else has changed what the thread does: it is not stopped any more.
pub fn cancel() {
    if process::get().mode == Mode::Record && recorder().stage != Stage::Idle {
        withdraw();
        recorder().stage = Stage::Idle;
        timer::set(0);
    }
}

/// Takes the breakpoint, if there is one, out of the program's code.
fn withdraw() {
    let recorder = recorder();
    if let Stage::Placed { address, original, .. } = recorder.stage {
        // SAFETY: the program is stopped, and the byte is the one that was there.
        if !unsafe { code::write(address, &[original]) } {
            // It could be written a moment ago. The program would run into it.
            process::end_recording(b"a breakpoint cannot be removed");
        }
        recorder.stage = Stage::Waiting;
    }
}

/// The timer has expired.
pub fn expired(thread: &mut Thread, machine: &MachineContext) {
    let recorder = recorder();
    if recorder.stage == Stage::Idle {
        return;
    }
    if !is_in_program(machine) {
        // A safepoint, most likely.
        timer::set(AGAIN);
        return;
    }
    withdraw();
    if !is_alone(thread) || !is_deliverable(thread) {
        recorder.stage = Stage::Idle;
        return;
    }
    let patience = match place(machine, recorder.attempts) {
        Some(patience) => patience,
        None => {
            recorder.pause = (recorder.pause * 2).min(LONGEST_PAUSE);
            recorder.pause
        }
    };
    recorder.attempts += 1;
    timer::set(patience);
}

/// Puts a breakpoint where the thread will soon be; gives the time in which it should come there.
fn place(machine: &MachineContext, attempts: usize) -> Option<u64> {
    if !memory::is_on_first_stack(machine.rsp) {
        return None;
    }
    let here = Surroundings::read(&code::read, machine.rip);
    let outside = || Surroundings::read(&code::read, here.loop_exit()?).next(&code::read);
    let inside = || here.inside(&code::read);
    let around = || here.around(&code::read);
    let next = || here.next(&code::read);
    let (address, patience) = match attempts {
        0 => (outside().or_else(inside).or_else(around), REACH[0]),
        1 => (inside().or_else(around), REACH[1]),
        2 => (next().or_else(around), REACH[1]),
        _ => (next().or_else(|| here.first(&code::read)), REACH[1]),
    };
    let address = address.or_else(|| here.first(&code::read))?;
    put(address, first_purpose()).then_some(patience)
}

/// What a newly chosen place is for.
fn first_purpose() -> Purpose {
    if recorder().looked { Purpose::Stop } else { Purpose::Look }
}

/// Puts a breakpoint into the program's code; false if it cannot be there.
fn put(address: u64, purpose: Purpose) -> bool {
    let mut original = [0];
    let readable = code::read(address, &mut original) == 1;
    // SAFETY: the program is stopped; a breakpoint at the start of an instruction changes no other.
    let written = readable && unsafe { code::write(address, &[BREAKPOINT]) };
    if written {
        recorder().stage = Stage::Placed { address, original: original[0], purpose };
    }
    written
}

/// Whether the thread, about to return from a function, will be stopped in the caller instead: at the `ret` no
/// jump fits, and replay would have a trap each time.
fn follow_return(machine: &MachineContext) -> bool {
    let Some(room) = Room::at(&code::read, machine.rip) else { return false };
    if room.has_jump() || !room.returns() || recorder().returns == RETURNS {
        return false;
    }
    recorder().returns += 1;
    log::read_value::<u64>(machine.rsp).is_some_and(|caller| {
        let there = Surroundings::read(&code::read, caller);
        there
            .next(&code::read)
            .or_else(|| there.first(&code::read))
            .is_some_and(|place| put(place, first_purpose()))
    })
}

/// A breakpoint was hit. True if it was ours.
pub fn reached(thread: &mut Thread, context: &mut UserContext) -> bool {
    let Stage::Placed { address, purpose, .. } = recorder().stage else { return false };
    let machine = &mut context.machine;
    if machine.rip != address + 1 {
        return false;
    }
    machine.rip = address;
    withdraw();
    let goes_on = match purpose {
        Purpose::Look => follow_return(machine) || look(machine),
        Purpose::Return(place) => put(place, Purpose::Stop),
        Purpose::Stop => follow_return(machine),
    };
    if goes_on {
        return true;
    }
    if !stop(thread, machine) {
        recorder().pause = LONGEST_PAUSE;
        timer::set(LONGEST_PAUSE);
        return true;
    }
    recorder().stage = Stage::Idle;
    timer::set(0);
    thread.register.signals_pending = u64::from(thread.pending.any(thread.blocked));
    context.mask = kernel_side::mask_for(thread.blocked);
    true
}

/// Looks at memory, and lets the thread go on to be stopped when it comes here again. False if it must be stopped
/// now, because where it goes on is not certain.
fn look(machine: &MachineContext) -> bool {
    let recorder = recorder();
    recorder.looked = true;
    let Some(behind) = Room::at(&code::read, machine.rip).and_then(|room| room.behind_first()) else {
        return false;
    };
    recorder.snapshot.prepare(machine);
    timer::set(REACH[1]);
    put(behind, Purpose::Return(machine.rip))
}

/// Logs and delivers what is pending, here.
fn stop(thread: &mut Thread, machine: &mut MachineContext) -> bool {
    let recorder = recorder();
    if !is_deliverable(thread) {
        return false;
    }
    as_interrupted(machine);
    let here = Surroundings::read(&code::read, machine.rip);
    if !recorder.snapshot.take(machine, here.relative_operands(&code::read)) {
        return false;
    }
    let mut place = flags::STOP;
    while let Some((signal, information)) = thread.pending.take(thread.blocked) {
        let action = process::get().actions[signal as usize];
        if !action.is_function() {
            if action.handler == libc::SIG_IGN as u64 || default_is_harmless(signal) {
                continue;
            }
            // It interrupts the handler, which will reach a safepoint.
            thread.pending.add(signal, &information);
            break;
        }
        thread.items.clear();
        thread.items.push_copy(Tag::Output, 0, 0, &information);
        if place == flags::STOP {
            thread.items.push_copy(Tag::State, 0, machine.rip, recorder.snapshot.bytes());
        }
        log::items_only(thread, Kind::Signal, place, signal as u16);
        deliver_here(thread, signal, &information, machine);
        place = 0;
    }
    true
}

/// Removes from a frame what only says that a breakpoint was met.
pub fn as_interrupted(machine: &mut MachineContext) {
    const TRAP: u64 = 0x100;
    const RESUME: u64 = 0x1_0000;
    machine.rflags &= !(TRAP | RESUME);
    machine.segments = USER_SEGMENTS;
    machine.error = 0;
    machine.trap = 0;
    machine.old_mask = 0;
    machine.cr2 = 0;
}

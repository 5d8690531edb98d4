//! Sync order: signals for a thread that computes while others run.
//!
//! What stops a thread between two instructions in serial order ([`super::record`]) knows the place again by the state of all
//! memory, which others change here, and changes code, which others execute. But a program must get its signals: one that
//! computes until the handler of an alarm says that it is enough would never end, nor would a thread that is cancelled
//! while it computes.
//!
//! So a thread that has come to no safepoint for [`PATIENCE`] gets its signal where it is, and the event has the
//! registers there. In replay it is interrupted after the event before and goes on by single steps until it is at that
//! instruction with that stack, with the same registers if it can be. That is the moment of the recording for one that waits in a
//! loop; one that counts may have counted to another number, and if that shows, the replay diverges as it does when threads race,
//! and says so. If the replay comes to a safepoint before, that is the latest place: nothing that others can see was done in
//! between.

use super::snapshot::{INSTRUCTION_POINTER, REGISTERS, STACK_POINTER, registers};
use super::{is_in_program, timer};
use crate::signals::{Information, deliver, fault::flags, handler, kernel_side};
use crate::thread::Thread;
use crate::{divergence, kernel, log, order, playback, process};
use core::sync::atomic::{AtomicBool, Ordering};
use kmod_shim::arch::native::signal_frame::MachineContext;
use tracer_core::event::{ItemHeader, Kind, Tag};
use tracer_core::session::Mode;

/// Microseconds of processor time for which a signal waits for a safepoint.
///
/// Long, for at a safepoint the place is exact.
const PATIENCE: u64 = 100_000;
/// The same after which it is looked again: in a recording, at a thread that was in a function where it cannot be interrupted; in
/// replay, at one that was somewhere else.
const AGAIN: u64 = 1000;
/// Steps of one instruction in a row.
const STEPS: u32 = 20_000;
/// Microseconds of processor time after which a thread that makes steps will not come there any more.
const LONGEST: u64 = 60_000_000;
/// The flag for single steps.
const TRAP: u64 = 0x100;
/// `si_code` of a step's signal.
const TRAP_TRACE: i32 = 2;

/// Replay: a signal has come at another passage of its instruction, as the registers say.
static IS_INEXACT: AtomicBool = AtomicBool::new(false);

/// Replay: whether a signal has come at another moment than in the recording, which may be why threads go another way.
pub fn is_inexact() -> bool {
    IS_INEXACT.load(Ordering::Relaxed)
}

/// What a thread knows of this.
#[derive(Clone, Copy, Default)]
pub struct Spot {
    /// The timer is set.
    is_awaited: bool,
    /// Replay: steps that are left of this round.
    steps: u32,
    /// Replay: the round begins in a hook, which the thread has not left yet.
    is_in_hook: bool,
    /// Replay: the round began in one: the next passage is the one.
    is_counted: bool,
    /// Replay: the thread's processor time when it began to make steps, in microseconds; 0 if it has not.
    since: u64,
}

/// Recording: a signal was put aside while the thread is in the program, or in a function of ours that is no safepoint.
pub fn arrived(thread: &mut Thread) {
    if !thread.borrows_memory && thread.pending.any(thread.blocked) {
        set(thread, PATIENCE);
    }
}

/// Recording: a safepoint was reached: signals are delivered there.
pub fn cancel(thread: &mut Thread) {
    if core::mem::take(&mut thread.spot.is_awaited) {
        timer::set(thread, 0);
    }
}

/// Replay: an event was taken. If the next one is such a signal, the thread is interrupted soon.
#[inline]
pub fn look(thread: &mut Thread) {
    if comes_next(thread) {
        thread.spot.since = 0;
        set(thread, AGAIN);
    }
}

/// Replay: the thread has made an operation. If the signal came between it and the next one, steps begin here.
#[inline]
pub fn look_behind_operation(thread: &mut Thread) {
    if deliver::comes_at(thread, flags::COMPUTING, thread.passes) {
        thread.spot.is_in_hook = true;
        timer::request(kernel::real_ids().into(), timer::Request::new(0, 0));
    }
}

/// Replay: the thread was interrupted by another one, or by itself.
pub fn requested(thread: &mut Thread, machine: &mut MachineContext) {
    if thread.spot.is_in_hook {
        thread.spot.is_counted = true;
        thread.spot.steps = STEPS;
        machine.rflags |= TRAP;
    }
}

fn comes_next(thread: &mut Thread) -> bool {
    playback::peek(thread).is_some_and(|next| deliver::is_computing(&next))
}

/// The timer has expired.
pub fn expired(thread: &mut Thread, machine: &mut MachineContext, mask: &mut u64) {
    if !core::mem::take(&mut thread.spot.is_awaited) {
        return;
    }
    match process::get().mode {
        Mode::Record if !thread.pending.any(thread.blocked) => {}
        Mode::Record if !is_interruptible(thread, machine) => set(thread, AGAIN),
        Mode::Record => record(thread, machine, mask),
        Mode::Replay => begin(thread, machine, mask),
    }
}

/// A signal of an instruction: whether it was that of a step.
pub fn stepped(thread: &mut Thread, code: i32, machine: &mut MachineContext, mask: &mut u64) -> bool {
    if code != TRAP_TRACE || thread.spot.steps == 0 {
        return false;
    }
    thread.spot.steps -= 1;
    let is_interruptible = is_interruptible(thread, machine);
    let is_in_hook = thread.spot.is_in_hook && !is_interruptible;
    thread.spot.is_in_hook = is_in_hook;
    if is_in_hook && thread.spot.steps != 0 {
        // On its way out.
    } else if !is_interruptible || thread.spot.steps == 0 {
        end_steps(thread, machine);
        set(thread, AGAIN);
    } else {
        try_here(thread, machine, mask);
    }
    true
}

/// Replay: the thread, which may be making steps, has come to a system call.
pub fn give_up(thread: &mut Thread, machine: &mut MachineContext) {
    if thread.spot.steps != 0 {
        end_steps(thread, machine);
    }
}

fn end_steps(thread: &mut Thread, machine: &mut MachineContext) {
    thread.spot.steps = 0;
    thread.spot.is_in_hook = false;
    thread.spot.is_counted = false;
    machine.rflags &= !TRAP;
}

fn set(thread: &mut Thread, microseconds: u64) {
    thread.spot.is_awaited = timer::set(thread, microseconds);
}

/// Whether a handler may run here: the thread is in no function for which a hook of ours holds something, and between no access
/// and what announces it.
fn is_interruptible(thread: &Thread, machine: &MachineContext) -> bool {
    is_in_program(machine)
        && !thread.is_in_operation(machine.rsp)
        && thread.enclosure.is_null()
        && !thread.is_in_guard
        && !thread.in_vdso
        && thread.accesses.is_idle()
}

/// Delivers the first of the signals that were put aside. What else there is comes at the next safepoint, behind the handler's return at
/// the latest.
fn record(thread: &mut Thread, machine: &mut MachineContext, mask: &mut u64) {
    let Some((signal, information)) = thread.pending.take(thread.blocked) else { return };
    if deliver::is_deadly(signal) {
        return handler::end(thread, signal, &information);
    }
    if !process::get().actions[signal as usize].is_function() {
        return set(thread, AGAIN);
    }
    thread.items.clear();
    thread.items.push_copy(Tag::Output, 0, thread.passes, &information);
    thread.items.push_copy(Tag::State, 0, machine.rip, &to_bytes(&registers(machine)));
    log::items_only(thread, Kind::Signal, flags::COMPUTING, signal as u16);
    deliver(thread, signal, &information, machine, mask);
}

fn deliver(
    thread: &mut Thread,
    signal: i32,
    information: &Information,
    machine: &mut MachineContext,
    mask: &mut u64,
) {
    // As at an operation: what the sender has done comes before.
    order::sections::pass(thread);
    super::deliver_here(thread, signal, information, machine);
    thread.register.signals_pending = u64::from(thread.pending.any(thread.blocked));
    *mask = kernel_side::mask_for(thread.blocked);
    super::look(thread);
}

const STATE_BYTES: usize = 8 * REGISTERS;

fn to_bytes(registers: &[u64; REGISTERS]) -> [u8; STATE_BYTES] {
    let mut bytes = [0; STATE_BYTES];
    for (target, word) in bytes.chunks_exact_mut(8).zip(registers) {
        target.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

/// Replay: the registers where the signal came, which is the next event.
fn recorded(thread: &mut Thread) -> Option<[u64; REGISTERS]> {
    const BEFORE: usize = 2 * ItemHeader::SIZE + size_of::<Information>();
    let body: [u8; BEFORE + STATE_BYTES] = playback::preview(thread)?;
    let word = |at: usize| u64::from_ne_bytes(core::array::from_fn(|i| body[BEFORE + 8 * at + i]));
    Some(core::array::from_fn(word))
}

/// Replay: begins to make steps, if the signal comes next.
fn begin(thread: &mut Thread, machine: &mut MachineContext, mask: &mut u64) {
    if !comes_next(thread) {
        return;
    }
    let has_come = deliver::comes_at(thread, flags::COMPUTING, thread.passes);
    if !has_come || !is_interruptible(thread, machine) {
        return set(thread, AGAIN);
    }
    let now = kernel::thread_time();
    if thread.spot.since == 0 {
        thread.spot.since = now;
    } else if now - thread.spot.since > LONGEST
        && let Some(then) = recorded(thread)
    {
        divergence::state_not_reached(thread, then[INSTRUCTION_POINTER], LONGEST / 1_000_000);
    }
    thread.spot.steps = STEPS;
    machine.rflags |= TRAP;
    try_here(thread, machine, mask);
}

/// Replay: delivers the signal if the thread is where it came.
fn try_here(thread: &mut Thread, machine: &mut MachineContext, mask: &mut u64) {
    let Some(then) = recorded(thread) else { return };
    let now = registers(machine);
    if [INSTRUCTION_POINTER, STACK_POINTER].iter().any(|which| then[*which] != now[*which]) {
        return;
    }
    if then != now {
        // Others are taken in the last half of a round only, if it is not known to be this passage: the same may be one further. What
        // is in them may also be from a hook, which has other things to do in replay.
        if thread.spot.steps > STEPS / 2 && !thread.spot.is_counted {
            return;
        }
        IS_INEXACT.store(true, Ordering::Relaxed);
    }
    end_steps(thread, machine);
    let Some(header) = playback::take_if(thread, deliver::is_computing) else { return };
    let information = deliver::logged_information(thread, &header);
    deliver(thread, i32::from(header.number), &information, machine, mask);
}

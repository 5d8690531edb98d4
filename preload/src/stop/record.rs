//! Recording: stopping the thread soon, at an instruction that replay can watch at little cost.
//!
//! The choice gets narrower until one is hit: a safepoint; the `pause` of a spin, for a hand-over; the exit of the innermost loop around the thread (so
//! that replay runs the loop as it is); an instruction inside the loop; the next instruction of all.

mod breakpoint;

use super::{
    Spin, code, deliver_here,
    guard::Guard,
    hand_over, is_in_program, is_stoppable, memory, scheduled,
    snapshot::{REGISTERS, Snapshot, registers},
    timer::{self, Request},
};
use crate::signals::{default_is_harmless, fault::flags, kernel_side};
use crate::thread::{self, Thread};
use crate::{kernel, log, order, process, sites};
use breakpoint::{first_purpose, place, put, put_again, withdraw};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::signal_frame::{MachineContext, USER_SEGMENTS, UserContext};
use kmod_shim::stop::place::{Room, Surroundings};
use tracer_core::event::{Kind, Tag};
use tracer_core::session::Mode;

/// How long a thread has to reach a safepoint, in microseconds: a few hundred system calls' worth.
const PATIENCE: u64 = 300;
/// How long it has to reach the exit of its loop, or an instruction inside.
const REACH: [u64; 2] = [200, 500];
/// The same for the exit of a loop, if another thread waits, as it has for [`TENURE`] at least. In replay a loop that is left as it is
/// runs at its own speed from the last event on; with a comparison inside, a tight one takes four times as long.
const REACH_OF_EXIT: u64 = 3_000;
/// How long until another look at a thread that is where it cannot be stopped.
const AGAIN: u64 = 100;
/// How often the thread is given time to come to where a jump fits, if none does where it is: an interpreter may be
/// about to jump by a table. In replay, a breakpoint costs two microseconds at each of perhaps a million passages.
const CRAMPED: usize = 20;
/// How many returns are followed.
const RETURNS: usize = 8;
/// The longest such pause. Each is twice the one before.
const LONGEST_PAUSE: u64 = 50_000;
/// How long, in milliseconds, a thread that computes keeps others waiting, at least.
const TENURE: u64 = 10;
/// The same while there is a list of hand-overs: it spins, or the list is not for what it does.
const SCHEDULED_TENURE: u64 = 200;
/// A stop takes time in proportion to the program's memory. It comes at most as often as keeps it to this part of all
/// time.
const RARITY: u64 = 40;

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
    /// The thread has executed the instruction at the address; when it comes there again it will be stopped, or
    /// (`probes`) its registers will be compared.
    Return { place: u64, probes: bool },
    /// Registers are kept, and the thread goes on until it comes here again.
    Probe,
    /// If registers and then, the next time, memory are what they were, the thread spins, and is stopped.
    Compare,
    /// The thread is stopped.
    Stop,
    /// The thread, which spins, is stopped, and will be whenever it comes to this `pause`.
    Spin,
}

impl Purpose {
    /// Whether the thread is to be stopped only if it spins.
    fn is_about_spins(self) -> bool {
        matches!(
            self,
            Purpose::Spin | Purpose::Probe | Purpose::Compare | Purpose::Return { probes: true, .. }
        )
    }
}

struct Recorder {
    stage: Stage,
    /// Of the code that the breakpoint is in.
    guard: Guard,
    /// Places tried since the signal arrived.
    attempts: usize,
    /// Returns followed since then.
    returns: usize,
    /// Times that it was where no jump fits.
    cramped: usize,
    /// Memory was looked at since then.
    looked: bool,
    /// Until the next look, in microseconds.
    pause: u64,
    /// Another thread has asked for the right to run.
    asked: bool,
    /// Registers at a probe.
    probed: [u64; REGISTERS],
    /// The hash of memory when they were found the same.
    probed_memory: Option<u64>,
    /// The end of the number of a tenure in which registers were, but memory was not: to look again would be in vain.
    counts_in_memory: Option<u16>,
    /// What the last stop took, in microseconds, and what the look at memory before the next one took.
    cost: u64,
    look_cost: u64,
    snapshot: Snapshot,
}

struct Holder(UnsafeCell<Recorder>);

// SAFETY: only the thread that has the right to run uses it, in handlers that it does not interrupt with each other:
// `expired`, `requested` and `reached` act only when the program's code was interrupted.
unsafe impl Sync for Holder {}

static RECORDER: Holder = Holder(UnsafeCell::new(Recorder {
    stage: Stage::Idle,
    guard: Guard::NONE,
    attempts: 0,
    returns: 0,
    cramped: 0,
    looked: false,
    pause: AGAIN,
    asked: false,
    probed: [0; REGISTERS],
    probed_memory: None,
    counts_in_memory: None,
    cost: 0,
    look_cost: 0,
    snapshot: Snapshot::EMPTY,
}));

#[allow(clippy::mut_from_ref)]
fn recorder() -> &'static mut Recorder {
    // SAFETY: see Holder; no reference is kept across a call that takes another.
    unsafe { &mut *RECORDER.0.get() }
}

/// A signal was put aside.
pub fn arrived(thread: &mut Thread) {
    if recorder().stage == Stage::Idle && is_stoppable(thread) && is_deliverable(thread) {
        let patience = PATIENCE.max(recorder().cost * RARITY);
        begin(thread, patience);
    }
}

/// Sets the timer, from which everything else follows.
fn begin(thread: &mut Thread, patience: u64) {
    scheduled::forget();
    let recorder = recorder();
    recorder.attempts = 0;
    recorder.returns = 0;
    recorder.cramped = 0;
    recorder.looked = false;
    recorder.pause = AGAIN;
    // Before the timer is set: it may expire before this function returns.
    recorder.stage = Stage::Waiting;
    if !timer::set(thread, patience) {
        recorder.stage = Stage::Idle;
    }
}

/// Whether a thread that reaches no safepoint is to be stopped after another one has waited for so many milliseconds.
pub fn is_due(waited: u16) -> bool {
    let least = if order::is_scheduled() { SCHEDULED_TENURE } else { TENURE };
    let patience = u64::from(order::patience().load(Ordering::Relaxed)).clamp(least, u64::from(u16::MAX));
    u64::from(waited) >= patience
}

/// Another thread waits for the right to run.
pub fn requested(thread: &mut Thread, machine: &MachineContext, request: Request) {
    if recorder().stage != Stage::Idle || !is_stoppable(thread) || !is_in_program(machine) {
        // It is being stopped, or about to come to a safepoint, or has given the right up.
        return;
    }
    if request.is_late(order::tenures()) {
        return;
    }
    let is_due = is_due(request.waited);
    if scheduled::is_awaited() && !is_due {
        // Where it is to be stopped next may be near, and nobody has waited for long.
        return;
    }
    scheduled::forget();
    let here = Surroundings::read(&code::read, machine.rip);
    let spin = here.pause(&code::read).map(|address| (address, Purpose::Spin));
    // Without a `pause` it may spin all the same.
    let may_spin = recorder().counts_in_memory != Some(request.tenure);
    let probe = || {
        let place = here.loop_exit().filter(|_| may_spin).and_then(|_| here.inside(&code::read));
        place.map(|at| (at, Purpose::Probe))
    };
    match spin {
        None if is_due => {
            recorder().asked = true;
            begin(thread, 1);
        }
        _ => {
            let Some((address, purpose)) = spin.or_else(probe) else { return };
            recorder().asked = true;
            recorder().stage = Stage::Waiting;
            if !put(address, purpose) || !timer::set(thread, REACH[0]) {
                cancel();
            }
        }
    }
}

/// Whether there is anything to stop the thread for.
fn is_wanted(thread: &Thread) -> bool {
    recorder().asked || is_deliverable(thread)
}

/// Whether the next signal to be delivered has a handler.
fn is_deliverable(thread: &Thread) -> bool {
    let next = thread.pending.first(thread.blocked);
    next.is_some_and(|signal| process::get().actions[signal as usize].is_function())
}

/// Whether the thread that runs is not being stopped.
pub fn is_idle() -> bool {
    recorder().stage == Stage::Idle
}

/// A safepoint was reached, or something else has changed what the thread does: it is not stopped any more.
pub fn cancel() {
    if process::get().mode == Mode::Record && recorder().stage != Stage::Idle {
        withdraw();
        recorder().stage = Stage::Idle;
        recorder().asked = false;
        timer::set(thread::current(), 0);
    }
}

/// The timer has expired.
pub fn expired(thread: &mut Thread, machine: &MachineContext) {
    if recorder().stage == Stage::Idle {
        if is_stoppable(thread) && is_in_program(machine) && order::slice_is_over(thread) {
            recorder().asked = true;
            begin(thread, 1);
        }
        return;
    }
    if !is_in_program(machine) {
        // A safepoint, most likely.
        timer::set(thread, AGAIN);
        return;
    }
    if matches!(recorder().stage, Stage::Placed { purpose, .. } if purpose.is_about_spins()) {
        // It has left the loop.
        return cancel();
    }
    withdraw();
    if !is_stoppable(thread) || !is_wanted(thread) {
        recorder().stage = Stage::Idle;
        recorder().asked = false;
        return;
    }
    let patience = place(machine).unwrap_or_else(|| {
        recorder().pause = (recorder().pause * 2).min(LONGEST_PAUSE);
        recorder().pause
    });
    timer::set(thread, patience);
}

/// A page fault. True if the program wanted to write to the page that the breakpoint is in, and can now: the
/// breakpoint is not there any more, and when the timer expires another place is chosen.
pub fn refused(machine: &MachineContext) -> bool {
    let refused = recorder().guard.refused(machine).is_some();
    if refused {
        give_way();
    }
    refused
}

/// Takes the breakpoint out, for what is in memory will be other or is looked at.
pub fn give_way() {
    match recorder().stage {
        Stage::Placed { purpose, .. } if purpose.is_about_spins() => cancel(),
        _ => withdraw(),
    }
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
        Purpose::Look => follow_return(machine) || look(thread, machine),
        Purpose::Return { place, probes: false } => put_again(place, Purpose::Stop),
        Purpose::Return { place, probes: true } => put_again(place, Purpose::Compare),
        Purpose::Probe => {
            recorder().probed = registers(machine);
            recorder().probed_memory = None;
            go_once_more(machine, true) || leave_alone()
        }
        Purpose::Compare => compare(thread, machine),
        Purpose::Stop => follow_return(machine),
        Purpose::Spin => false,
    };
    if goes_on {
        return true;
    }
    let spin = match purpose {
        Purpose::Spin => Spin::Pause,
        Purpose::Compare => Spin::Branch,
        _ => Spin::No,
    };
    if stop(thread, machine, spin) {
        go_on(thread, context);
    } else {
        recorder().pause = LONGEST_PAUSE;
        timer::set(thread, LONGEST_PAUSE);
    }
    true
}

/// Stops the thread where it is, as a list of hand-overs says.
pub fn stop_here(thread: &mut Thread, context: &mut UserContext) {
    cancel();
    recorder().asked = true;
    if stop(thread, &mut context.machine, Spin::No) {
        go_on(thread, context);
    }
    recorder().asked = false;
}

/// The thread, which was stopped, goes on.
fn go_on(thread: &mut Thread, context: &mut UserContext) {
    thread.register.signals_pending = u64::from(thread.pending.any(thread.blocked));
    context.mask = kernel_side::mask_for(thread.blocked);
    // What came while others ran.
    arrived(thread);
}

/// Looks at memory, and lets the thread go on to be stopped when it comes here again. False if it must be stopped
/// now, because where it goes on is not certain.
fn look(thread: &mut Thread, machine: &MachineContext) -> bool {
    let began = kernel::microseconds();
    recorder().looked = true;
    recorder().snapshot.prepare(machine);
    recorder().look_cost = kernel::microseconds().saturating_sub(began);
    timer::set(thread, if recorder().asked { REACH_OF_EXIT } else { REACH[1] });
    go_once_more(machine, false)
}

/// The thread comes to a probe again. False if it spins: without another thread its state would be this for ever.
fn compare(thread: &mut Thread, machine: &MachineContext) -> bool {
    let recorder = recorder();
    if recorder.probed != registers(machine) || !is_in_loop(machine.rip) {
        return leave_alone();
    }
    let Some(memory) = memory::hash(machine.rsp, 0..0) else { return leave_alone() };
    match recorder.probed_memory {
        Some(before) if before == memory => false,
        Some(_) => {
            recorder.counts_in_memory = Some(order::tenures() as u16);
            leave_alone()
        }
        None => {
            recorder.probed_memory = Some(memory);
            timer::set(thread, REACH[0]);
            go_once_more(machine, true) || leave_alone()
        }
    }
}

/// Whether the branch back that was found is one of a loop, and not a jump from one function to the end of the one before:
/// a thread that takes a lock again and again passes such a one in pthread_mutex_unlock, each time with the lock, and would hand over
/// whenever it has it.
fn is_in_loop(place: u64) -> bool {
    let branch = Surroundings::read(&code::read, place).back_branch(&code::read);
    branch.is_some_and(|branch| {
        sites::exclusively(|sites| sites.may_be_one_function(branch.target, branch.address))
    })
}

/// Lets the thread execute the instruction where it is, to be met again when it comes there the next time.
fn go_once_more(machine: &MachineContext, probes: bool) -> bool {
    let behind = Room::at(&code::read, machine.rip).and_then(|room| room.behind_first());
    behind.is_some_and(|behind| put_again(behind, Purpose::Return { place: machine.rip, probes }))
}

/// The thread does not spin: it may compute for a while.
fn leave_alone() -> bool {
    cancel();
    true
}

/// Logs and delivers what is pending, or lets another thread run, here.
fn stop(thread: &mut Thread, machine: &mut MachineContext, spin: Spin) -> bool {
    let recorder = recorder();
    if !is_wanted(thread) {
        return false;
    }
    let began = kernel::microseconds();
    let looked = core::mem::take(&mut recorder.look_cost);
    as_interrupted(machine);
    let here = Surroundings::read(&code::read, machine.rip);
    if !recorder.snapshot.take(machine, here.relative_operands(&code::read)) {
        return false;
    }
    recorder.stage = Stage::Idle;
    timer::set(thread, 0);
    recorder.cost = looked + kernel::microseconds().saturating_sub(began);
    if core::mem::take(&mut recorder.asked) {
        let patience = (recorder.cost * RARITY / 1000) as u32;
        order::patience().store(patience, Ordering::Relaxed);
        thread.items.clear();
        thread.items.push_copy(Tag::State, 0, machine.rip, recorder.snapshot.bytes());
        log::items_only(thread, Kind::Stop, 0, spin as u16);
        hand_over(thread, machine, spin);
        return true;
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

//! Signals and hand-overs for a thread that computes: between two instructions, at the same moment in replay.
//!
//! Most signals wait for the next safepoint, which comes within microseconds ([`crate::signals::deliver`]), and so do
//! other threads ([`crate::order`]). A thread that reaches none is stopped at an instruction of its own code:
//!
//! * [`record`] chooses the instruction, lets the thread run into a breakpoint there, and logs the signal, or that it
//!   stopped, with the state at that moment ([`snapshot`]: registers, vectors, a hash of all memory);
//! * [`replay`] makes the thread compare that state whenever it passes the instruction, and delivers the signal, or
//!   hands over, when all of it is equal. Equal states have equal futures, so it cannot matter if two moments have
//!   one.
//!
//! A thread that spins with `pause` is stopped there, and the instruction is a safepoint from then on
//! ([`crate::order::at_spin`]): whoever spins waits for another thread. One that spins without is known by its state,
//! which is the same in two passages of its loop; then the branch that closes the loop is the safepoint, as long as registers
//! do not change there ([`crate::sites::caught`]).
//!
//! The program's code is changed only between the signal's arrival (or, in replay, the event before it) and the
//! stop, while nobody else has the right to run; no system call is made with a change in place. [`code`] reads and
//! writes it, [`guard`] keeps the program from writing there meanwhile, [`timer`] interrupts. Memory is all of the process's: its other threads are at safepoints, and what the
//! kernel has for them waits in our own memory ([`crate::calls::bounce`]).

mod changes;
mod code;
mod diversion;
mod guard;
mod memory;
mod overdue;
mod record;
mod replay;
mod scheduled;
mod snapshot;
pub mod spot;
mod timer;

use crate::order;
use crate::signals::{Information, deliver};
use crate::sites::caught::{Caught, Loop};
use crate::thread::Thread;
use crate::{process, sites, start, time_stamps, watch};
pub use code::read as read_code;
use kmod_shim::arch::native::signal_frame::{MachineContext, UserContext};
use kmod_shim::arch::native::trap::Trapped;
use kmod_shim::stop::place::Surroundings;
pub use record::{arrived, as_interrupted, cancel, is_due};
pub use replay::{abandon, is_ours, original, pass, passes, take_state};
pub use scheduled::forget as forget_scheduled;
pub use snapshot::{FLAGS, REGISTERS, Snapshot, registers};
pub use timer::{INTERRUPTION, Reason, Request, Timer, reason, request};
use tracer_core::session::Mode;

/// Bytes of a `pause`.
const PAUSE_LENGTH: u64 = 2;

/// To be called when the thread goes on in the program after an event: if it is to stop between two instructions next, that
/// is watched for.
#[inline]
pub fn look(thread: &mut Thread) {
    match process::get().mode {
        Mode::Replay => {
            replay::look(thread);
            deliver::bound_what_is_left(thread);
            if order::is_parallel() {
                spot::look(thread);
            }
        }
        Mode::Record if order::is_scheduled() => scheduled::look(thread, 0),
        Mode::Record => {}
    }
}

/// Recording: the same before an event whose hook does not come by here afterwards.
#[inline]
pub fn look_ahead(thread: &mut Thread) {
    if order::is_scheduled() {
        scheduled::look(thread, 1);
    }
}

/// Recording: an instruction of the program's has faulted, which may be executed elsewhere.
pub fn faulted(machine: &mut MachineContext) {
    machine.rip = scheduled::original(machine.rip);
    scheduled::forget();
    record::cancel();
}

/// The thread was interrupted by us: recording gives up waiting for a safepoint, or for the thread to come to where
/// it was to be stopped; or another thread has waited for too long.
pub fn interrupted(thread: &mut Thread, context: &mut UserContext, reason: Reason) {
    time_stamps::follow(thread);
    if order::is_parallel() {
        return match reason {
            Reason::Requested(_) => {
                order::objects::nudged(thread, context.machine.rip);
                watch::alone::nudged(thread, context.machine.rip);
                spot::requested(thread, &mut context.machine);
            }
            Reason::Expired => spot::expired(thread, &mut context.machine, &mut context.mask),
        };
    }
    match (process::get().mode, reason) {
        (Mode::Record, Reason::Expired) => record::expired(thread, &context.machine),
        (Mode::Record, Reason::Requested(request)) => {
            record::requested(thread, &context.machine, request);
        }
        (Mode::Replay, Reason::Expired) => replay::overdue(thread),
        (Mode::Replay, Reason::Requested(_)) => {}
    }
}

/// A page fault. True if the program met the want of a right that this module had taken away ([`guard`]); the
/// instruction can be executed again then.
pub fn refused(thread: &mut Thread, machine: &mut MachineContext) -> bool {
    match process::get().mode {
        Mode::Record => record::refused(machine),
        Mode::Replay => replay::refused(thread, machine),
    }
}

/// Does something that reads or changes generated code or its rights, with none of our changes in it.
pub fn without_changes<R>(thread: &mut Thread, action: impl FnOnce() -> R) -> R {
    match process::get().mode {
        Mode::Record => {
            record::give_way();
            action()
        }
        Mode::Replay => {
            replay::give_way();
            let result = action();
            replay::settle(thread);
            result
        }
    }
}

/// Replay: a fault of any kind; if the instruction was executed by itself, that is over.
pub fn end_step(thread: &mut Thread, machine: &mut MachineContext) -> bool {
    process::get().mode == Mode::Replay && replay::end_step(thread, machine)
}

/// `signal` (SIGTRAP or SIGILL) was raised by an instruction. True if that was one that this module had put
/// there; the context then says where the program continues.
pub fn trapped(thread: &mut Thread, signal: i32, context: &mut UserContext) -> bool {
    match process::get().mode {
        Mode::Record if signal == libc::SIGILL => scheduled::trapped(thread, context),
        Mode::Record => record::reached(thread, context),
        Mode::Replay => signal == libc::SIGILL && replay::trapped(thread, context),
    }
}

/// Recording: makes the thread's timer expire in so many microseconds, unless it is being stopped already.
pub fn interrupt_after(thread: &mut Thread, microseconds: u64) {
    if record::is_idle() {
        timer::set(thread, microseconds);
    }
}

/// Whether this thread can be stopped at all: it has the right to run, and memory of its own.
fn is_stoppable(thread: &Thread) -> bool {
    !thread.borrows_memory && (process::get().mode == Mode::Replay || order::is_holder(thread))
}

/// Whether the thread executes code of the program, not ours or the kernel's.
pub fn is_in_program(machine: &MachineContext) -> bool {
    !start::is_our_code(machine.rip)
        && !crate::arena::RANGE.contains(&(machine.rsp as usize))
        && !sites::exclusively(|sites| sites.is_stub(machine.rip))
        && !scheduled::is_ours(machine.rip)
}

/// Whether a thread that is stopped spins, as the log has it; and what is a safepoint from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spin {
    /// It does not, as far as is known.
    No = 0,
    /// At a `pause`, where it is. The thread goes on behind it.
    Pause = 1,
    /// In a loop whose branch back it is.
    Branch = 2,
}

impl Spin {
    fn from_number(number: u16) -> Spin {
        match number {
            1 => Spin::Pause,
            2 => Spin::Branch,
            _ => Spin::No,
        }
    }
}

/// Lets another thread run, in either mode.
fn hand_over(thread: &mut Thread, machine: &mut MachineContext, spin: Spin) {
    let at = machine.rip;
    let catch = |address, caught| sites::exclusively(|sites| sites.caught.catch(address, caught));
    match spin {
        Spin::No => {}
        Spin::Pause => {
            catch(at, Caught::Instruction(Trapped::Pause));
            machine.rip += PAUSE_LENGTH;
        }
        Spin::Branch => {
            if let Some(branch) = Surroundings::read(&code::read, at).back_branch(&code::read) {
                catch(branch.address, Caught::Branch(Loop::new(branch)));
            }
        }
    }
    if watch::hand_overs_are_told() {
        thread.watch.place = Some([at, machine.rsp, machine.rbp]);
    }
    order::stopped(thread);
    thread.watch.place = None;
}

/// Makes the program continue in its handler of `signal`, as if it had been interrupted here.
fn deliver_here(thread: &mut Thread, signal: i32, information: &Information, machine: &mut MachineContext) {
    let state = deliver::State { machine, vectors: None };
    let Some(entry) = deliver::push_frame(thread, signal, information, &state) else {
        process::die_by_signal(libc::SIGSEGV)
    };
    deliver::enter_from_context(thread, machine, signal, &entry);
}

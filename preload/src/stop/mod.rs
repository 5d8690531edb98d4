//! Signals for a program that computes: delivered between two instructions, at the same moment in replay.
//!
//! Most signals wait for the next safepoint, which comes within microseconds ([`crate::signals::deliver`]). A
//! thread that reaches none is stopped at an instruction of its own code:
//!
//! * [`record`] chooses the instruction, lets the thread run into a breakpoint there, and logs the signal with
//!   the state at that moment ([`snapshot`]: registers, vectors, a hash of all memory);
//! * [`replay`] makes the thread compare that state whenever it passes the instruction, and delivers the signal
//!   when all of it is equal. Equal states have equal futures, so it cannot matter if two moments have one.
//!
//! The program's code is changed only between the signal's arrival (or, in replay, the event before it) and the
//! stop; no system call is made with a change in place. [`code`] reads and writes it, [`timer`] gives up
//! waiting. Only processes with one thread are stopped this way: what several would write to memory meanwhile
//! is not in the state.

mod changes;
mod code;
mod memory;
mod record;
mod replay;
mod snapshot;
mod timer;

use crate::signals::{Information, deliver};
use crate::thread::Thread;
use crate::{process, start};
use kmod_shim::arch::native::signal_frame::{MachineContext, UserContext};
pub use record::{arrived, as_interrupted, cancel};
pub use replay::look;
use tracer_core::session::Mode;

/// Whether `signal`, with this information, is our own timer's.
pub fn is_ours(signal: i32, information: &Information) -> bool {
    signal == timer::SIGNAL && timer::is_ours(information)
}

/// Our timer has expired: recording gives up waiting for a safepoint, or for the thread to come to where it was
/// to be stopped.
pub fn expired(thread: &mut Thread, context: &UserContext) {
    record::expired(thread, &context.machine);
}

/// `signal` (SIGTRAP or SIGILL) was raised by an instruction. True if that was one that this module had put
/// there; the context then says where the program continues.
pub fn trapped(thread: &mut Thread, signal: i32, context: &mut UserContext) -> bool {
    match process::get().mode {
        Mode::Record => signal == libc::SIGTRAP && record::reached(thread, context),
        Mode::Replay => replay::trapped(thread, signal, context),
    }
}

/// Whether this thread can be stopped at all.
fn is_alone(thread: &Thread) -> bool {
    process::get().threads == 1 && !thread.borrows_memory
}

/// Whether the thread executes code of the program, not ours or the kernel's.
fn is_in_program(machine: &MachineContext) -> bool {
    !start::is_our_code(machine.rip)
        && !crate::arena::RANGE.contains(&(machine.rsp as usize))
        && !process::get().sites.is_stub(machine.rip)
}

/// Makes the program continue in its handler of `signal`, as if it had been interrupted here.
fn deliver_here(thread: &mut Thread, signal: i32, information: &Information, machine: &mut MachineContext) {
    let state = deliver::State { machine, vectors: None };
    let Some(entry) = deliver::push_frame(thread, signal, information, &state) else {
        process::die_by_signal(libc::SIGSEGV)
    };
    deliver::enter_from_context(machine, signal, &entry);
}

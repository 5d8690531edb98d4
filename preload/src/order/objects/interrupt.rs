//! Signals that come while a thread waits in an operation on an object.
//!
//! The thread sleeps in libc, in a futex call that is no event. Its handler runs there, as it would without us; the log
//! says during which operation. Replay runs it when it comes to that operation: what can wait is then still to be
//! waited for, and what the thread does not have it does not have there either. The handler runs on the program's stack, where
//! that is when it makes the operation.

use crate::signals::{deliver, fault};
use crate::thread::Thread;
use core::arch::global_asm;
use kmod_shim::arch::native::frame::Frame;

unsafe extern "C" {
    fn imitate_interrupt();
    static imitate_interrupted: u8;
}

// A place where replay comes into the dispatcher as a system call would, with the program's registers in a frame.
global_asm!(
    ".pushsection .text.imitate_interrupt, \"ax\", @progbits",
    ".hidden imitate_interrupt",
    ".globl imitate_interrupt",
    "imitate_interrupt:",
    "mov eax, {futex}",
    "lea rcx, [rip + imitate_interrupted]",
    "jmp imitate_entry",
    ".hidden imitate_interrupted",
    ".globl imitate_interrupted",
    "imitate_interrupted:",
    "ret",
    ".popsection",
    futex = const libc::SYS_futex,
);

/// Recording: runs the handlers of the signals that were put aside, if the thread may wait long for the operation that it is
/// about to make without a call of libc's.
pub fn record(thread: &mut Thread) {
    if thread.register.signals_pending != 0 && thread.pending.any(thread.blocked) {
        // SAFETY: as below.
        unsafe { imitate_interrupt() };
    }
}

/// Replay: runs the handlers of the signals that came during the operation that the thread is about to make.
pub fn replay(thread: &mut Thread) {
    while [fault::flags::IN_OPERATION, fault::flags::COMPUTING]
        .into_iter()
        .any(|place| deliver::comes_at(thread, place, thread.passes))
    {
        // SAFETY: it keeps what a called function keeps, and the dispatcher knows the place.
        unsafe { imitate_interrupt() };
    }
}

/// Whether a call comes from [`replay`].
pub fn is_call(rip: u64) -> bool {
    rip == &raw const imitate_interrupted as u64
}

/// Delivers what is due to a thread that is in an operation.
pub fn deliver(thread: &mut Thread, frame: &mut Frame) {
    deliver::in_operation(thread, frame);
}

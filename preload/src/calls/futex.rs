//! futex(2): how often it is called depends on who ran when, and with what, where threads run in parallel.

use crate::thread::Thread;
use kmod_shim::arch::native::frame::Frame;
use tracer_core::syscalls::Syscall;

/// Bits of the operation that say what is to be done (FUTEX_CMD_MASK).
const COMMAND: u64 = 0x7f;

/// Makes the call.
pub fn make(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    super::by_class(thread, frame, syscall);
    thread.progress.incidental += 1;
}

/// Makes a call, and if it is futex, without the arguments that its operation does not read. C++'s atomics call it by
/// `syscall`, which passes on whatever is in their registers, and that may depend on how long another function waited.
pub fn make_in_parallel(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if syscall.number as i64 != libc::SYS_futex {
        return super::make(thread, frame, syscall);
    }
    let rip = frame.rip;
    let own = [frame.r10, frame.r8, frame.r9];
    let read = arguments_read((frame.rsi & COMMAND) as i32);
    for (place, register) in [&mut frame.r10, &mut frame.r8, &mut frame.r9].into_iter().enumerate() {
        if read >> place & 1 == 0 {
            *register = 0;
        }
    }
    super::make(thread, frame, syscall);
    // Else a handler runs first: it has its own.
    if frame.rip == rip {
        [frame.r10, frame.r8, frame.r9] = own;
    }
}

/// Which of the last three arguments the kernel reads, the lowest bit for the fourth.
fn arguments_read(command: i32) -> u8 {
    match command {
        libc::FUTEX_WAIT | libc::FUTEX_LOCK_PI | libc::FUTEX_LOCK_PI2 => 0b001,
        libc::FUTEX_WAIT_BITSET => 0b101,
        libc::FUTEX_WAKE_BITSET => 0b100,
        libc::FUTEX_WAKE | libc::FUTEX_FD | libc::FUTEX_UNLOCK_PI | libc::FUTEX_TRYLOCK_PI => 0,
        libc::FUTEX_REQUEUE => 0b011,
        _ => 0b111,
    }
}

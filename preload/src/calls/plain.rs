//! Calls that only pass numbers: nothing to capture, nobody to wait for. They are worth a way of their own because
//! programs that make them in loops (getppid, in the benchmarks of every tracer) do little else.

use crate::thread::Thread;
use crate::{check, log, order, process};
use core::sync::atomic::{AtomicU64, Ordering};
use kmod_shim::arch::native::{frame::Frame, raw};
use tracer_core::session::Mode;
use tracer_core::syscalls::{self, Class, Syscall, Type};

/// Numbers below this one can be in the set.
const NUMBERS: u16 = 512;

/// One bit a number, filled in at start.
static SET: [AtomicU64; NUMBERS as usize / 64] = [const { AtomicU64::new(0) }; NUMBERS as usize / 64];

/// Finds out which calls these are.
pub fn initialise() {
    for syscall in (0..NUMBERS).filter_map(|number| syscalls::lookup(number as u64)) {
        let emulated = syscall.class == Class::Emulate && !syscall.blocks;
        if emulated && super::special(syscall.number as i64).is_none() && passes_numbers(syscall) {
            SET[syscall.number as usize / 64].fetch_or(1 << (syscall.number % 64), Ordering::Relaxed);
        }
    }
}

/// Whether no argument is an address, or a descriptor behind which there may be one.
fn passes_numbers(syscall: &Syscall) -> bool {
    syscall.arguments.iter().all(|argument| {
        matches!(
            argument.kind,
            Type::Int | Type::Unsigned | Type::Long | Type::Size | Type::Mode | Type::Named(_)
        )
    })
}

/// Whether this call is one of them.
#[inline]
pub fn is_plain(number: u16) -> bool {
    number < NUMBERS && SET[number as usize / 64].load(Ordering::Relaxed) >> (number % 64) & 1 == 1
}

/// Makes the call and logs it.
#[inline]
pub fn record(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    // SAFETY: it is the program's own call, and passes only numbers.
    let result = unsafe { raw::call(syscall.number as i64, arguments) };
    log::bare_call(thread, syscall, &arguments, result);
    frame.rax = result as u64;
}

/// The whole way of such a call if nothing is to be done but to record it, as is usual. False if there may be more to do;
/// then nothing has been done.
#[inline]
pub fn pass(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) -> bool {
    let process = process::get();
    let usual = is_plain(syscall.number)
        && process.mode == Mode::Record
        && process.threads == 1
        && !order::shares()
        && !process.filters.any()
        && thread.register.signals_pending == 0;
    if usual {
        thread.calls += 1;
        check::before_call(thread, frame);
        record(thread, frame, syscall);
    }
    usual
}

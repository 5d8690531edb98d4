//! Calls that only pass numbers: nothing to capture, nobody to wait for. They are worth a way of their own because
//! programs that make them in loops (getppid, in the benchmarks of every tracer) do little else.

use crate::thread::Thread;
use crate::{check, log, order, process};
use kmod_shim::arch::native::{frame::Frame, raw};
use tracer_core::session::Mode;
use tracer_core::syscalls::{Class, Syscall, Type, table};

/// Numbers below this one can be in the set.
const NUMBERS: u16 = 512;

/// One bit a number. A constant: working it out touches each row of the table, too much for a process's start.
static SET: [u64; NUMBERS as usize / 64] = set();

const fn set() -> [u64; NUMBERS as usize / 64] {
    let mut set = [0; NUMBERS as usize / 64];
    let mut row = 0;
    while row < table::INDEX.len() {
        let syscall = table::INDEX[row];
        let emulated = matches!(syscall.class, Class::Emulate) && !syscall.blocks;
        let special = super::special(syscall.number as i64).is_some();
        if syscall.number < NUMBERS && emulated && !special && passes_numbers(syscall) {
            set[syscall.number as usize / 64] |= 1 << (syscall.number % 64);
        }
        row += 1;
    }
    set
}

/// Whether no argument is an address, or a descriptor behind which there may be one.
const fn passes_numbers(syscall: &Syscall) -> bool {
    let mut at = 0;
    while at < syscall.arguments.len() {
        let number = matches!(
            syscall.arguments[at].kind,
            Type::Int | Type::Unsigned | Type::Long | Type::Size | Type::Mode | Type::Named(_)
        );
        if !number {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether this call is one of them.
#[inline]
pub fn is_plain(number: u16) -> bool {
    number < NUMBERS && SET[number as usize / 64] >> (number % 64) & 1 == 1
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
        && order::is_alone()
        && !process.filters.any()
        && thread.register.signals_pending == 0;
    if usual {
        thread.calls += 1;
        check::before_call(thread, frame);
        record(thread, frame, syscall);
    }
    usual
}

//! Calls that make, copy or close descriptors: ours are not there for the program, and we follow which of
//! its own are the recording's outputs.

use super::{decided, generic, refuse};
use crate::process;
use crate::thread::Thread;
use kmod_shim::arch::native::frame::Frame;
use tracer_core::session::Mode;
use tracer_core::syscalls::{self, Syscall};

const BAD_DESCRIPTOR: i64 = -(libc::EBADF as i64);

/// Whether `descriptor` is one of ours.
fn is_ours(descriptor: u64) -> bool {
    let process = process::get();
    let descriptor = descriptor as i32;
    descriptor >= 0 && (descriptor == process.memory || descriptor == process.socket)
}

/// close(2).
pub fn close(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if is_ours(frame.rdi) {
        return decided(thread, frame, syscall, |_, _| BAD_DESCRIPTOR);
    }
    let descriptor = frame.rdi as i32;
    process::get().files.forget(descriptor);
    process::get().outputs.close(descriptor);
    generic::emulate(thread, frame, syscall);
}

/// close_range(2): closes around ours.
pub fn close_range(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    const CLOSE_ON_EXEC: u64 = 4;
    let process = process::get();
    if process.mode == Mode::Replay {
        if frame.rdx & CLOSE_ON_EXEC == 0 {
            process.outputs.close_range(frame.rdi as u32 as usize, frame.rsi as u32 as usize);
        }
        return generic::emulate(thread, frame, syscall);
    }
    let arguments = frame.arguments();
    let (first, last) = (arguments[0] as u32 as u64, arguments[1] as u32 as u64);
    if arguments[2] & CLOSE_ON_EXEC == 0 && first <= last {
        process.files.forget_range(first as usize, last as usize);
        process.outputs.close_range(first as usize, last as usize);
    }
    let mut ours = [process.memory as u64, process.socket as u64];
    ours.sort_unstable();
    let mut result = 0;
    let mut from = first;
    for own in ours.into_iter().filter(|own| (first..=last).contains(own)).chain([last + 1]) {
        if from < own || own == last + 1 && from == first {
            // SAFETY: closes descriptors of the program, as it asked.
            result = unsafe {
                kmod_shim::arch::native::raw::call(
                    libc::SYS_close_range,
                    [from, own.wrapping_sub(1), arguments[2], 0, 0, 0],
                )
            };
            if result != 0 {
                break;
            }
        }
        from = own + 1;
    }
    super::conclude(thread, frame, syscall, &arguments, result, 0);
}

/// dup, dup2, dup3.
pub fn duplicate(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let to_target = syscall.number as i64 != libc::SYS_dup;
    if is_ours(frame.rdi) || to_target && is_ours(frame.rsi) {
        return decided(thread, frame, syscall, |_, _| BAD_DESCRIPTOR);
    }
    let original = frame.rdi as i32;
    generic::emulate(thread, frame, syscall);
    duplicated(original, frame.rax as i64);
}

fn duplicated(original: i32, copy: i64) {
    if copy >= 0 && original as i64 != copy {
        process::get().files.forget(copy as i32);
        process::get().outputs.duplicate(original, copy as i32);
    }
}

/// fcntl(2).
pub fn fcntl(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    if is_ours(frame.rdi) {
        return decided(thread, frame, syscall, |_, _| BAD_DESCRIPTOR);
    }
    let (descriptor, command) = (frame.rdi as i32, frame.rsi as i32);
    generic::emulate(thread, frame, syscall);
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        duplicated(descriptor, frame.rax as i64);
    }
}

/// sendfile, splice and the like move bytes that never are in the program's memory. To one of the recording's
/// outputs they are refused with EINVAL, which their callers answer by read and write (sendfile(2)): else
/// replay could not show the output.
pub fn transfer(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let target = syscalls::written_descriptor(syscall, &arguments);
    if target.is_some_and(|descriptor| process::get().outputs.flag(descriptor) != 0) {
        return refuse(thread, frame, syscall, libc::EINVAL, false);
    }
    generic::emulate(thread, frame, syscall);
}

//! Calls that give the program descriptors of what exists already, by name or in a message: that may be the
//! recording's stdout or stderr.

use super::generic;
use crate::thread::Thread;
use crate::{log, process};
use kmod_shim::arch::native::{frame::Frame, raw};
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

/// open, creat, openat, openat2. What cannot be written to needs no look.
pub fn open(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    if process::get().mode == Mode::Replay {
        return generic::emulate(thread, frame, syscall);
    }
    generic::record_after(thread, frame, syscall, |result| past_seal(syscall, &arguments, result));
    let descriptor = frame.rax as i64;
    if descriptor < 0 {
        return;
    }
    let flags = match syscall.number as i64 {
        libc::SYS_creat => libc::O_WRONLY as u64,
        libc::SYS_open => arguments[1],
        libc::SYS_openat => arguments[2],
        _ => log::read_value::<u64>(arguments[2]).unwrap_or(0),
    };
    if flags as i32 & libc::O_ACCMODE != libc::O_RDONLY {
        process::get().outputs.met(descriptor as i32);
    }
}

/// A program that opens a file for writing and does not want to wait would be told of the writer's lease
/// ([`crate::files`]), so it waits until the writer has given it back. Nothing but a lease gives this error.
fn past_seal(syscall: &Syscall, arguments: &[u64; 6], result: &mut i64) {
    let place = match syscall.number as i64 {
        libc::SYS_open => 1,
        libc::SYS_openat => 2,
        _ => return,
    };
    if *result != -(libc::EWOULDBLOCK as i64) {
        return;
    }
    let mut waiting = *arguments;
    waiting[place] &= !(libc::O_NONBLOCK as u64);
    // SAFETY: the program's own call but for one flag, and then that flag.
    unsafe {
        *result = raw::call(syscall.number as i64, waiting);
        if *result >= 0 {
            let flags = arguments[place] & !(libc::O_CREAT | libc::O_EXCL | libc::O_TRUNC) as u64;
            raw::call(libc::SYS_fcntl, [*result as u64, libc::F_SETFL as u64, flags, 0, 0, 0]);
        }
    }
}

/// recvmsg(2).
pub fn receive(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let header = frame.rsi;
    generic::emulate(thread, frame, syscall);
    if process::get().mode == Mode::Record && frame.rax as i64 >= 0 {
        for_each_descriptor(header, |descriptor| process::get().outputs.met(descriptor));
    }
}

/// The descriptors in the control messages that the kernel has put where the `msghdr` at `header` says.
fn for_each_descriptor(header: u64, mut meet: impl FnMut(i32)) {
    const HEADER: u64 = size_of::<libc::cmsghdr>() as u64;
    const DESCRIPTOR: u64 = size_of::<i32>() as u64;
    let field = |offset: usize| log::read_value::<u64>(header + offset as u64).unwrap_or(0);
    let control = field(core::mem::offset_of!(libc::msghdr, msg_control));
    let end = control.saturating_add(field(core::mem::offset_of!(libc::msghdr, msg_controllen)));
    let mut at = control;
    while at.saturating_add(HEADER) <= end {
        let Some([length, kind]) = log::read_value::<[u64; 2]>(at) else { return };
        if length < HEADER {
            return;
        }
        if kind == (libc::SCM_RIGHTS as u64) << 32 | libc::SOL_SOCKET as u64 {
            let rights = at + HEADER..at.saturating_add(length).min(end);
            for place in rights.step_by(DESCRIPTOR as usize) {
                log::read_value::<i32>(place).map(&mut meet);
            }
        }
        // CMSG_NXTHDR: headers are aligned to words.
        at = at.saturating_add(length.next_multiple_of(size_of::<u64>() as u64));
    }
}

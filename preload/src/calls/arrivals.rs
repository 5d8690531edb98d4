//! Calls that give the program descriptors of what exists already, by name or in a message: that may be the
//! recording's stdout or stderr.

use super::generic;
use crate::thread::Thread;
use crate::{log, process};
use kmod_shim::arch::native::frame::Frame;
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

/// open, creat, openat, openat2. What cannot be written to needs no look.
pub fn open(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    generic::emulate(thread, frame, syscall);
    let descriptor = frame.rax as i64;
    if process::get().mode == Mode::Replay || descriptor < 0 {
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

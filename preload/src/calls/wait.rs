//! wait4 and waitid: the log has what they reported; replay also waits for the child that really runs, so that
//! what the child writes comes before what its parent does next.

use super::generic;
use crate::process::{self, Child};
use crate::thread::Thread;
use crate::{divergence, kernel, log};
use kmod_shim::arch::native::frame::Frame;
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

const OPTION_STOPPED: u64 = 2;
const OPTION_CONTINUED: u64 = 8;
const OPTION_NO_REAP: u64 = 0x0100_0000;
/// Offset of `si_pid` in a siginfo_t of SIGCHLD.
const SENDER: u64 = 12;
/// Offset of `si_status`.
const STATUS: u64 = 24;
/// How often (at 20 ms) a child must be found with its stream used up before it is killed.
const PATIENCE: u32 = 10;
/// The bit of a wait status that says that a core was dumped; whether it is depends on limits.
const CORE_DUMPED: u32 = 0x80;

/// A child that the recording says has ended, and how if the program asked.
struct Ended {
    process: u32,
    status: Option<u32>,
}

/// wait4(2) and waitid(2).
pub fn wait(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    generic::emulate(thread, frame, syscall);
    if process::get().mode == Mode::Replay {
        let ended = match syscall.number as i64 {
            libc::SYS_wait4 => ended_by_wait4(&arguments, frame.rax as i64),
            _ => ended_by_waitid(&arguments, frame.rax as i64),
        };
        if let Some(recorded) = ended {
            reap(thread, recorded);
        }
    }
}

/// The child that a wait4 reported as ended.
fn ended_by_wait4(arguments: &[u64; 6], result: i64) -> Option<Ended> {
    if result <= 0 {
        return None;
    }
    let stopped_too = arguments[2] & (OPTION_STOPPED | OPTION_CONTINUED) != 0;
    let status = log::read_value::<u32>(arguments[1]);
    let ended = match status {
        Some(status) => status & 0xff != 0x7f && status != 0xffff,
        None => !stopped_too,
    };
    ended.then_some(Ended { process: result as u32, status })
}

/// The child that a waitid reported as ended.
fn ended_by_waitid(arguments: &[u64; 6], result: i64) -> Option<Ended> {
    const EXITED: i32 = 1;
    const ENDED: core::ops::RangeInclusive<i32> = 1..=3;
    if result != 0 || arguments[2] == 0 || arguments[3] & OPTION_NO_REAP != 0 {
        return None;
    }
    let code = log::read_value::<i32>(arguments[2] + 8)?;
    let child = log::read_value::<u32>(arguments[2] + SENDER)?;
    let value = log::read_value::<u32>(arguments[2] + STATUS)?;
    let status = match code {
        EXITED => (value & 0xff) << 8,
        _ => value & 0x7f,
    };
    (child != 0 && ENDED.contains(&code)).then_some(Ended { process: child, status: Some(status) })
}

/// Waits for the real child, and verifies that it ended as it did. One that was killed from outside in the
/// recording may run on in replay, with its stream used up: it is killed here.
fn reap(thread: &mut Thread, ended: Ended) {
    let children = &mut process::get().children;
    let Some(index) = children.iter().position(|child| child.recorded == ended.process) else { return };
    let child = children.swap_remove(index);
    let killed = ended.status.is_none_or(|status| status & 0x7f != 0);
    let mut exhausted = 0;
    let mut status = 0u32;
    loop {
        let options = (libc::WNOHANG | libc::__WALL) as u64;
        let arguments = [child.real as u64, &raw mut status as u64, options, 0, 0, 0];
        // SAFETY: the status is valid and writable.
        match unsafe { kernel::call(libc::SYS_wait4, arguments) } {
            Ok(0) | Err(libc::EINTR) => {}
            Ok(_) => break,
            Err(_) => return,
        }
        // Several looks: what it took last may still be on its way to the output.
        exhausted = if killed && process::is_exhausted(&process::control().slots[child.slot], child.real) {
            exhausted + 1
        } else {
            0
        };
        if exhausted == PATIENCE {
            // It is our child, not yet waited for, so the id is still its own.
            kernel::kill(child.real);
        }
        pause_for_child(&child);
    }
    if let Some(expected) = ended.status
        && exhausted < PATIENCE
        && !child.unrecorded()
        && !(killed && child.cut_short())
        && (expected ^ status) & !CORE_DUMPED != 0
    {
        divergence::other_end(thread, child.recorded, expected, status);
    }
}

/// Sleeps until the child has ended, at most 20 ms.
fn pause_for_child(child: &Child) {
    // SAFETY: pidfd_open touches no memory.
    let Ok(descriptor) = (unsafe { kernel::call(libc::SYS_pidfd_open, [child.real as u64, 0, 0, 0, 0, 0]) })
    else {
        return;
    };
    let mut poll = libc::pollfd { fd: descriptor as i32, events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    let _ = unsafe { kernel::call(libc::SYS_poll, [&raw mut poll as u64, 1, 20, 0, 0, 0]) };
    kernel::close(descriptor as i32);
}

//! arch_prctl and prctl: settings of the thread, some of which we need ourselves.

use super::{decided, generic, refuse};
use crate::log;
use crate::process;
use crate::thread::Thread;
use core::sync::atomic::{AtomicBool, Ordering};
use kmod_shim::arch::native::frame::Frame;
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

const ARCH_SET_GS: u64 = 0x1001;
const ARCH_SET_FS: u64 = 0x1002;
const ARCH_GET_FS: u64 = 0x1003;
const ARCH_GET_GS: u64 = 0x1004;
const ARCH_GET_CPUID: u64 = 0x1011;
const ARCH_SET_CPUID: u64 = 0x1012;

const PR_SET_NAME: u64 = 15;
const PR_SET_SECCOMP: u64 = 22;
const PR_GET_SECCOMP: u64 = 21;
const PR_GET_TSC: u64 = 25;
const PR_SET_TSC: u64 = 26;
const PR_GET_TID_ADDRESS: u64 = 40;
const PR_SET_SYSCALL_USER_DISPATCH: u64 = 59;

/// Whether the program itself wants time stamps to fault (PR_TSC_SIGSEGV).
static PROGRAM_TRAPS_TIME_STAMPS: AtomicBool = AtomicBool::new(false);

/// arch_prctl(2): fs is the program's, gs and cpuid faulting are ours.
pub fn arch_prctl(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    match frame.rdi {
        ARCH_SET_FS | ARCH_GET_FS => generic::execute(thread, frame, syscall),
        ARCH_SET_GS => refuse(thread, frame, syscall, libc::EPERM, true),
        ARCH_GET_GS => {
            decided(thread, frame, syscall, |_, arguments| write_word(arguments[1], &0u64.to_le_bytes()))
        }
        ARCH_GET_CPUID => decided(thread, frame, syscall, |_, _| 1),
        ARCH_SET_CPUID => refuse(thread, frame, syscall, libc::ENODEV, false),
        _ => super::by_class(thread, frame, syscall),
    }
}

fn write_word(address: u64, bytes: &[u8]) -> i64 {
    if log::write_program(address, bytes) { 0 } else { -(libc::EFAULT as i64) }
}

/// prctl(2).
pub fn prctl(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    match frame.rdi {
        // The name is what ps and gdb show, so replay sets it too; it is logged for `imitate ps`.
        PR_SET_NAME => {
            if process::get().mode == Mode::Record {
                log::push_inputs(thread, syscall, &frame.arguments(), 0);
            }
            generic::execute(thread, frame, syscall);
        }
        PR_SET_SECCOMP => super::seccomp::from_prctl(thread, frame, syscall),
        PR_GET_SECCOMP => decided(thread, frame, syscall, |_, _| process::get().filters.mode()),
        PR_GET_TSC => decided(thread, frame, syscall, |_, arguments| {
            let setting = 1 + PROGRAM_TRAPS_TIME_STAMPS.load(Ordering::Relaxed) as u32;
            write_word(arguments[1], &setting.to_le_bytes())
        }),
        PR_SET_TSC => decided(thread, frame, syscall, |_, arguments| {
            PROGRAM_TRAPS_TIME_STAMPS.store(arguments[1] == 2, Ordering::Relaxed);
            if matches!(arguments[1], 1 | 2) { 0 } else { -(libc::EINVAL as i64) }
        }),
        // The kernel has been told of a word of ours instead, but by first threads.
        PR_GET_TID_ADDRESS if thread.alive.load(Ordering::Relaxed) != 0 => {
            decided(thread, frame, syscall, |thread, arguments| {
                write_word(arguments[1], &thread.clear_tid.to_le_bytes())
            })
        }
        PR_SET_SYSCALL_USER_DISPATCH => refuse(thread, frame, syscall, libc::EINVAL, true),
        _ => super::by_class(thread, frame, syscall),
    }
}

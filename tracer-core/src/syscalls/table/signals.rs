//! Calls about signals.

use super::super::Class::{Emulate, Special};
use super::super::Syscall;
use super::super::kind::Type::*;
use super::super::names::{events, process};
use super::super::shorthand::{reads, reads_signals, writes, writes_signals};
use super::super::structures::{SIGACTION, SIGINFO, SIGNAL_STACK, TIMESPEC};
use super::rows;

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    13 rt_sigaction Special =>
        (signum: Signal, act: reads(&SIGACTION), oldact: writes(&SIGACTION), sigsetsize: Size);
    14 rt_sigprocmask Special =>
        (how: Named(&process::MASK_HOW), set: reads_signals(3), oldset: writes_signals(3), sigsetsize: Size);
    15 rt_sigreturn Special => ();
    131 sigaltstack Special => (ss: reads(&SIGNAL_STACK), old_ss: writes(&SIGNAL_STACK));
    130 rt_sigsuspend Special => (mask: reads_signals(1), sigsetsize: Size) blocks Never;
    127 rt_sigpending Emulate => (set: writes_signals(1), sigsetsize: Size);
    128 rt_sigtimedwait Emulate =>
        (set: reads_signals(3), info: writes(&SIGINFO), timeout: reads(&TIMESPEC), sigsetsize: Size)
        blocks Never;
    34 pause Emulate => () blocks Never;
    62 kill Special => (pid: Int, sig: Signal);
    200 tkill Special => (tid: Int, sig: Signal);
    234 tgkill Special => (tgid: Int, tid: Int, sig: Signal);
    129 rt_sigqueueinfo Special => (tgid: Int, sig: Signal, info: reads(&SIGINFO));
    297 rt_tgsigqueueinfo Special => (tgid: Int, tid: Int, sig: Signal, info: reads(&SIGINFO));
    424 pidfd_send_signal Special => (pidfd: Descriptor, sig: Signal, info: reads(&SIGINFO), flags: Hex);
    282 signalfd Emulate => (fd: Descriptor, mask: reads_signals(2), sizemask: Size);
    289 signalfd4 Emulate =>
        (fd: Descriptor, mask: reads_signals(2), sizemask: Size, flags: Named(&events::SIGNAL_FILE));
    // Made by the kernel itself, after a stop, in place of a call that was sleeping.
    219 restart_syscall Emulate => () blocks Never;
};

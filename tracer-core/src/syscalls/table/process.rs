//! Calls about processes and threads, their scheduling and their limits.

use super::super::Class::{Emulate, Refuse, RefuseQuietly, Special};
use super::super::Syscall;
use super::super::commands::process as commands;
use super::super::kind::Direction::Out;
use super::super::kind::Type::{self, *};
use super::super::kind::When;
use super::super::layout::Layout;
use super::super::names::{files, process};
use super::super::shorthand::{
    reads, reads_items, result_bytes, updates, writes, writes_bytes, writes_int, writes_items, writes_word,
};
use super::super::structures::{
    CLONE_ARGUMENTS, RLIMIT, RUSAGE, SCHEDULER_ATTRIBUTES, SCHEDULER_PARAMETERS, SIGINFO, TIMESPEC,
};
use super::rows;

/// waitid writes si_signo to si_status and leaves the rest of the siginfo_t alone, also after errors.
const WAITED: Type = writes_bytes(28).shown(Layout::Structure(&SIGINFO)).when(When::Always);

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    56 clone Special =>
        (flags: Named(&process::CLONE), stack: Pointer, parent_tid: Pointer, child_tid: Pointer,
         tls: Pointer);
    435 clone3 Special => (cl_args: reads_items(1, 1).shown(Layout::Structure(&CLONE_ARGUMENTS)), size: Size);
    57 fork Special => ();
    58 vfork Special => ();
    59 execve Special => (pathname: Path, argv: Strings, envp: Strings);
    322 execveat Special =>
        (dirfd: DirectoryDescriptor, pathname: Path, argv: Strings, envp: Strings,
         flags: Named(&files::AT));
    60 exit Special => (status: Int);
    231 exit_group Special => (status: Int);
    61 wait4 Special =>
        (pid: Int, wstatus: writes_int().shown(Layout::WaitStatus).when(When::Positive),
         options: Named(&process::WAIT), rusage: writes(&RUSAGE).when(When::Positive)) blocks Always;
    247 waitid Special =>
        (idtype: Named(&process::WAIT_WHICH), id: Int, infop: WAITED, options: Named(&process::WAIT),
         rusage: writes(&RUSAGE).when(When::Perhaps)) blocks Always;
    218 set_tid_address Special => (tidptr: Pointer);
    273 set_robust_list Special => (head: Pointer, len: Size);
    274 get_robust_list Emulate => (pid: Int, head_ptr: writes_word(), len_ptr: writes_word());
    334 rseq RefuseQuietly(libc::ENOSYS) => (rseq: Pointer, rseq_len: Unsigned, flags: Hex, sig: Hex);
    157 prctl Special =>
        (op: Command(&commands::PRCTL), arg2: ByCommand(&commands::PRCTL), arg3: ByCommand(&commands::PRCTL),
         arg4: ByCommand(&commands::PRCTL), arg5: ByCommand(&commands::PRCTL));
    158 arch_prctl Special =>
        (op: Command(&commands::ARCH_PRCTL), addr: ByCommand(&commands::ARCH_PRCTL));
    135 personality Special => (persona: Named(&process::PERSONALITY));
    317 seccomp Special =>
        (operation: Command(&commands::SECCOMP), flags: Hex, args: ByCommand(&commands::SECCOMP));
    205 set_thread_area RefuseQuietly(libc::ENOSYS) => (u_info: Pointer);
    211 get_thread_area RefuseQuietly(libc::ENOSYS) => (u_info: Pointer);

    39 getpid Emulate => ();
    186 gettid Emulate => ();
    110 getppid Emulate => ();
    109 setpgid Emulate => (pid: Int, pgid: Int);
    111 getpgrp Emulate => ();
    121 getpgid Emulate => (pid: Int);
    112 setsid Emulate => ();
    124 getsid Emulate => (pid: Int);
    272 unshare Emulate => (flags: Named(&process::NAMESPACE));
    308 setns Emulate => (fd: Descriptor, nstype: Named(&process::NAMESPACE));
    434 pidfd_open Emulate => (pid: Int, flags: Named(&process::PIDFD));
    438 pidfd_getfd Emulate => (pidfd: Descriptor, targetfd: Int, flags: Hex);
    312 kcmp Emulate => (pid1: Int, pid2: Int, type: Named(&process::COMPARE), idx1: Size, idx2: Size);
    310 process_vm_readv Emulate =>
        (pid: Int, local_iov: Vector(Out), liovcnt: Size, remote_iov: reads_items(4, 16), riovcnt: Size,
         flags: Hex);
    311 process_vm_writev Refuse(libc::EPERM) =>
        (pid: Int, local_iov: Pointer, liovcnt: Size, remote_iov: Pointer, riovcnt: Size, flags: Hex);
    101 ptrace Refuse(libc::EPERM) => (op: Int, pid: Int, addr: Pointer, data: Pointer);

    24 sched_yield Emulate => ();
    140 getpriority Emulate => (which: Named(&process::PRIORITY), who: Int);
    141 setpriority Emulate => (which: Named(&process::PRIORITY), who: Int, prio: Int);
    142 sched_setparam Emulate => (pid: Int, param: reads(&SCHEDULER_PARAMETERS));
    143 sched_getparam Emulate => (pid: Int, param: writes(&SCHEDULER_PARAMETERS));
    144 sched_setscheduler Emulate =>
        (pid: Int, policy: Named(&process::SCHEDULER), param: reads(&SCHEDULER_PARAMETERS));
    145 sched_getscheduler Emulate => (pid: Int);
    146 sched_get_priority_max Emulate => (policy: Named(&process::SCHEDULER));
    147 sched_get_priority_min Emulate => (policy: Named(&process::SCHEDULER));
    148 sched_rr_get_interval Emulate => (pid: Int, tp: writes(&TIMESPEC));
    203 sched_setaffinity Emulate =>
        (pid: Int, cpusetsize: Unsigned, mask: reads_items(1, 1).shown(Layout::Words));
    204 sched_getaffinity Emulate =>
        (pid: Int, cpusetsize: Unsigned, mask: result_bytes(1).shown(Layout::Words));
    // Of a structure that is too new, the kernel answers the size that it knows.
    314 sched_setattr Emulate =>
        (pid: Int, attr: updates(&SCHEDULER_ATTRIBUTES).when(When::Error(libc::E2BIG)), flags: Hex);
    315 sched_getattr Emulate =>
        (pid: Int, attr: writes_items(2, 1).shown(Layout::Structure(&SCHEDULER_ATTRIBUTES))
             .when(When::Perhaps),
         size: Unsigned, flags: Hex);
    251 ioprio_set Emulate => (which: Int, who: Int, ioprio: Hex);
    252 ioprio_get Emulate => (which: Int, who: Int);
    309 getcpu Emulate => (cpu: writes_int(), node: writes_int(), tcache: Pointer);

    // A larger RLIMIT_STACK must hold in replay too, or the stack could not grow as it did.
    160 setrlimit Special => (resource: Named(&process::LIMIT), rlim: reads(&RLIMIT));
    302 prlimit64 Special =>
        (pid: Int, resource: Named(&process::LIMIT), new_limit: reads(&RLIMIT), old_limit: writes(&RLIMIT));
    97 getrlimit Emulate => (resource: Named(&process::LIMIT), rlim: writes(&RLIMIT));
    98 getrusage Emulate => (who: Named(&process::USAGE), usage: writes(&RUSAGE));
};

//! Names in calls about processes, threads and the system.

use super::{NameSet, choices, flags};

/// `clone` (the low byte is the signal at its end).
pub static CLONE: NameSet = flags!(0xff [SIGCHLD = 17]
    CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_PIDFD, CLONE_PTRACE, CLONE_VFORK, CLONE_PARENT,
    CLONE_THREAD, CLONE_NEWNS, CLONE_SYSVSEM, CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID,
    CLONE_DETACHED, CLONE_UNTRACED, CLONE_CHILD_SETTID, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
    CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_IO);

/// `unshare` and `setns`.
pub static NAMESPACE: NameSet = flags!(
    CLONE_NEWTIME = 0x80,
    CLONE_FS,
    CLONE_FILES,
    CLONE_NEWNS,
    CLONE_SYSVSEM,
    CLONE_NEWCGROUP,
    CLONE_NEWUTS,
    CLONE_NEWIPC,
    CLONE_NEWUSER,
    CLONE_NEWPID,
    CLONE_NEWNET,
    CLONE_VM,
    CLONE_SIGHAND,
    CLONE_THREAD
);

/// `wait4` and `waitid`.
pub static WAIT: NameSet =
    flags!(WNOHANG, WUNTRACED, WEXITED, WCONTINUED, WNOWAIT, __WNOTHREAD, __WALL, __WCLONE);

/// `waitid`'s kind of identity.
pub static WAIT_WHICH: NameSet = choices!(P_ALL, P_PID, P_PGID, P_PIDFD);

/// `getrlimit`.
pub static LIMIT: NameSet = choices!(
    RLIMIT_CPU,
    RLIMIT_FSIZE,
    RLIMIT_DATA,
    RLIMIT_STACK,
    RLIMIT_CORE,
    RLIMIT_RSS,
    RLIMIT_NPROC,
    RLIMIT_NOFILE,
    RLIMIT_MEMLOCK,
    RLIMIT_AS,
    RLIMIT_LOCKS,
    RLIMIT_SIGPENDING,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_RTPRIO,
    RLIMIT_RTTIME
);

/// `getrusage`.
pub static USAGE: NameSet = choices!(RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_THREAD);

/// `getpriority`.
pub static PRIORITY: NameSet = choices!(PRIO_PROCESS, PRIO_PGRP, PRIO_USER);

/// `sched_setscheduler`.
pub static SCHEDULER: NameSet = flags!(0xff [SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE,
    SCHED_DEADLINE, SCHED_EXT = 7] SCHED_RESET_ON_FORK);

/// `arch_prctl`.
pub static ARCHITECTURE: NameSet = choices!(
    ARCH_SET_GS = 0x1001,
    ARCH_SET_FS = 0x1002,
    ARCH_GET_FS = 0x1003,
    ARCH_GET_GS = 0x1004,
    ARCH_GET_CPUID = 0x1011,
    ARCH_SET_CPUID = 0x1012,
    ARCH_GET_XCOMP_SUPP = 0x1021,
    ARCH_GET_XCOMP_PERM = 0x1022,
    ARCH_REQ_XCOMP_PERM = 0x1023,
    ARCH_GET_XCOMP_GUEST_PERM = 0x1024,
    ARCH_REQ_XCOMP_GUEST_PERM = 0x1025,
    ARCH_MAP_VDSO_X32 = 0x2001,
    ARCH_MAP_VDSO_32 = 0x2002,
    ARCH_MAP_VDSO_64 = 0x2003,
    ARCH_GET_UNTAG_MASK = 0x4001,
    ARCH_ENABLE_TAGGED_ADDR = 0x4002,
    ARCH_GET_MAX_TAG_BITS = 0x4003,
    ARCH_SHSTK_ENABLE = 0x5001,
    ARCH_SHSTK_DISABLE = 0x5002,
    ARCH_SHSTK_LOCK = 0x5003,
    ARCH_SHSTK_UNLOCK = 0x5004,
    ARCH_SHSTK_STATUS = 0x5005
);

/// `personality`.
pub static PERSONALITY: NameSet = flags!(0xff [PER_LINUX = 0, PER_LINUX32 = 8]
    UNAME26, ADDR_NO_RANDOMIZE, FDPIC_FUNCPTRS, MMAP_PAGE_ZERO, ADDR_COMPAT_LAYOUT, READ_IMPLIES_EXEC,
    ADDR_LIMIT_32BIT, SHORT_INODE, WHOLE_SECONDS, STICKY_TIMEOUTS, ADDR_LIMIT_3GB);

/// `seccomp`'s operation.
pub static SECCOMP: NameSet = choices!(
    SECCOMP_SET_MODE_STRICT,
    SECCOMP_SET_MODE_FILTER,
    SECCOMP_GET_ACTION_AVAIL,
    SECCOMP_GET_NOTIF_SIZES
);

/// `rt_sigprocmask`.
pub static MASK_HOW: NameSet = choices!(SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK);

/// `sa_flags`.
pub static ACTION: NameSet = flags!(
    SA_NOCLDSTOP,
    SA_NOCLDWAIT,
    SA_SIGINFO,
    SA_ONSTACK,
    SA_RESTART,
    SA_NODEFER,
    SA_RESETHAND = 0x8000_0000,
    SA_RESTORER = 0x0400_0000
);

/// `ss_flags` of `sigaltstack`.
pub static STACK: NameSet = flags!(SS_ONSTACK, SS_DISABLE, SS_AUTODISARM = 0x8000_0000);

/// `getrandom`.
pub static RANDOM: NameSet = flags!(GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE);

/// `kcmp`.
pub static COMPARE: NameSet = choices!(
    KCMP_FILE = 0,
    KCMP_VM = 1,
    KCMP_FILES = 2,
    KCMP_FS = 3,
    KCMP_SIGHAND = 4,
    KCMP_IO = 5,
    KCMP_SYSVSEM = 6,
    KCMP_EPOLL_TFD = 7
);

/// `pidfd_open`.
pub static PIDFD: NameSet = flags!(PIDFD_NONBLOCK, PIDFD_THREAD);

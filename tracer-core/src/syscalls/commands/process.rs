//! The commands of `prctl`, `arch_prctl`, `seccomp` and `madvise`.

use super::super::kind::{Type, When};
use super::super::layout::Layout;
use super::super::shorthand::{reads, result_bytes, writes_bytes, writes_int, writes_word};
use super::super::structures::FILTER_PROGRAM;
use super::{Class, CommandSet, commands};
use Class::{Emulate, Execute, Refuse, RefuseQuietly, Special};

/// `prctl(op, arg2, arg3, arg4, arg5)`.
pub static PRCTL: CommandSet = CommandSet {
    selector: 0,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Hex,
    commands: commands! {
        PR_SET_PDEATHSIG = 1, (1: Type::Signal), class Emulate;
        PR_GET_PDEATHSIG = 2, (1: writes_int()), class Emulate;
        PR_GET_DUMPABLE = 3, class Emulate;
        PR_SET_DUMPABLE = 4, (1: Type::Hex), class Emulate;
        PR_GET_UNALIGN = 5, (1: writes_int()), class Emulate;
        PR_SET_UNALIGN = 6, (1: Type::Hex), class Emulate;
        PR_GET_KEEPCAPS = 7, class Emulate;
        PR_SET_KEEPCAPS = 8, (1: Type::Hex), class Emulate;
        PR_GET_FPEMU = 9, (1: writes_int()), class Emulate;
        PR_SET_FPEMU = 10, (1: Type::Hex), class Emulate;
        PR_GET_FPEXC = 11, (1: writes_int()), class Emulate;
        PR_SET_FPEXC = 12, (1: Type::Hex), class Emulate;
        PR_GET_TIMING = 13, class Emulate;
        PR_SET_TIMING = 14, (1: Type::Hex), class Emulate;
        // Executed, so that debuggers and top show a replayed thread by its name.
        PR_SET_NAME = 15, (1: Type::Path), class Execute;
        PR_GET_NAME = 16, (1: writes_bytes(16).shown(Layout::Text)), class Emulate;
        PR_GET_ENDIAN = 19, (1: writes_int()), class Emulate;
        PR_SET_ENDIAN = 20, (1: Type::Hex), class Emulate;
        PR_GET_SECCOMP = 21, class Special;
        PR_SET_SECCOMP = 22, (2: reads(&FILTER_PROGRAM)), class Special;
        PR_CAPBSET_READ = 23, (1: Type::Hex), class Emulate;
        PR_CAPBSET_DROP = 24, (1: Type::Hex), class Emulate;
        PR_GET_TSC = 25, (1: writes_int()), class Special;
        PR_SET_TSC = 26, (1: Type::Hex), class Special;
        PR_GET_SECUREBITS = 27, class Emulate;
        PR_SET_SECUREBITS = 28, (1: Type::Hex), class Emulate;
        PR_SET_TIMERSLACK = 29, (1: Type::Hex), class Emulate;
        PR_GET_TIMERSLACK = 30, class Emulate;
        PR_TASK_PERF_EVENTS_DISABLE = 31, class Emulate;
        PR_TASK_PERF_EVENTS_ENABLE = 32, class Emulate;
        PR_MCE_KILL = 33, (1: Type::Hex, 2: Type::Hex), class Emulate;
        PR_MCE_KILL_GET = 34, class Emulate;
        // Moves brk, the stack and the auxiliary vector as the kernel knows them.
        PR_SET_MM = 35, (1: Type::Hex, 2: Type::Hex), class Refuse(libc::EPERM);
        PR_SET_CHILD_SUBREAPER = 36, (1: Type::Hex), class Emulate;
        PR_GET_CHILD_SUBREAPER = 37, (1: writes_int()), class Emulate;
        PR_SET_NO_NEW_PRIVS = 38, (1: Type::Hex), class Emulate;
        PR_GET_NO_NEW_PRIVS = 39, class Emulate;
        PR_GET_TID_ADDRESS = 40, (1: writes_word()), class Emulate;
        PR_SET_THP_DISABLE = 41, (1: Type::Hex), class Execute;
        PR_GET_THP_DISABLE = 42, class Emulate;
        PR_MPX_ENABLE_MANAGEMENT = 43, class RefuseQuietly(libc::EINVAL);
        PR_MPX_DISABLE_MANAGEMENT = 44, class RefuseQuietly(libc::EINVAL);
        PR_SET_FP_MODE = 45, (1: Type::Hex), class Emulate;
        PR_GET_FP_MODE = 46, class Emulate;
        PR_CAP_AMBIENT = 47, (1: Type::Hex, 2: Type::Hex), class Emulate;
        PR_SVE_SET_VL = 50, class Emulate;
        PR_SVE_GET_VL = 51, class Emulate;
        PR_GET_SPECULATION_CTRL = 52, class Emulate;
        PR_SET_SPECULATION_CTRL = 53, (1: Type::Hex, 2: Type::Hex), class Emulate;
        PR_PAC_RESET_KEYS = 54, class Emulate;
        PR_SET_TAGGED_ADDR_CTRL = 55, (1: Type::Hex), class Emulate;
        PR_GET_TAGGED_ADDR_CTRL = 56, class Emulate;
        PR_SET_IO_FLUSHER = 57, (1: Type::Hex), class Emulate;
        PR_GET_IO_FLUSHER = 58, class Emulate;
        PR_SET_SYSCALL_USER_DISPATCH = 59,
            (1: Type::Int, 2: Type::Pointer, 3: Type::Size, 4: Type::Pointer), class Special;
        PR_PAC_SET_ENABLED_KEYS = 60, class Emulate;
        PR_PAC_GET_ENABLED_KEYS = 61, class Emulate;
        // Only PR_SCHED_CORE_GET writes.
        PR_SCHED_CORE = 62,
            (1: Type::Int, 2: Type::Int, 3: Type::Int, 4: writes_word().when(When::Perhaps)), class Emulate;
        PR_SME_SET_VL = 63, class Emulate;
        PR_SME_GET_VL = 64, class Emulate;
        // Would forbid the mappings and the protections that rewriting code needs.
        PR_SET_MDWE = 65, (1: Type::Hex), class Special;
        PR_GET_MDWE = 66, class Special;
        PR_SET_MEMORY_MERGE = 67, (1: Type::Hex), class Emulate;
        PR_GET_MEMORY_MERGE = 68, class Emulate;
        PR_GET_SHADOW_STACK_STATUS = 74, (1: writes_word()), class Emulate;
        PR_SET_SHADOW_STACK_STATUS = 75, (1: Type::Hex), class RefuseQuietly(libc::EINVAL);
        PR_LOCK_SHADOW_STACK_STATUS = 76, class RefuseQuietly(libc::EINVAL);
        PR_TIMER_CREATE_RESTORE_IDS = 77, (1: Type::Hex), class Emulate;
        PR_FUTEX_HASH = 78, (1: Type::Hex, 2: Type::Hex), class Emulate;
        PR_GET_AUXV = 0x4155_5856, (1: result_bytes(2), 2: Type::Size), class Emulate;
        PR_SET_VMA = 0x5356_4d41,
            (1: Type::Int, 2: Type::Pointer, 3: Type::Size, 4: Type::Path), class Emulate;
        PR_SET_PTRACER = 0x5961_6d61, (1: Type::Hex), class Emulate;
    },
};

/// `arch_prctl(op, addr)`.
pub static ARCH_PRCTL: CommandSet = CommandSet {
    selector: 0,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Hex,
    commands: commands! {
        ARCH_SET_GS = 0x1001, (1: Type::Pointer), class Execute;
        ARCH_SET_FS = 0x1002, (1: Type::Pointer);
        ARCH_GET_FS = 0x1003, (1: writes_word());
        ARCH_GET_GS = 0x1004, (1: writes_word()), class Execute;
        ARCH_GET_CPUID = 0x1011;
        ARCH_SET_CPUID = 0x1012;
        ARCH_GET_XCOMP_SUPP = 0x1021, (1: writes_word()), class Emulate;
        ARCH_GET_XCOMP_PERM = 0x1022, (1: writes_word()), class Emulate;
        ARCH_REQ_XCOMP_PERM = 0x1023, class Execute;
        ARCH_GET_XCOMP_GUEST_PERM = 0x1024, (1: writes_word()), class Emulate;
        ARCH_REQ_XCOMP_GUEST_PERM = 0x1025, class Execute;
        ARCH_MAP_VDSO_X32 = 0x2001, class Refuse(libc::EINVAL);
        ARCH_MAP_VDSO_32 = 0x2002, class Refuse(libc::EINVAL);
        ARCH_MAP_VDSO_64 = 0x2003, class Refuse(libc::EINVAL);
        ARCH_GET_UNTAG_MASK = 0x4001, (1: writes_word()), class Emulate;
        ARCH_ENABLE_TAGGED_ADDR = 0x4002, class Execute;
        ARCH_GET_MAX_TAG_BITS = 0x4003, (1: writes_word()), class Emulate;
        // A shadow stack would fault at the first return through a rewritten call.
        ARCH_SHSTK_ENABLE = 0x5001, class RefuseQuietly(libc::EOPNOTSUPP);
        ARCH_SHSTK_DISABLE = 0x5002, class RefuseQuietly(libc::EOPNOTSUPP);
        ARCH_SHSTK_LOCK = 0x5003, class RefuseQuietly(libc::EOPNOTSUPP);
        ARCH_SHSTK_UNLOCK = 0x5004, class RefuseQuietly(libc::EOPNOTSUPP);
        ARCH_SHSTK_STATUS = 0x5005, (1: writes_word()), class RefuseQuietly(libc::EOPNOTSUPP);
    },
};

/// `seccomp(operation, flags, args)`.
pub static SECCOMP: CommandSet = CommandSet {
    selector: 0,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Pointer,
    commands: commands! {
        SECCOMP_SET_MODE_STRICT = 0;
        SECCOMP_SET_MODE_FILTER = 1, (2: reads(&FILTER_PROGRAM));
        SECCOMP_GET_ACTION_AVAIL = 2, (2: Type::Pointer), class Emulate;
        SECCOMP_GET_NOTIF_SIZES = 3, (2: writes_bytes(6)), class Emulate;
    },
};

/// `madvise(addr, length, advice)`: only the advice matters.
pub static MADVISE: CommandSet = CommandSet {
    selector: 2,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Hex,
    commands: commands! {
        MADV_NORMAL = 0;
        MADV_RANDOM = 1;
        MADV_SEQUENTIAL = 2;
        MADV_WILLNEED = 3;
        MADV_DONTNEED = 4;
        // The kernel may or may not zero the pages, whenever it likes. Allocators use MADV_DONTNEED instead
        // on kernels that don't know it.
        MADV_FREE = 8, class RefuseQuietly(libc::EINVAL);
        MADV_REMOVE = 9;
        MADV_DONTFORK = 10;
        MADV_DOFORK = 11;
        MADV_MERGEABLE = 12, class Emulate;
        MADV_UNMERGEABLE = 13, class Emulate;
        MADV_HUGEPAGE = 14;
        MADV_NOHUGEPAGE = 15;
        MADV_DONTDUMP = 16;
        MADV_DODUMP = 17;
        MADV_WIPEONFORK = 18;
        MADV_KEEPONFORK = 19;
        MADV_COLD = 20, class Emulate;
        MADV_PAGEOUT = 21, class Emulate;
        MADV_POPULATE_READ = 22;
        MADV_POPULATE_WRITE = 23;
        MADV_DONTNEED_LOCKED = 24;
        // Whether huge pages are to be had is the machine's affair.
        MADV_COLLAPSE = 25, class Emulate;
        MADV_HWPOISON = 100, class Refuse(libc::EPERM);
        MADV_SOFT_OFFLINE = 101, class Refuse(libc::EPERM);
        MADV_GUARD_INSTALL = 102;
        MADV_GUARD_REMOVE = 103;
    },
};

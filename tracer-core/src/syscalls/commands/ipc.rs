//! The commands of `futex` and of System V IPC.

use super::super::kind::{Type, When};
use super::super::shorthand::{reads, reads_bytes, updates_int, writes_bytes};
use super::super::structures::TIMESPEC;
use super::{Class, CommandSet, commands};

/// A futex word that the kernel itself writes, whatever comes of the call: a waiter that times out has set
/// FUTEX_WAITERS.
const WORD: Type = updates_int().when(When::Always);

/// `futex(uaddr, op, val, timeout or val2, uaddr2, val3)`.
pub static FUTEX: CommandSet = CommandSet {
    selector: 1,
    mask: 0x7f,
    shift: 0,
    flags: &[(0x80, "FUTEX_PRIVATE_FLAG"), (0x100, "FUTEX_CLOCK_REALTIME")],
    otherwise: &Type::Hex,
    commands: commands! {
        FUTEX_WAIT = 0, (0: Type::Pointer, 3: reads(&TIMESPEC)), blocks Untimed;
        FUTEX_WAKE = 1, (0: Type::Pointer);
        FUTEX_FD = 2, (0: Type::Pointer);
        FUTEX_REQUEUE = 3, (0: Type::Pointer, 3: Type::Int, 4: Type::Pointer);
        FUTEX_CMP_REQUEUE = 4, (0: Type::Pointer, 3: Type::Int, 4: Type::Pointer, 5: Type::Hex);
        FUTEX_WAKE_OP = 5, (0: Type::Pointer, 3: Type::Int, 4: WORD, 5: Type::Hex);
        FUTEX_LOCK_PI = 6, (0: WORD, 3: reads(&TIMESPEC)), blocks Unconditionally;
        FUTEX_UNLOCK_PI = 7, (0: WORD);
        FUTEX_TRYLOCK_PI = 8, (0: WORD);
        FUTEX_WAIT_BITSET = 9, (0: Type::Pointer, 3: reads(&TIMESPEC), 5: Type::Hex), blocks Untimed;
        FUTEX_WAKE_BITSET = 10, (0: Type::Pointer, 5: Type::Hex);
        FUTEX_WAIT_REQUEUE_PI = 11, (0: Type::Pointer, 3: reads(&TIMESPEC), 4: WORD), blocks Unconditionally;
        FUTEX_CMP_REQUEUE_PI = 12, (0: Type::Pointer, 3: Type::Int, 4: WORD, 5: Type::Hex);
        FUTEX_LOCK_PI2 = 13, (0: WORD, 3: reads(&TIMESPEC)), blocks Unconditionally;
    },
};

/// `shmctl(shmid, cmd, buf)`.
pub static SHMCTL: CommandSet = CommandSet {
    selector: 1,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Pointer,
    commands: commands! {
        IPC_RMID = 0;
        IPC_SET = 1, (2: reads_bytes(112));
        IPC_STAT = 2, (2: writes_bytes(112));
        IPC_INFO = 3, (2: writes_bytes(72));
        SHM_LOCK = 11;
        SHM_UNLOCK = 12;
        SHM_STAT = 13, (2: writes_bytes(112));
        SHM_INFO = 14, (2: writes_bytes(48));
        SHM_STAT_ANY = 15, (2: writes_bytes(112));
    },
};

/// `semctl(semid, semnum, cmd, arg)`.
pub static SEMCTL: CommandSet = CommandSet {
    selector: 2,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Hex,
    commands: commands! {
        IPC_RMID = 0;
        IPC_SET = 1, (3: reads_bytes(104));
        IPC_STAT = 2, (3: writes_bytes(104));
        IPC_INFO = 3, (3: writes_bytes(40));
        GETPID = 11;
        GETVAL = 12;
        // Writes one number for each semaphore of the set, and nothing in the call says how many those are.
        GETALL = 13, class Class::Refuse(libc::EINVAL);
        GETNCNT = 14;
        GETZCNT = 15;
        SETVAL = 16, (3: Type::Int);
        SETALL = 17, (3: Type::Pointer);
        SEM_STAT = 18, (3: writes_bytes(104));
        SEM_INFO = 19, (3: writes_bytes(40));
        SEM_STAT_ANY = 20, (3: writes_bytes(104));
    },
};

/// `msgctl(msqid, cmd, buf)`.
pub static MSGCTL: CommandSet = CommandSet {
    selector: 1,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Pointer,
    commands: commands! {
        IPC_RMID = 0;
        IPC_SET = 1, (2: reads_bytes(120));
        IPC_STAT = 2, (2: writes_bytes(120));
        IPC_INFO = 3, (2: writes_bytes(32));
        MSG_STAT = 11, (2: writes_bytes(120));
        MSG_INFO = 12, (2: writes_bytes(32));
        MSG_STAT_ANY = 13, (2: writes_bytes(120));
    },
};

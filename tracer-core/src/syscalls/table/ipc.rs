//! System V IPC and POSIX message queues.

use super::super::Class::{Emulate, Special};
use super::super::Syscall;
use super::super::commands::ipc;
use super::super::kind::Direction::{In, Out};
use super::super::kind::Length;
use super::super::kind::Type::*;
use super::super::names::{files, memory};
use super::super::shorthand::{
    memory as buffer, reads, reads_items, reads_structures, result_bytes, writes, writes_int,
};
use super::super::structures::{QUEUE_ATTRIBUTES, SEMAPHORE_OPERATION, SIGEVENT, TIMESPEC};
use super::rows;

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    29 shmget Emulate => (key: Named(&memory::IPC_KEY), size: Size, shmflg: Named(&memory::IPC_GET));
    // These two change the address space.
    30 shmat Special => (shmid: Int, shmaddr: Pointer, shmflg: Named(&memory::ATTACH));
    67 shmdt Special => (shmaddr: Pointer);
    31 shmctl Emulate => (shmid: Int, op: Command(&ipc::SHMCTL), buf: ByCommand(&ipc::SHMCTL));

    64 semget Emulate => (key: Named(&memory::IPC_KEY), nsems: Int, semflg: Named(&memory::IPC_GET));
    65 semop Emulate => (semid: Int, sops: reads_structures(2, &SEMAPHORE_OPERATION), nsops: Unsigned)
        blocks Never;
    220 semtimedop Emulate =>
        (semid: Int, sops: reads_structures(2, &SEMAPHORE_OPERATION), nsops: Unsigned,
         timeout: reads(&TIMESPEC)) blocks Never;
    66 semctl Emulate =>
        (semid: Int, semnum: Int, op: Command(&ipc::SEMCTL), arg: ByCommand(&ipc::SEMCTL));

    68 msgget Emulate => (key: Named(&memory::IPC_KEY), msgflg: Named(&memory::IPC_GET));
    69 msgsnd Emulate =>
        (msqid: Int, msgp: buffer(In, Length::Items { argument: 2, size: 1, header: 8 }), msgsz: Size,
         msgflg: Hex) blocks Never;
    70 msgrcv Emulate =>
        (msqid: Int, msgp: buffer(Out, Length::Result { argument: 2, size: 1, header: 8 }), msgsz: Size,
         msgtyp: Long, msgflg: Hex) blocks Never;
    71 msgctl Emulate => (msqid: Int, op: Command(&ipc::MSGCTL), buf: ByCommand(&ipc::MSGCTL));

    240 mq_open Emulate =>
        (name: Path, oflag: Named(&files::OPEN), mode: Mode, attr: reads(&QUEUE_ATTRIBUTES));
    241 mq_unlink Emulate => (name: Path);
    242 mq_timedsend Emulate =>
        (mqdes: Descriptor, msg_ptr: reads_items(2, 1), msg_len: Size, msg_prio: Unsigned,
         abs_timeout: reads(&TIMESPEC)) blocks Always;
    243 mq_timedreceive Emulate =>
        (mqdes: Descriptor, msg_ptr: result_bytes(2), msg_len: Size, msg_prio: writes_int(),
         abs_timeout: reads(&TIMESPEC)) blocks Always;
    244 mq_notify Emulate => (mqdes: Descriptor, sevp: reads(&SIGEVENT));
    245 mq_getsetattr Emulate =>
        (mqdes: Descriptor, newattr: reads(&QUEUE_ATTRIBUTES), oldattr: writes(&QUEUE_ATTRIBUTES));
};

//! Real calls about signals, futexes, keys, System V IPC and message queues.

use super::arena::Arena;

#[test]
fn system_v() {
    let mut arena = Arena::new();
    let status = arena.space(128);
    let mode = (libc::IPC_CREAT | 0o600) as u64;

    let memory = arena.succeed(libc::SYS_shmget, &[libc::IPC_PRIVATE as u64, 4096, mode]) as u64;
    for command in [libc::IPC_STAT as u64, 3, 14] {
        arena.succeed(libc::SYS_shmctl, &[memory, command, status]);
    }
    arena.succeed(libc::SYS_shmctl, &[memory, libc::IPC_RMID as u64, 0]);

    let semaphores = arena.succeed(libc::SYS_semget, &[libc::IPC_PRIVATE as u64, 1, mode]) as u64;
    for command in [libc::IPC_STAT as u64, 3, 19] {
        arena.succeed(libc::SYS_semctl, &[semaphores, 0, command, status]);
    }
    let post = arena.bytes(&[0, 0, 1, 0, 0, 0]);
    arena.succeed(libc::SYS_semop, &[semaphores, post, 1]);
    arena.succeed(libc::SYS_semctl, &[semaphores, 0, libc::IPC_RMID as u64, 0]);

    let queue = arena.succeed(libc::SYS_msgget, &[libc::IPC_PRIVATE as u64, mode]) as u64;
    let message = arena.bytes(b"\x01\0\0\0\0\0\0\0a message");
    arena.succeed(libc::SYS_msgsnd, &[queue, message, 9, 0]);
    for command in [libc::IPC_STAT as u64, 3, 12] {
        arena.succeed(libc::SYS_msgctl, &[queue, command, status]);
    }
    let received = arena.space(40);
    assert_eq!(arena.succeed(libc::SYS_msgrcv, &[queue, received, 32, 0, 0]), 9);
    arena.succeed(libc::SYS_msgctl, &[queue, libc::IPC_RMID as u64, 0]);
}

#[test]
fn message_queues() {
    let mut arena = Arena::new();
    let name = arena.text(&format!("imitate-test-{}", std::process::id()));
    let attributes = arena.words(&[0, 2, 16, 0, 0, 0, 0, 0]);
    let flags = (libc::O_RDWR | libc::O_CREAT) as u64;
    let queue = arena.succeed(libc::SYS_mq_open, &[name, flags, 0o600, attributes]) as u64;
    arena.succeed(libc::SYS_mq_unlink, &[name]);
    let (text, received, priority) = (arena.text("hello"), arena.space(16), arena.space(4));
    arena.succeed(libc::SYS_mq_timedsend, &[queue, text, 5, 3, 0]);
    assert_eq!(arena.succeed(libc::SYS_mq_timedreceive, &[queue, received, 16, priority, 0]), 5);
    assert_eq!(arena.int(priority), 3);
    let old = arena.space(64);
    arena.succeed(libc::SYS_mq_getsetattr, &[queue, 0, old]);
    arena.succeed(libc::SYS_close, &[queue]);
}

#[test]
fn signals() {
    let mut arena = Arena::new();
    let set = arena.words(&[1 << (libc::SIGUSR2 - 1)]);
    let (old, pending, information) = (arena.space(8), arena.space(8), arena.space(128));
    arena.succeed(libc::SYS_rt_sigprocmask, &[libc::SIG_BLOCK as u64, set, old, 8]);
    let (process, thread) = (std::process::id() as u64, arena.succeed(libc::SYS_gettid, &[]) as u64);
    arena.succeed(libc::SYS_tgkill, &[process, thread, libc::SIGUSR2 as u64]);
    arena.succeed(libc::SYS_rt_sigpending, &[pending, 8]);
    assert_eq!(arena.int(pending) & 1 << (libc::SIGUSR2 - 1), 1 << (libc::SIGUSR2 - 1));
    let taken = arena.succeed(libc::SYS_rt_sigtimedwait, &[set, information, 0, 8]);
    assert_eq!(taken, i64::from(libc::SIGUSR2));
    let none = arena.words(&[0, 0]);
    let again = arena.call(libc::SYS_rt_sigtimedwait, &[set, information, none, 8]);
    assert_eq!(again, -i64::from(libc::EAGAIN));
    let stack = arena.space(24);
    arena.succeed(libc::SYS_sigaltstack, &[0, stack]);
    let action = arena.space(32);
    arena.succeed(libc::SYS_rt_sigaction, &[libc::SIGUSR2 as u64, 0, action, 8]);
}

#[test]
fn futexes() {
    let mut arena = Arena::new();
    let private = libc::FUTEX_PRIVATE_FLAG;
    let word = arena.ints(&[0]);
    arena.succeed(libc::SYS_futex, &[word, (libc::FUTEX_LOCK_PI | private) as u64, 0, 0]);
    assert_ne!(arena.int(word), 0, "the kernel wrote the owner");
    arena.succeed(libc::SYS_futex, &[word, (libc::FUTEX_UNLOCK_PI | private) as u64, 0, 0]);
    let (one, two) = (arena.ints(&[0]), arena.ints(&[1]));
    // Sets the second word to 5 and wakes waiters of both.
    let operation = 5 << 12;
    let wake = (libc::FUTEX_WAKE_OP | private) as u64;
    arena.succeed(libc::SYS_futex, &[one, wake, 1, 1, two, operation]);
    assert_eq!(arena.int(two), 5);
    let timeout = arena.words(&[0, 1]);
    let wait = (libc::FUTEX_WAIT | private) as u64;
    assert_eq!(arena.call(libc::SYS_futex, &[one, wait, 0, timeout]), -i64::from(libc::ETIMEDOUT));
}

#[test]
fn keys() {
    let mut arena = Arena::new();
    let (describe, session) = (6, -3i64 as u64);
    let buffer = arena.space(200);
    // Containers often forbid keys; then nothing may be written.
    let length = arena.call(libc::SYS_keyctl, &[describe, session, buffer, 200]);
    let short = arena.call(libc::SYS_keyctl, &[describe, session, buffer, 4]);
    assert_eq!(length, short, "the length does not depend on the room");
}

#[test]
fn memory_of_a_process() {
    let mut arena = Arena::new();
    let (from, one, two) = (arena.text("copied from here"), arena.space(4), arena.space(40));
    let local = arena.words(&[one, 4, two, 40]);
    let remote = arena.words(&[from, 16]);
    let process = std::process::id() as u64;
    assert_eq!(arena.succeed(libc::SYS_process_vm_readv, &[process, local, 2, remote, 1, 0]), 16);
}

//! The table itself: complete, in order, consistent.

use crate::syscalls::commands::{CommandSet, control, ioctl, ipc, process};
use crate::syscalls::kind::Type;
use crate::syscalls::table::{COUNT, FIRST_END, INDEX, SECOND_END, SECOND_START};
use crate::syscalls::{Class, Restarts, behaviour, ioctl_known, lookup};
use crate::syscalls::{read_descriptor, written_descriptor};

#[test]
fn no_number_is_missing() {
    for number in (0..FIRST_END).chain(SECOND_START..SECOND_END) {
        let row = lookup(number as u64).unwrap_or_else(|| panic!("number {number} has no row"));
        assert_eq!(row.number as usize, number, "{} is at the wrong place", row.name);
    }
    assert_eq!(INDEX.len(), COUNT);
    for number in
        [FIRST_END as u64, 400, SECOND_START as u64 - 1, SECOND_END as u64, 1 << 31, 1 << 32, u64::MAX]
    {
        assert!(lookup(number).is_none(), "{number} is not a system call");
    }
}

/// The header of the C library here may be older than the kernel, never newer than this table.
#[test]
fn names_agree_with_the_kernel_header() {
    let header = ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .expect("the kernel's headers are here (on Debian: apt-get install linux-libc-dev)");
    let mut checked = 0;
    for line in header.lines().filter_map(|line| line.strip_prefix("#define __NR_")) {
        let (name, number) = line.split_once(' ').expect("a name and a number");
        let number: u64 = number.trim().parse().expect("a number");
        if number as usize >= SECOND_END {
            continue;
        }
        let row = lookup(number).unwrap_or_else(|| panic!("{name} ({number}) has no row"));
        assert_eq!(row.name, name, "number {number}");
        checked += 1;
    }
    assert!(checked > 350, "only {checked} definitions found in the header");
}

#[test]
fn names_are_unique_and_arguments_fit_registers() {
    let mut names: Vec<&str> = INDEX.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), COUNT);
    for row in INDEX.iter() {
        assert!(row.arguments.len() <= 6, "{} has too many arguments", row.name);
        assert_eq!(row.restarts, row.restart != Restarts::Never, "{}", row.name);
        assert!(row.blocks || !row.restarts, "{} restarts but does not block", row.name);
    }
}

const SETS: [(&str, &CommandSet); 15] = [
    ("fcntl", &control::FCNTL),
    ("fsconfig", &control::FSCONFIG),
    ("quotactl", &control::QUOTACTL),
    ("quotactl_fd", &control::QUOTACTL_FD),
    ("keyctl", &control::KEYCTL),
    ("syslog", &control::SYSLOG),
    ("modify_ldt", &control::MODIFY_LDT),
    ("ioctl", &ioctl::IOCTL),
    ("futex", &ipc::FUTEX),
    ("shmctl", &ipc::SHMCTL),
    ("semctl", &ipc::SEMCTL),
    ("msgctl", &ipc::MSGCTL),
    ("prctl", &process::PRCTL),
    ("arch_prctl", &process::ARCH_PRCTL),
    ("madvise", &process::MADVISE),
];

#[test]
fn commands_are_in_order_and_found() {
    for (name, set) in SETS {
        for pair in set.commands.windows(2) {
            assert!(pair[0].value < pair[1].value, "{name}: {} is out of order", pair[1].name);
        }
        for command in set.commands {
            let mut arguments = [0; 6];
            arguments[set.selector as usize] = command.value << set.shift;
            let found = set.find(&arguments).expect(command.name);
            assert!(core::ptr::eq(found, command), "{name}: {} finds {}", command.name, found.name);
            for (index, kind) in command.arguments {
                assert!((*index as usize) < 6);
                assert!(!matches!(kind, Type::ByCommand(_)), "{}: a command within a command", command.name);
            }
        }
    }
}

#[test]
fn every_command_argument_has_its_set() {
    for row in INDEX.iter() {
        let selects = row.arguments.iter().any(|one| matches!(one.kind, Type::Command(_)));
        let depends = row.arguments.iter().any(|one| matches!(one.kind, Type::ByCommand(_) | Type::Ioctl));
        assert!(selects || !depends, "{} depends on a command that no argument is", row.name);
        for (index, argument) in row.arguments.iter().enumerate() {
            if let Type::Command(set) = argument.kind {
                assert_eq!(set.selector as usize, index, "{}", row.name);
            }
        }
    }
}

fn row(name: &str) -> &'static crate::syscalls::Syscall {
    INDEX.iter().find(|row| row.name == name).expect(name)
}

#[test]
fn commands_decide_behaviour() {
    let fcntl = |command: i32| behaviour(row("fcntl"), &[3, command as u64, 0, 0, 0, 0]);
    assert!(!fcntl(libc::F_GETFL).blocks);
    assert!(fcntl(libc::F_SETLKW).blocks && fcntl(libc::F_SETLKW).restarts);

    let futex = |op: i32, timeout: u64| behaviour(row("futex"), &[0x1000, op as u64, 0, timeout, 0, 0]);
    assert!(!futex(libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 0).blocks);
    assert!(futex(libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, 0).restarts);
    assert!(!futex(libc::FUTEX_WAIT, 0x2000).restarts, "timed waits come back with EINTR");
    assert!(futex(libc::FUTEX_LOCK_PI, 0x2000).never_interrupted);
    assert!(!futex(libc::FUTEX_WAIT, 0).never_interrupted);

    let madvise = |advice: i32| behaviour(row("madvise"), &[0, 4096, advice as u64, 0, 0, 0]).class;
    assert_eq!(madvise(libc::MADV_DONTNEED), Class::Execute);
    assert_eq!(madvise(libc::MADV_FREE), Class::RefuseQuietly(libc::EINVAL));

    let prctl = |option: i32| behaviour(row("prctl"), &[option as u64, 0, 0, 0, 0, 0]).class;
    assert_eq!(prctl(libc::PR_SET_NAME), Class::Execute);
    assert_eq!(prctl(libc::PR_GET_NAME), Class::Emulate);
    assert_eq!(prctl(libc::PR_SET_SECCOMP), Class::Special);
    assert_eq!(prctl(12345), Class::Special);

    let option = |name, level: i32, option: i32| {
        behaviour(row(name), &[3, level as u64, option as u64, 0, 0, 0]).class
    };
    let refused = Class::Refuse(libc::ENOPROTOOPT);
    assert_eq!(option("getsockopt", libc::SOL_SOCKET, libc::SO_ATTACH_FILTER), refused);
    assert_eq!(option("setsockopt", libc::SOL_SOCKET, libc::SO_ATTACH_FILTER), Class::Emulate);
    assert_eq!(option("getsockopt", libc::SOL_TCP, libc::TCP_ZEROCOPY_RECEIVE), refused);

    assert!(behaviour(row("poll"), &[0; 6]).blocks && !behaviour(row("poll"), &[0; 6]).restarts);
    assert!(behaviour(row("read"), &[0; 6]).restarts);
}

#[test]
fn ioctl_numbers_are_known_by_row_or_by_encoding() {
    assert!(ioctl_known(libc::TCGETS));
    assert!(ioctl_known(0x8004_5430), "TIOCGPTN");
    assert!(ioctl_known(0x8024_7009), "RTC_RD_TIME, by its encoding");
    assert!(!ioctl_known(0x1234), "a legacy number that says nothing");
    assert!(!ioctl_known(0xc008_ae01), "KVM shares memory");
    let kvm = behaviour(row("ioctl"), &[3, 0xc008_ae01, 0, 0, 0, 0]);
    assert_eq!(kvm.class, Class::Refuse(libc::ENOTTY));
}

#[test]
fn descriptors_of_the_read_and_write_families() {
    let a = [7, 8, 9, 0, 0, 0];
    let written: Vec<(&str, i32)> =
        INDEX.iter().filter_map(|row| Some((row.name, written_descriptor(row, &a)?))).collect();
    assert_eq!(
        written,
        [
            ("write", 7),
            ("pwrite64", 7),
            ("writev", 7),
            ("sendfile", 7),
            ("sendto", 7),
            ("sendmsg", 7),
            ("splice", 9),
            ("tee", 8),
            ("vmsplice", 7),
            ("pwritev", 7),
            ("sendmmsg", 7),
            ("copy_file_range", 9),
            ("pwritev2", 7)
        ]
    );
    let read: Vec<&str> =
        INDEX.iter().filter(|row| read_descriptor(row, &a) == Some(7)).map(|row| row.name).collect();
    assert_eq!(read, ["read", "pread64", "readv", "preadv", "preadv2"]);
    assert_eq!(read_descriptor(row("read"), &[u64::MAX, 0, 0, 0, 0, 0]), Some(-1));
}

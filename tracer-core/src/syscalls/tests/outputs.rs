//! Which memory made-up calls write.

use super::mock::{Mock, row, written};
use crate::syscalls::{Before, before};

const NONE: Before = Before { capacity: 0 };

#[test]
fn results_count_bytes_but_not_past_the_buffer() {
    let m = Mock::default();
    assert_eq!(written("read", [3, 0x1000, 100, 0, 0, 0], NONE, 40, &m), [(1, 0x1000, 40)]);
    assert_eq!(written("read", [3, 0x1000, 100, 0, 0, 0], NONE, 0, &m), []);
    assert_eq!(written("read", [3, 0x1000, 100, 0, 0, 0], NONE, -11, &m), []);
    // MSG_TRUNC: the result is the datagram's length.
    assert_eq!(written("recvfrom", [3, 0x1000, 100, 0x20, 0, 0], NONE, 5000, &m), [(1, 0x1000, 100)]);
    // A question for the size, with no buffer to write to.
    assert_eq!(written("getxattr", [0x10, 0x20, 0x1000, 0, 0, 0], NONE, 64, &m), []);
    assert_eq!(written("getgroups", [0, 0x1000, 0, 0, 0, 0], NONE, 5, &m), []);
    assert_eq!(written("getgroups", [8, 0x1000, 0, 0, 0, 0], NONE, 5, &m), [(1, 0x1000, 20)]);
    assert_eq!(written("msgrcv", [1, 0x1000, 64, 0, 0, 0], NONE, 5, &m), [(1, 0x1000, 13)]);
}

#[test]
fn counts_of_32_bits_ignore_the_upper_half() {
    let m = Mock::default();
    let garbage = 0xdead_beef_0000_0000u64;
    assert_eq!(written("poll", [0x1000, garbage | 2, 0, 0, 0, 0], NONE, 1, &m), [(0, 0x1000, 16)]);
    assert_eq!(written("readlink", [1, 0x1000, garbage | 8, 0, 0, 0], NONE, 8, &m), [(1, 0x1000, 8)]);
    assert_eq!(
        written("select", [garbage | 65, 0x10, 0, 0x20, 0, 0], NONE, 1, &m),
        [(1, 0x10, 16), (3, 0x20, 16)]
    );
    assert_eq!(written("epoll_wait", [3, 0x1000, u64::MAX, 0, 0, 0], NONE, 2, &m), []);
}

#[test]
fn null_pointers_are_not_written() {
    let m = Mock::default();
    assert_eq!(written("prlimit64", [0, 3, 0, 0, 0, 0], NONE, 0, &m), []);
    assert_eq!(written("wait4", [1, 0, 0, 0x2000, 0, 0], NONE, 7, &m), [(3, 0x2000, 144)]);
    assert_eq!(written("accept", [3, 0, 0x99, 0, 0, 0], NONE, 4, &m), [], "no address, so no length either");
}

#[test]
fn errors_that_tell_something() {
    let m = Mock::default().with(0x10, &[0; 8]).with(0x20, &[0; 144]).with(0x100, &[0; 28]);
    let interrupted = -i64::from(libc::EINTR);
    assert_eq!(written("nanosleep", [0x10, 0x20, 0, 0, 0, 0], NONE, interrupted, &m), [(1, 0x20, 16)]);
    assert_eq!(written("nanosleep", [0x10, 0x20, 0, 0, 0, 0], NONE, 0, &m), []);
    assert_eq!(
        written("ppoll", [0x10, 1, 0x20, 0, 8, 0], NONE, interrupted, &m),
        [(0, 0x10, 8), (2, 0x20, 16)]
    );
    assert_eq!(written("select", [8, 0x10, 0, 0, 0x20, 0], NONE, interrupted, &m), [(4, 0x20, 16)]);
    assert_eq!(written("wait4", [1, 0x10, 1, 0x20, 0, 0], NONE, 0, &m), [], "WNOHANG, no child has ended");
    assert_eq!(written("waitid", [1, 1, 0x100, 4, 0, 0], NONE, -10, &m), [(2, 0x100, 28)]);
    assert_eq!(written("waitid", [1, 1, 0x9000, 4, 0, 0], NONE, -14, &m), [], "not memory");
    assert_eq!(
        written("waitid", [1, 1, 0x100, 5, 0x9000, 0], NONE, 0, &m),
        [(2, 0x100, 28)],
        "no child, and a bad address that nobody noticed"
    );
}

#[test]
fn value_results_are_the_lesser_of_capacity_and_length() {
    let after = Mock::default().with(0x200, &110u32.to_le_bytes());
    let a = [3, 0x100, 0x200, 0, 0, 0];
    assert_eq!(
        written("getsockname", a, Before { capacity: 16 }, 0, &after),
        [(1, 0x100, 16), (2, 0x200, 4)]
    );
    assert_eq!(
        written("getsockname", a, Before { capacity: 128 }, 0, &after),
        [(1, 0x100, 110), (2, 0x200, 4)]
    );
    let m = Mock::default().with(0x200, &16u32.to_le_bytes());
    assert_eq!(before(row("getsockname"), &a, &m), Before { capacity: 16 });
    assert_eq!(before(row("read"), &a, &m), NONE);
}

#[test]
fn vectors_are_filled_in_order() {
    let m = Mock::default().words(0x100, &[0x1000, 10, 0, 0, 0x2000, 10, 0x3000, 10]);
    assert_eq!(written("readv", [3, 0x100, 4, 0, 0, 0], NONE, 15, &m), [(1, 0x1000, 10), (1, 0x2000, 5)]);
    assert_eq!(written("readv", [3, 0x100, 4, 0, 0, 0], NONE, 0, &m), []);
    assert_eq!(
        written("readv", [3, 0x100, u64::MAX, 0, 0, 0], NONE, 1 << 40, &m),
        [(1, 0x1000, 10), (1, 0x2000, 10), (1, 0x3000, 10)],
        "an array that ends in unreadable memory"
    );
}

#[test]
fn received_messages() {
    // name, namelen, iov, iovlen, control, controllen, flags
    let header = [0x500, 28, 0x100, 1, 0x600, 24, 0];
    let m = Mock::default().words(0x100, &[0x1000, 64]).words(0x700, &header);
    let a = [3, 0x700, 0, 0, 0, 0];
    assert_eq!(before(row("recvmsg"), &a, &m), Before { capacity: 28 });
    assert_eq!(
        written("recvmsg", a, Before { capacity: 16 }, 100, &m),
        [(1, 0x700, 52), (1, 0x500, 16), (1, 0x600, 24), (1, 0x1000, 64)]
    );
    assert_eq!(written("recvmsg", a, NONE, -11, &m), []);

    let items: Vec<u64> = [&header[..], &[20], &[0, 0, 0, 0, 0, 0, 0], &[9]].concat();
    let m = Mock::default().words(0x100, &[0x1000, 64]).words(0x800, &items);
    let a = [3, 0x800, 2, 0, 0, 0];
    assert_eq!(before(row("recvmmsg"), &a, &m), Before { capacity: 28 });
    assert_eq!(
        written("recvmmsg", a, Before { capacity: 28 }, 1, &m),
        [(1, 0x800, 52), (1, 0x500, 28), (1, 0x600, 24), (1, 0x1000, 20), (1, 0x838, 4)]
    );
    assert_eq!(written("sendmmsg", a, NONE, 2, &m), [(1, 0x838, 4), (1, 0x878, 4)]);
}

#[test]
fn commands_of_ioctl_and_fcntl() {
    let m = Mock::default();
    let ioctl = |command: u64, result| written("ioctl", [3, command, 0x1000, 0, 0, 0], NONE, result, &m);
    assert_eq!(ioctl(libc::TCGETS, 0), [(2, 0x1000, 36)]);
    assert_eq!(ioctl(libc::TCGETS, -25), []);
    assert_eq!(ioctl(libc::TCSETS, 0), []);
    assert_eq!(ioctl(0x8024_7009, 0), [(2, 0x1000, 36)], "RTC_RD_TIME, by its encoding");
    assert_eq!(ioctl(0x4024_700a, 0), [], "RTC_SET_TIME");
    assert_eq!(ioctl(0x8008_6601, 0), [(2, 0x1000, 4)], "FS_IOC_GETFLAGS says long and writes int");
    assert_eq!(ioctl(0x1234, 0), []);
    let lock = |command: i32| written("fcntl", [3, command as u64, 0x1000, 0, 0, 0], NONE, 0, &m);
    assert_eq!(lock(libc::F_GETLK), [(2, 0x1000, 32)]);
    assert_eq!(lock(libc::F_SETLK), []);
    assert_eq!(written("prctl", [16, 0x1000, 0, 0, 0, 0], NONE, 0, &m), [(1, 0x1000, 16)]);
}

#[test]
fn answers_that_say_how_long_they_are() {
    // fiemap: five extents there, room for two.
    let mut fiemap = [0u8; 32];
    fiemap[20] = 5;
    fiemap[24] = 2;
    let m = Mock::default().with(0x1000, &fiemap);
    assert_eq!(written("ioctl", [3, 0xc020_660b, 0x1000, 0, 0, 0], NONE, 0, &m), [(2, 0x1000, 32 + 112)]);

    let m = Mock::default().with(0x1000, &[12, 0, 0, 0, 1, 0, 0, 0]).with(0x2000, &[0; 4]);
    let a = [3, 0x10, 0x1000, 0x2000, 0, 0];
    assert_eq!(before(row("name_to_handle_at"), &a, &m), Before { capacity: 12 });
    let known = Before { capacity: 128 };
    assert_eq!(written("name_to_handle_at", a, known, 0, &m), [(2, 0x1000, 20), (3, 0x2000, 4)]);
    let overflow = -i64::from(libc::EOVERFLOW);
    assert_eq!(written("name_to_handle_at", a, NONE, overflow, &m), [(2, 0x1000, 8), (3, 0x2000, 4)]);

    let m = Mock::default().words(0x1000, &[80, 0x3000]);
    let a = [3, libc::SIOCGIFCONF, 0x1000, 0, 0, 0];
    assert_eq!(written("ioctl", a, Before { capacity: 40 }, 0, &m), [(2, 0x1000, 4), (2, 0x3000, 40)]);

    let m = Mock::default().with(0x1000, &[0x22, 0x05, 0x08, 0x20, 0, 0, 0, 0]);
    assert_eq!(
        written("capget", [0x1000, 0x2000, 0, 0, 0, 0], NONE, 0, &m),
        [(0, 0x1000, 8), (1, 0x2000, 24)]
    );
}

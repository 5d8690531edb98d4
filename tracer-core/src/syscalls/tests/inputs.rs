//! Which memory made-up calls read.

use super::super::structures::FLOCK;
use super::super::{lookup, structure_read};
use super::mock::{Mock, consumed};

const TEXT: bool = true;
const DATA: bool = false;

#[test]
fn texts_end_at_their_nul() {
    let path = [b"/etc/passwd\0".as_slice(), &[b'x'; 52]].concat();
    let m = Mock::default().with(0x1000, &path).with(0x2ff8, b"unended!").with(0x4ffc, b"end\0");
    assert_eq!(consumed("open", [0x1000, 0, 0, 0, 0, 0], 3, &m), [(TEXT, 0, 0x1000, 11)]);
    assert_eq!(consumed("open", [0x100b, 0, 0, 0, 0, 0], -2, &m), [(TEXT, 0, 0x100b, 0)], "an empty string");
    assert_eq!(
        consumed("open", [0x4ffc, 0, 0, 0, 0, 0], 3, &m),
        [(TEXT, 0, 0x4ffc, 3)],
        "the last of a page"
    );
    assert_eq!(consumed("open", [0x2ff8, 0, 0, 0, 0, 0], -14, &m), []);
    assert_eq!(consumed("open", [0, 0, 0, 0, 0, 0], -14, &m), []);
    let long = Mock::default().with(0x10000, &[b'a'; 8192]);
    assert_eq!(consumed("chdir", [0x10000, 0, 0, 0, 0, 0], -36, &long), [(TEXT, 0, 0x10000, 4096)]);
}

#[test]
fn writes_consume_what_the_result_says() {
    let m = Mock::default().words(0x100, &[0x1000, 10, 0x2000, 10]);
    assert_eq!(consumed("write", [1, 0x1000, 100, 0, 0, 0], 60, &m), [(DATA, 1, 0x1000, 60)]);
    assert_eq!(consumed("write", [1, 0x1000, 100, 0, 0, 0], -11, &m), []);
    assert_eq!(
        consumed("writev", [1, 0x100, 2, 0, 0, 0], 14, &m),
        [(DATA, 1, 0x100, 32), (DATA, 1, 0x1000, 10), (DATA, 1, 0x2000, 4)]
    );
    assert_eq!(consumed("readv", [1, 0x100, 2, 0, 0, 0], 14, &m), [(DATA, 1, 0x100, 32)]);
}

#[test]
fn structures_are_read_whatever_the_result() {
    let m = Mock::default();
    let a = [3, 0x1000, 16, 0, 0, 0];
    assert_eq!(consumed("connect", a, -i64::from(libc::EINPROGRESS), &m), [(DATA, 1, 0x1000, 16)]);
    // Behind a path's end there may be anything.
    let mut address = [b'!'; 64];
    address[..9].copy_from_slice(b"\x01\0/run/x\0");
    let m = Mock::default().with(0x1000, &address);
    assert_eq!(consumed("connect", a, 0, &m), [(DATA, 1, 0x1000, 9)]);
    let m = Mock::default();
    assert_eq!(consumed("clock_settime", [0, 0x1000, 0, 0, 0, 0], -1, &m), [(DATA, 1, 0x1000, 16)]);
    // A size that the kernel laughed at.
    assert_eq!(consumed("add_key", [0, 0, 0x1000, 1 << 60, 0, 0], -22, &m), [(DATA, 2, 0x1000, 4096)]);
}

#[test]
fn what_the_call_overwrites_is_not_visited() {
    let m = Mock::default().with(0x1000, b"link\0").words(0x3000, &[0; 16]);
    let interrupted = -i64::from(libc::EINTR);
    assert_eq!(consumed("nanosleep", [0x3000, 0x3000, 0, 0, 0, 0], interrupted, &m), []);
    assert_eq!(consumed("nanosleep", [0x3000, 0x3000, 0, 0, 0, 0], 0, &m), [(DATA, 0, 0x3000, 16)]);
    assert_eq!(consumed("nanosleep", [0x3000, 0x3010, 0, 0, 0, 0], interrupted, &m), [(DATA, 0, 0x3000, 16)]);
    assert_eq!(consumed("poll", [0x3000, 1, 0, 0, 0, 0], 1, &m), []);
    let long = Mock::default().with(0x1000, &[b"link\0".as_slice(), &[0; 59]].concat());
    assert_eq!(consumed("readlink", [0x1000, 0x1000, 64, 0, 0, 0], 7, &long), []);
    assert_eq!(consumed("readlink", [0x1000, 0x2000, 64, 0, 0, 0], 7, &long), [(TEXT, 0, 0x1000, 4)]);
}

#[test]
fn argument_lists() {
    let text = [b"ls\0".as_slice(), &[0; 61]].concat();
    let m = Mock::default().with(0x1000, &text).words(0x2000, &[0x1000, 0x1000, 0]).words(0x3000, &[0]);
    assert_eq!(
        consumed("execve", [0x1000, 0x2000, 0x3000, 0, 0, 0], 0, &m),
        [(TEXT, 0, 0x1000, 2), (TEXT, 1, 0x1000, 2), (TEXT, 1, 0x1000, 2)]
    );
}

#[test]
fn sent_messages() {
    let m = Mock::default().words(0x100, &[0x1000, 64]).words(0x700, &[0x500, 28, 0x100, 1, 0x600, 24, 0]);
    assert_eq!(
        consumed("sendmsg", [3, 0x700, 0, 0, 0, 0], 30, &m),
        [
            (DATA, 1, 0x100, 16),
            (DATA, 1, 0x700, 32),
            (DATA, 1, 0x720, 24),
            (DATA, 1, 0x500, 28),
            (DATA, 1, 0x600, 24),
            (DATA, 1, 0x1000, 30)
        ]
    );
    assert_eq!(consumed("recvmsg", [3, 0x700, 0, 0, 0, 0], 30, &m), [(DATA, 1, 0x100, 16)]);
}

#[test]
fn what_lies_between_fields_is_not_compared() {
    let mut lock = [0u8; 32];
    lock[0] = libc::F_WRLCK as u8;
    let mut other = lock;
    // The padding behind l_whence, and that behind l_pid.
    other[4..8].fill(0xff);
    other[28..].fill(0xff);
    assert!(FLOCK.has_same_fields(&lock, &other));
    for field in [0, 2, 8, 16, 24] {
        let mut changed = other;
        changed[field] ^= 1;
        assert!(!FLOCK.has_same_fields(&lock, &changed), "byte {field}");
    }
    let arguments = [3, libc::F_SETLK as u64, 0x1000, 0, 0, 0];
    let fcntl = lookup(libc::SYS_fcntl as u64).unwrap();
    let structure = structure_read(fcntl, &arguments, 2).map(|structure| structure.size);
    assert_eq!(structure, Some(32));
    assert!(structure_read(fcntl, &[3, libc::F_GETFD as u64, 0, 0, 0, 0], 2).is_none());
}

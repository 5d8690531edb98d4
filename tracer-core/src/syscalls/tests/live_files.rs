//! Real calls about files.

use super::arena::Arena;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A file without a name, with some text in it.
fn file(text: &[u8]) -> std::fs::File {
    // SAFETY: the name is a C string, and the new descriptor belongs to nobody else.
    let descriptor = unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"live".as_ptr(), libc::MFD_CLOEXEC)) };
    let mut file = std::fs::File::from(descriptor);
    file.write_all(text).expect("room for a few bytes");
    file.rewind().expect("a file can be rewound");
    file
}

#[test]
fn reading() {
    let file = file(b"a line of text, and a second one");
    let fd = file.as_raw_fd() as u64;
    let mut arena = Arena::new();
    let buffer = arena.space(64);
    assert_eq!(arena.succeed(libc::SYS_read, &[fd, buffer, 10]), 10);
    assert_eq!(arena.succeed(libc::SYS_read, &[fd, buffer, 64]), 22);
    assert_eq!(arena.succeed(libc::SYS_read, &[fd, buffer, 64]), 0);
    assert_eq!(arena.succeed(libc::SYS_pread64, &[fd, buffer, 7, 2]), 7);
    let (first, second) = (arena.space(5), arena.space(100));
    let vector = arena.words(&[first, 5, 0, 0, second, 100]);
    assert_eq!(arena.succeed(libc::SYS_preadv, &[fd, vector, 3, 0, 0]), 32);
    assert_eq!(arena.succeed(libc::SYS_preadv2, &[fd, vector, 3, 4, 0, 0]), 28);
    arena.succeed(libc::SYS_lseek, &[fd, 0, 0]);
    assert_eq!(arena.succeed(libc::SYS_readv, &[fd, vector, 3]), 32);
}

#[test]
fn attributes_of_files() {
    let mut arena = Arena::new();
    let (path, empty) = (arena.text("/"), arena.text(""));
    let root = std::fs::File::open("/").expect("the root directory");
    let fd = root.as_raw_fd() as u64;
    let stat = arena.space(200);
    arena.succeed(libc::SYS_stat, &[path, stat]);
    arena.succeed(libc::SYS_newfstatat, &[libc::AT_FDCWD as u64, path, stat, 0]);
    arena.succeed(libc::SYS_fstat, &[fd, stat]);
    let statx = arena.space(300);
    arena.succeed(libc::SYS_statx, &[fd, empty, libc::AT_EMPTY_PATH as u64, 0xfff, statx]);
    let statfs = arena.space(150);
    arena.succeed(libc::SYS_statfs, &[path, statfs]);
    arena.succeed(libc::SYS_fstatfs, &[fd, statfs]);
    let entries = arena.space(1000);
    assert!(arena.succeed(libc::SYS_getdents64, &[fd, entries, 1000]) > 0);
    let directory = arena.space(4096);
    assert!(arena.succeed(libc::SYS_getcwd, &[directory, 4096]) > 0);
    let (link, target) = (arena.text("/proc/self/exe"), arena.space(4096));
    assert!(arena.succeed(libc::SYS_readlink, &[link, target, 4096]) > 0);
    assert_eq!(arena.succeed(libc::SYS_readlinkat, &[libc::AT_FDCWD as u64, link, target, 5]), 5);
}

#[test]
fn handles_and_their_sizes() {
    let mut arena = Arena::new();
    let path = arena.text("/");
    let mount = arena.space(4);
    let here = libc::AT_FDCWD as u64;
    let small = arena.ints(&[0, 0]);
    let result = arena.call(libc::SYS_name_to_handle_at, &[here, path, small, mount, 0]);
    // Some file systems have no handles at all.
    if result == -i64::from(libc::EOVERFLOW) {
        let needed = arena.int(small) as usize;
        assert!(needed > 0);
        let mut handle = vec![0; 136];
        handle[..4].copy_from_slice(&128u32.to_le_bytes());
        let filled = arena.bytes(&handle);
        arena.succeed(libc::SYS_name_to_handle_at, &[here, path, filled, mount, 0]);
        assert_eq!(arena.int(filled) as usize, needed);
    } else {
        assert_eq!(result, -i64::from(libc::EOPNOTSUPP));
    }
}

#[test]
fn extended_attributes() {
    let file = file(b"x");
    let fd = file.as_raw_fd() as u64;
    let mut arena = Arena::new();
    let (name, value, list) = (arena.text("user.colour"), arena.space(64), arena.space(256));
    let text = arena.text("green");
    let absent = arena.call(libc::SYS_fgetxattr, &[fd, name, value, 64]);
    assert!(absent == -i64::from(libc::ENODATA) || absent == -i64::from(libc::EOPNOTSUPP));
    if arena.call(libc::SYS_fsetxattr, &[fd, name, text, 5, 0]) == 0 {
        assert_eq!(arena.succeed(libc::SYS_fgetxattr, &[fd, name, value, 64]), 5);
        assert_eq!(arena.succeed(libc::SYS_fgetxattr, &[fd, name, value, 0]), 5);
        let range = arena.call(libc::SYS_fgetxattr, &[fd, name, value, 2]);
        assert_eq!(range, -i64::from(libc::ERANGE));
        assert!(arena.succeed(libc::SYS_flistxattr, &[fd, list, 256]) > 0);
    }
}

#[test]
fn pipes_and_locks() {
    let mut arena = Arena::new();
    let pair = arena.space(8);
    arena.succeed(libc::SYS_pipe2, &[pair, libc::O_CLOEXEC as u64]);
    let (reader, writer) = (arena.int(pair) as u64, arena.int(pair + 4) as u64);
    let text = arena.text("hello");
    assert_eq!(arena.succeed(libc::SYS_write, &[writer, text, 5]), 5);
    let count = arena.space(4);
    arena.succeed(libc::SYS_ioctl, &[reader, libc::FIONREAD, count]);
    assert_eq!(arena.int(count), 5);
    let copy = arena.space(16);
    let vector = arena.words(&[copy, 16]);
    assert_eq!(arena.succeed(libc::SYS_vmsplice, &[reader, vector, 1, 0]), 5);
    arena.succeed(libc::SYS_close, &[reader]);
    arena.succeed(libc::SYS_close, &[writer]);

    let file = file(b"x");
    let mut lock = [0u8; 32];
    lock[0] = libc::F_WRLCK as u8;
    let lock = arena.bytes(&lock);
    arena.succeed(libc::SYS_fcntl, &[file.as_raw_fd() as u64, libc::F_GETLK as u64, lock]);
    let hint = arena.space(8);
    arena.succeed(libc::SYS_fcntl, &[file.as_raw_fd() as u64, 1035, hint]);
}

#[test]
fn offsets_of_file_to_file_copies() {
    let (from, to) = (file(b"from one to the other"), file(b""));
    let mut arena = Arena::new();
    let (one, two) = (arena.words(&[5]), arena.words(&[0]));
    let (from, to) = (from.as_raw_fd() as u64, to.as_raw_fd() as u64);
    assert_eq!(arena.succeed(libc::SYS_sendfile, &[to, from, one, 3]), 3);
    assert_eq!(arena.int(one), 8);
    assert_eq!(arena.succeed(libc::SYS_copy_file_range, &[from, one, to, two, 4, 0]), 4);
    assert_eq!((arena.int(one), arena.int(two)), (12, 4));
}

#[test]
fn terminals() {
    // SAFETY: opens a new descriptor, which belongs to nobody else.
    let master = unsafe { OwnedFd::from_raw_fd(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY)) };
    let fd = master.as_raw_fd() as u64;
    let mut arena = Arena::new();
    let settings = arena.space(64);
    for command in [libc::TCGETS, libc::TIOCGWINSZ, 0x8004_5430, 0x802c_542a, libc::TIOCOUTQ, 0x8004_5439] {
        arena.succeed(libc::SYS_ioctl, &[fd, command, settings]);
    }
    let window = arena.bytes(&[24, 0, 80, 0, 0, 0, 0, 0]);
    arena.succeed(libc::SYS_ioctl, &[fd, libc::TIOCSWINSZ, window]);
    let unlock = arena.ints(&[0]);
    arena.succeed(libc::SYS_ioctl, &[fd, libc::TIOCSPTLCK, unlock]);
    let bad = arena.call(libc::SYS_ioctl, &[fd, 0x8008_6601, settings]);
    assert_eq!(bad, -i64::from(libc::ENOTTY));
}

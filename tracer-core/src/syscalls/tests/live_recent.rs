//! Real calls that only newer kernels have: an older one says ENOSYS, and then has written nothing.

use super::arena::Arena;
use std::os::fd::AsRawFd;

/// The result of a call that the kernel may not know, or may not allow here.
fn attempt(arena: &mut Arena, number: libc::c_long, arguments: &[u64]) -> Option<i64> {
    let result = arena.call(number, arguments);
    let absent = [libc::ENOSYS, libc::EPERM, libc::EOPNOTSUPP, libc::ENOTTY].map(|error| -i64::from(error));
    (!absent.contains(&result)).then(|| {
        assert!(result >= 0, "system call {number} failed: error {}", -result);
        result
    })
}

const STATMOUNT: libc::c_long = 457;
const LISTMOUNT: libc::c_long = 458;
const LSM_GET_SELF_ATTR: libc::c_long = 459;
const LSM_LIST_MODULES: libc::c_long = 461;
const SETXATTRAT: libc::c_long = 463;
const GETXATTRAT: libc::c_long = 464;
const LISTXATTRAT: libc::c_long = 465;
const FILE_GETATTR: libc::c_long = 468;
const CACHESTAT: libc::c_long = 451;

#[test]
fn mounts() {
    let mut arena = Arena::new();
    let everything = arena.words(&[24, u64::MAX, 0]);
    let list = arena.space(8 * 100);
    let Some(count) = attempt(&mut arena, LISTMOUNT, &[everything, list, 100, 0]) else { return };
    assert!(count > 0);
    let first = arena.int(list) as u32 as u64 | (arena.int(list + 4) as u64) << 32;
    // STATMOUNT_SB_BASIC, MNT_BASIC, MNT_ROOT, MNT_POINT, FS_TYPE
    let request = arena.words(&[24, first, 0x3b]);
    let answer = arena.space(4096);
    if attempt(&mut arena, STATMOUNT, &[request, answer, 4096, 0]).is_some() {
        assert!(arena.int(answer) as usize > 512, "the answer begins with its size");
    }
}

#[test]
fn security_modules() {
    let mut arena = Arena::new();
    let (modules, size) = (arena.space(256), arena.ints(&[256]));
    attempt(&mut arena, LSM_LIST_MODULES, &[modules, size, 0]);
    let (modules, size) = (arena.space(1), arena.ints(&[1]));
    let small = arena.call(LSM_LIST_MODULES, &[modules, size, 0]);
    assert!([0, -i64::from(libc::E2BIG), -i64::from(libc::ENOSYS)].contains(&small));
    let (context, size) = (arena.space(1024), arena.ints(&[1024]));
    attempt(&mut arena, LSM_GET_SELF_ATTR, &[100, context, size, 0]);
}

#[test]
fn attributes_by_directory() {
    let mut arena = Arena::new();
    let root = std::fs::File::open("/").expect("the root directory");
    let (fd, empty) = (root.as_raw_fd() as u64, arena.text(""));
    let here = libc::AT_EMPTY_PATH as u64;
    let attributes = arena.space(24);
    attempt(&mut arena, FILE_GETATTR, &[fd, empty, attributes, 24, here]);
    let list = arena.space(512);
    attempt(&mut arena, LISTXATTRAT, &[fd, empty, here, list, 512]);

    let path = std::env::temp_dir().join(format!("imitate-attribute-{}", std::process::id()));
    let file = std::fs::File::create(&path).expect("a file in the temporary directory");
    std::fs::remove_file(&path).expect("the file that was just made");
    let (fd, name, green) = (file.as_raw_fd() as u64, arena.text("user.colour"), arena.text("green"));
    let given = arena.words(&[green, 5]);
    if attempt(&mut arena, SETXATTRAT, &[fd, empty, here, name, given, 16]).is_some() {
        let value = arena.space(32);
        let wanted = arena.words(&[value, 32]);
        assert_eq!(arena.succeed(GETXATTRAT, &[fd, empty, here, name, wanted, 16]), 5);
    }
}

#[test]
fn cached_pages() {
    let file = std::fs::File::open("/proc/self/exe").expect("this program");
    let mut arena = Arena::new();
    let (range, statistics) = (arena.words(&[0, 4096]), arena.space(40));
    attempt(&mut arena, CACHESTAT, &[file.as_raw_fd() as u64, range, statistics, 0]);
    let extents = arena.bytes(
        &[
            0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
            0, 0,
        ]
        .iter()
        .copied()
        .chain([0; 56])
        .collect::<Vec<u8>>(),
    );
    attempt(&mut arena, libc::SYS_ioctl, &[file.as_raw_fd() as u64, 0xc020_660b, extents]);
    let flags = arena.space(8);
    attempt(&mut arena, libc::SYS_ioctl, &[file.as_raw_fd() as u64, 0x8008_6601, flags]);
}

//! Calls about open files.

use super::super::Class::{Emulate, Special};
use super::super::Syscall;
use super::super::commands::{control, ioctl};
use super::super::kind::Type::*;
use super::super::layout::Layout;
use super::super::names::files;
use super::super::shorthand::{
    reads, reads_items, reads_structures, result_bytes, writes, writes_bytes, writes_items,
};
use super::super::structures::{CACHE_RANGE, CACHE_STATISTICS, FILE_ATTRIBUTES, OPEN_HOW, STAT, STATFS};
use super::rows;

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    2 open Emulate => (pathname: Path, flags: Named(&files::OPEN), mode: Mode) blocks Always;
    257 openat Emulate =>
        (dirfd: DirectoryDescriptor, pathname: Path, flags: Named(&files::OPEN), mode: Mode) blocks Always;
    437 openat2 Emulate =>
        (dirfd: DirectoryDescriptor, pathname: Path, how: reads_structures(3, &OPEN_HOW), size: Size)
        blocks Always;
    85 creat Emulate => (pathname: Path, mode: Mode) blocks Always;
    304 open_by_handle_at Emulate =>
        (mount_fd: Descriptor, handle: super::paths::READS_HANDLE, flags: Named(&files::OPEN)) blocks Always;
    319 memfd_create Emulate => (name: Path, flags: Named(&files::MEMFD));

    // The engine's own descriptors must survive these, and what a number means changes.
    3 close Special => (fd: Descriptor);
    436 close_range Special => (first: Unsigned, last: Unsigned, flags: Named(&files::CLOSE_RANGE));
    33 dup2 Special => (oldfd: Descriptor, newfd: Descriptor);
    292 dup3 Special => (oldfd: Descriptor, newfd: Descriptor, flags: Named(&files::PIPE));
    32 dup Emulate => (oldfd: Descriptor);
    22 pipe Emulate => (pipefd: writes_bytes(8).shown(Layout::Ints));
    293 pipe2 Emulate => (pipefd: writes_bytes(8).shown(Layout::Ints), flags: Named(&files::PIPE));

    16 ioctl Emulate => (fd: Descriptor, op: Command(&ioctl::IOCTL), arg: Ioctl) blocks Always;
    72 fcntl Emulate =>
        (fd: Descriptor, op: Command(&control::FCNTL), arg: ByCommand(&control::FCNTL)) blocks Always;
    73 flock Emulate => (fd: Descriptor, op: Named(&files::FLOCK)) blocks Always;

    5 fstat Emulate => (fd: Descriptor, statbuf: writes(&STAT));
    138 fstatfs Emulate => (fd: Descriptor, buf: writes(&STATFS));
    74 fsync Emulate => (fd: Descriptor) blocks Never;
    75 fdatasync Emulate => (fd: Descriptor) blocks Never;
    77 ftruncate Emulate => (fd: Descriptor, length: Long);
    78 getdents Emulate => (fd: Descriptor, dirp: result_bytes(2), count: Unsigned);
    217 getdents64 Emulate =>
        (fd: Descriptor, dirp: result_bytes(2).shown(Layout::DirectoryEntries), count: Unsigned);
    81 fchdir Emulate => (fd: Descriptor);
    91 fchmod Emulate => (fd: Descriptor, mode: Mode);
    93 fchown Emulate => (fd: Descriptor, owner: Int, group: Int);
    187 readahead Emulate => (fd: Descriptor, offset: Long, count: Size);
    221 fadvise64 Emulate => (fd: Descriptor, offset: Long, len: Size, advice: Named(&files::ADVICE));
    277 sync_file_range Emulate =>
        (fd: Descriptor, offset: Long, nbytes: Long, flags: Named(&files::SYNC_RANGE)) blocks Never;
    285 fallocate Emulate => (fd: Descriptor, mode: Named(&files::ALLOCATE), offset: Long, len: Long);
    306 syncfs Emulate => (fd: Descriptor) blocks Never;
    451 cachestat Emulate =>
        (fd: Descriptor, cstat_range: reads(&CACHE_RANGE), cstat: writes(&CACHE_STATISTICS), flags: Hex);
    468 file_getattr Emulate =>
        (dirfd: DirectoryDescriptor, pathname: Path,
         attr: writes_items(3, 1).shown(Layout::Structure(&FILE_ATTRIBUTES)), size: Size,
         flags: Named(&files::AT));
    469 file_setattr Emulate =>
        (dirfd: DirectoryDescriptor, pathname: Path,
         attr: reads_items(3, 1).shown(Layout::Structure(&FILE_ATTRIBUTES)),
         size: Size, flags: Named(&files::AT));
};

//! Calls about files by their names, and about extended attributes.

use super::super::Class::Emulate;
use super::super::Syscall;
use super::super::kind::Direction::{In, Out};
use super::super::kind::Type::{self, *};
use super::super::kind::{Length, Limit, When};
use super::super::layout::Layout;
use super::super::names::files;
use super::super::shorthand::{memory, reads, reads_bytes, reads_items, result_bytes, writes, writes_bytes};
use super::super::structures::{STAT, STATFS, STATX, TIMESPEC, TIMEVAL, UTIMBUF};
use super::rows;

const fn handle(limit: Limit) -> Length {
    Length::Counted { header: 8, count_at: 0, limit, size: 1 }
}
/// A `struct file_handle` that is given back.
pub const READS_HANDLE: Type = memory(In, handle(Limit::None));
/// A `struct file_handle` that is asked for. If it is too small, the kernel says how large it should be.
const WRITES_HANDLE: Type = memory(Out, handle(Limit::Earlier)).when(When::SuccessOr(libc::EOVERFLOW));
const TIMES: Type = reads_bytes(32).shown(Layout::Structure(&TIMESPEC));
const MICROSECOND_TIMES: Type = reads_bytes(32).shown(Layout::Structure(&TIMEVAL));
/// Directory of the path that follows.
const AT: Type = DirectoryDescriptor;
const AT_FLAGS: Type = Named(&files::AT);

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    4 stat Emulate => (pathname: Path, statbuf: writes(&STAT));
    6 lstat Emulate => (pathname: Path, statbuf: writes(&STAT));
    262 newfstatat Emulate => (dirfd: AT, pathname: Path, statbuf: writes(&STAT), flags: AT_FLAGS);
    332 statx Emulate =>
        (dirfd: AT, pathname: Path, flags: AT_FLAGS, mask: Named(&files::STATX), statxbuf: writes(&STATX));
    137 statfs Emulate => (path: Path, buf: writes(&STATFS));
    21 access Emulate => (pathname: Path, mode: Named(&files::ACCESS));
    269 faccessat Emulate => (dirfd: AT, pathname: Path, mode: Named(&files::ACCESS));
    439 faccessat2 Emulate =>
        (dirfd: AT, pathname: Path, mode: Named(&files::ACCESS), flags: Named(&files::AT_ACCESS));
    79 getcwd Emulate => (buf: result_bytes(1).shown(Layout::Text), size: Size);
    80 chdir Emulate => (path: Path);
    89 readlink Emulate => (pathname: Path, buf: result_bytes(2), bufsiz: Int);
    267 readlinkat Emulate => (dirfd: AT, pathname: Path, buf: result_bytes(3), bufsiz: Int);
    303 name_to_handle_at Emulate =>
        (dirfd: AT, pathname: Path, handle: WRITES_HANDLE,
         mount_id: writes_bytes(4).shown(Layout::Ints).when(When::SuccessOr(libc::EOVERFLOW)),
         flags: Named(&files::AT_HANDLE));

    76 truncate Emulate => (path: Path, length: Long);
    82 rename Emulate => (oldpath: Path, newpath: Path);
    264 renameat Emulate => (olddirfd: AT, oldpath: Path, newdirfd: AT, newpath: Path);
    316 renameat2 Emulate =>
        (olddirfd: AT, oldpath: Path, newdirfd: AT, newpath: Path, flags: Named(&files::RENAME));
    83 mkdir Emulate => (pathname: Path, mode: Mode);
    258 mkdirat Emulate => (dirfd: AT, pathname: Path, mode: Mode);
    84 rmdir Emulate => (pathname: Path);
    86 link Emulate => (oldpath: Path, newpath: Path);
    265 linkat Emulate => (olddirfd: AT, oldpath: Path, newdirfd: AT, newpath: Path, flags: AT_FLAGS);
    87 unlink Emulate => (pathname: Path);
    263 unlinkat Emulate => (dirfd: AT, pathname: Path, flags: AT_FLAGS);
    88 symlink Emulate => (target: Path, linkpath: Path);
    266 symlinkat Emulate => (target: Path, newdirfd: AT, linkpath: Path);
    90 chmod Emulate => (pathname: Path, mode: Mode);
    268 fchmodat Emulate => (dirfd: AT, pathname: Path, mode: Mode);
    452 fchmodat2 Emulate => (dirfd: AT, pathname: Path, mode: Mode, flags: AT_FLAGS);
    92 chown Emulate => (pathname: Path, owner: Int, group: Int);
    94 lchown Emulate => (pathname: Path, owner: Int, group: Int);
    260 fchownat Emulate => (dirfd: AT, pathname: Path, owner: Int, group: Int, flags: AT_FLAGS);
    95 umask Emulate => (mask: Mode);
    133 mknod Emulate => (pathname: Path, mode: Mode, dev: Device);
    259 mknodat Emulate => (dirfd: AT, pathname: Path, mode: Mode, dev: Device);
    132 utime Emulate => (filename: Path, times: reads(&UTIMBUF));
    235 utimes Emulate => (filename: Path, times: MICROSECOND_TIMES);
    261 futimesat Emulate => (dirfd: AT, pathname: Path, times: MICROSECOND_TIMES);
    280 utimensat Emulate => (dirfd: AT, pathname: Path, times: TIMES, flags: AT_FLAGS);

    188 setxattr Emulate =>
        (path: Path, name: Path, value: reads_items(3, 1), size: Size, flags: Named(&files::XATTR));
    189 lsetxattr Emulate =>
        (path: Path, name: Path, value: reads_items(3, 1), size: Size, flags: Named(&files::XATTR));
    190 fsetxattr Emulate =>
        (fd: Descriptor, name: Path, value: reads_items(3, 1), size: Size, flags: Named(&files::XATTR));
    463 setxattrat Emulate =>
        (dirfd: AT, pathname: Path, at_flags: AT_FLAGS, name: Path, args: AttributeValue(In), size: Size);
    191 getxattr Emulate => (path: Path, name: Path, value: result_bytes(3), size: Size);
    192 lgetxattr Emulate => (path: Path, name: Path, value: result_bytes(3), size: Size);
    193 fgetxattr Emulate => (fd: Descriptor, name: Path, value: result_bytes(3), size: Size);
    464 getxattrat Emulate =>
        (dirfd: AT, pathname: Path, at_flags: AT_FLAGS, name: Path, args: AttributeValue(Out), size: Size);
    194 listxattr Emulate => (path: Path, list: result_bytes(2), size: Size);
    195 llistxattr Emulate => (path: Path, list: result_bytes(2), size: Size);
    196 flistxattr Emulate => (fd: Descriptor, list: result_bytes(2), size: Size);
    465 listxattrat Emulate =>
        (dirfd: AT, pathname: Path, at_flags: AT_FLAGS, list: result_bytes(4), size: Size);
    197 removexattr Emulate => (path: Path, name: Path);
    198 lremovexattr Emulate => (path: Path, name: Path);
    199 fremovexattr Emulate => (fd: Descriptor, name: Path);
    466 removexattrat Emulate => (dirfd: AT, pathname: Path, at_flags: AT_FLAGS, name: Path);
};

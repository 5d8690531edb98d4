//! Calls about mounted file systems.

use super::super::Class::Emulate;
use super::super::Syscall;
use super::super::commands::control;
use super::super::kind::Direction::Out;
use super::super::kind::Type::*;
use super::super::kind::{Length, Limit};
use super::super::layout::Layout;
use super::super::names::files;
use super::super::shorthand::{memory, reads, reads_items, result_items, writes};
use super::super::structures::{MOUNT_ATTRIBUTES, MOUNT_REQUEST, USTAT};
use super::rows;

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    155 pivot_root Emulate => (new_root: Path, put_old: Path);
    161 chroot Emulate => (path: Path);
    165 mount Emulate =>
        (source: Path, target: Path, filesystemtype: Path, mountflags: Named(&files::MOUNT), data: Path);
    166 umount2 Emulate => (target: Path, flags: Named(&files::UNMOUNT));
    136 ustat Emulate => (dev: Device, ubuf: writes(&USTAT));
    162 sync Emulate => () blocks Never;
    179 quotactl Emulate =>
        (op: Command(&control::QUOTACTL), special: Path, id: Int, addr: ByCommand(&control::QUOTACTL));
    443 quotactl_fd Emulate =>
        (fd: Descriptor, op: Command(&control::QUOTACTL_FD), id: Int, addr: ByCommand(&control::QUOTACTL_FD));
    428 open_tree Emulate => (dirfd: DirectoryDescriptor, path: Path, flags: Named(&files::OPEN_TREE));
    467 open_tree_attr Emulate =>
        (dirfd: DirectoryDescriptor, path: Path, flags: Named(&files::OPEN_TREE),
         attr: reads_items(4, 1).shown(Layout::Structure(&MOUNT_ATTRIBUTES)), size: Size);
    429 move_mount Emulate =>
        (from_dirfd: DirectoryDescriptor, from_path: Path, to_dirfd: DirectoryDescriptor, to_path: Path,
         flags: Hex);
    430 fsopen Emulate => (fsname: Path, flags: Hex);
    431 fsconfig Emulate =>
        (fd: Descriptor, cmd: Command(&control::FSCONFIG), key: ByCommand(&control::FSCONFIG),
         value: ByCommand(&control::FSCONFIG), aux: ByCommand(&control::FSCONFIG));
    432 fsmount Emulate => (fs_fd: Descriptor, flags: Hex, attr_flags: Hex);
    433 fspick Emulate => (dirfd: DirectoryDescriptor, path: Path, flags: Hex);
    442 mount_setattr Emulate =>
        (dirfd: DirectoryDescriptor, path: Path, flags: Named(&files::AT),
         attr: reads_items(4, 1).shown(Layout::Structure(&MOUNT_ATTRIBUTES)), size: Size);
    // The answer begins with its own size.
    457 statmount Emulate =>
        (req: reads(&MOUNT_REQUEST),
         buf: memory(Out, Length::Counted { header: 0, count_at: 0, limit: Limit::None, size: 1 }),
         bufsize: Size, flags: Hex);
    458 listmount Emulate =>
        (req: reads(&MOUNT_REQUEST), mnt_ids: result_items(2, 8).shown(Layout::Words), nr_mnt_ids: Size,
         flags: Hex);
};

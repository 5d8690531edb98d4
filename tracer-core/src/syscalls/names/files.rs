//! Names in calls about files and file systems.

use super::{NameSet, choices, flags};

/// `open`.
pub static OPEN: NameSet = flags!(0x3 [O_RDONLY, O_WRONLY, O_RDWR]
    O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK, O_SYNC, O_DSYNC, O_ASYNC, O_DIRECT,
    O_LARGEFILE = 0x8000, O_TMPFILE, O_DIRECTORY, O_NOFOLLOW, O_NOATIME, O_CLOEXEC, O_PATH);

/// Flags of `pipe2`, `dup3`, `eventfd2` and the like share the values of `open`'s.
pub static PIPE: NameSet = flags!(O_CLOEXEC, O_NONBLOCK, O_DIRECT, O_EXCL);

/// The `AT_*` flags of calls that take a path.
pub static AT: NameSet = flags!(
    AT_SYMLINK_NOFOLLOW,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
    AT_NO_AUTOMOUNT,
    AT_EMPTY_PATH,
    AT_STATX_FORCE_SYNC,
    AT_STATX_DONT_SYNC,
    AT_RECURSIVE
);

/// `faccessat2`, where the bit of `AT_REMOVEDIR` has another meaning.
pub static AT_ACCESS: NameSet = flags!(AT_SYMLINK_NOFOLLOW, AT_EACCESS, AT_EMPTY_PATH);

/// `name_to_handle_at`, where the bits of `AT_REMOVEDIR` and `AT_SYMLINK_NOFOLLOW` have other meanings.
pub static AT_HANDLE: NameSet = flags!(
    AT_SYMLINK_FOLLOW,
    AT_EMPTY_PATH,
    AT_HANDLE_FID = 0x200,
    AT_HANDLE_MNT_ID_UNIQUE = 1,
    AT_HANDLE_CONNECTABLE = 2
);

/// `access`.
pub static ACCESS: NameSet = flags!(0 [F_OK] R_OK, W_OK, X_OK);

/// `lseek`.
pub static SEEK: NameSet = choices!(SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE);

/// `statx`'s mask.
pub static STATX: NameSet = flags!(
    STATX_ALL,
    STATX_BASIC_STATS,
    STATX_TYPE,
    STATX_MODE,
    STATX_NLINK,
    STATX_UID,
    STATX_GID,
    STATX_ATIME,
    STATX_MTIME,
    STATX_CTIME,
    STATX_INO,
    STATX_SIZE,
    STATX_BLOCKS,
    STATX_BTIME,
    STATX_MNT_ID,
    STATX_DIOALIGN,
    STATX_MNT_ID_UNIQUE = 0x4000,
    STATX_SUBVOL = 0x8000,
    STATX_WRITE_ATOMIC = 0x10000,
    STATX_DIO_READ_ALIGN = 0x20000
);

/// `flock`.
pub static FLOCK: NameSet = flags!(0x3 [LOCK_SH, LOCK_EX] LOCK_NB, LOCK_UN, LOCK_MAND = 32);

/// `l_type` of `struct flock`.
pub static LOCK_TYPE: NameSet = choices!(F_RDLCK, F_WRLCK, F_UNLCK);

/// `fcntl`'s F_GETFD and F_SETFD.
pub static DESCRIPTOR: NameSet = flags!(FD_CLOEXEC);

/// `memfd_create`'s F_ADD_SEALS.
pub static SEALS: NameSet =
    flags!(F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE, F_SEAL_EXEC = 0x20);

/// `memfd_create`.
pub static MEMFD: NameSet =
    flags!(MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_HUGETLB, MFD_NOEXEC_SEAL = 8, MFD_EXEC = 16);

/// `fallocate`.
pub static ALLOCATE: NameSet = flags!(
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_ZERO_RANGE,
    FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_UNSHARE_RANGE
);

/// `posix_fadvise`.
pub static ADVICE: NameSet = choices!(
    POSIX_FADV_NORMAL,
    POSIX_FADV_RANDOM,
    POSIX_FADV_SEQUENTIAL,
    POSIX_FADV_WILLNEED,
    POSIX_FADV_DONTNEED,
    POSIX_FADV_NOREUSE
);

/// `sync_file_range`.
pub static SYNC_RANGE: NameSet =
    flags!(SYNC_FILE_RANGE_WAIT_BEFORE, SYNC_FILE_RANGE_WRITE, SYNC_FILE_RANGE_WAIT_AFTER);

/// `renameat2`.
pub static RENAME: NameSet = flags!(RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT);

/// `setxattr`.
pub static XATTR: NameSet = flags!(XATTR_CREATE, XATTR_REPLACE);

/// `splice`, `tee` and `vmsplice`.
pub static SPLICE: NameSet = flags!(SPLICE_F_MOVE, SPLICE_F_NONBLOCK, SPLICE_F_MORE, SPLICE_F_GIFT);

/// `preadv2` and `pwritev2`.
pub static READ_WRITE: NameSet = flags!(
    RWF_HIPRI,
    RWF_DSYNC,
    RWF_SYNC,
    RWF_NOWAIT,
    RWF_APPEND,
    RWF_NOAPPEND = 0x20,
    RWF_ATOMIC = 0x40,
    RWF_DONTCACHE = 0x80
);

/// `openat2`'s `resolve`.
pub static RESOLVE: NameSet = flags!(
    RESOLVE_NO_XDEV,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_CACHED = 0x20
);

/// `mount`.
pub static MOUNT: NameSet = flags!(
    MS_RDONLY,
    MS_NOSUID,
    MS_NODEV,
    MS_NOEXEC,
    MS_SYNCHRONOUS,
    MS_REMOUNT,
    MS_MANDLOCK,
    MS_DIRSYNC,
    MS_NOSYMFOLLOW = 256,
    MS_NOATIME,
    MS_NODIRATIME,
    MS_BIND,
    MS_MOVE,
    MS_REC,
    MS_SILENT,
    MS_POSIXACL,
    MS_UNBINDABLE,
    MS_PRIVATE,
    MS_SLAVE,
    MS_SHARED,
    MS_RELATIME,
    MS_KERNMOUNT,
    MS_I_VERSION,
    MS_STRICTATIME,
    MS_LAZYTIME
);

/// `umount2`.
pub static UNMOUNT: NameSet = flags!(MNT_FORCE, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW);

/// `open_tree`.
pub static OPEN_TREE: NameSet = flags!(
    OPEN_TREE_CLONE,
    OPEN_TREE_CLOEXEC,
    AT_RECURSIVE,
    AT_EMPTY_PATH,
    AT_NO_AUTOMOUNT,
    AT_SYMLINK_NOFOLLOW
);

/// `fsconfig`'s command.
pub static FSCONFIG: NameSet = choices!(
    FSCONFIG_SET_FLAG = 0,
    FSCONFIG_SET_STRING = 1,
    FSCONFIG_SET_BINARY = 2,
    FSCONFIG_SET_PATH = 3,
    FSCONFIG_SET_PATH_EMPTY = 4,
    FSCONFIG_SET_FD = 5,
    FSCONFIG_CMD_CREATE = 6,
    FSCONFIG_CMD_RECONFIGURE = 7,
    FSCONFIG_CMD_CREATE_EXCL = 8
);

/// `close_range`.
pub static CLOSE_RANGE: NameSet = flags!(CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC);

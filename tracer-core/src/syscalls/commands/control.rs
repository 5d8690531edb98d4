//! The commands of `fcntl`, `fsconfig`, `quotactl`, `keyctl`, `syslog` and `modify_ldt`.

use super::super::kind::Type;
use super::super::layout::Layout;
use super::super::names::files;
use super::super::shorthand::{
    reads, reads_bytes, reads_int, reads_items, reads_word, result_bytes, updates, writes, writes_bytes,
    writes_int, writes_word,
};
use super::super::structures::{FLOCK, OWNER};
use super::{Class, Command, CommandSet, commands};

/// `fcntl(fd, op, arg)`.
pub static FCNTL: CommandSet = CommandSet {
    selector: 1,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Hex,
    commands: commands! {
        F_DUPFD = 0, (2: Type::Int);
        F_GETFD = 1;
        F_SETFD = 2, (2: Type::Named(&files::DESCRIPTOR));
        F_GETFL = 3;
        F_SETFL = 4, (2: Type::Named(&files::OPEN));
        F_GETLK = 5, (2: updates(&FLOCK));
        F_SETLK = 6, (2: reads(&FLOCK));
        F_SETLKW = 7, (2: reads(&FLOCK)), blocks Always;
        F_SETOWN = 8, (2: Type::Int);
        F_GETOWN = 9;
        F_SETSIG = 10, (2: Type::Signal);
        F_GETSIG = 11;
        F_SETOWN_EX = 15, (2: reads(&OWNER));
        F_GETOWN_EX = 16, (2: writes(&OWNER));
        F_GETOWNER_UIDS = 17, (2: writes_bytes(8).shown(Layout::Ints));
        F_OFD_GETLK = 36, (2: updates(&FLOCK));
        F_OFD_SETLK = 37, (2: reads(&FLOCK));
        F_OFD_SETLKW = 38, (2: reads(&FLOCK)), blocks Always;
        F_SETLEASE = 1024, (2: Type::Named(&files::LOCK_TYPE));
        F_GETLEASE = 1025;
        F_NOTIFY = 1026;
        F_DUPFD_QUERY = 1027, (2: Type::Descriptor);
        F_CREATED_QUERY = 1028;
        F_CANCELLK = 1029;
        F_DUPFD_CLOEXEC = 1030, (2: Type::Int);
        F_SETPIPE_SZ = 1031, (2: Type::Int);
        F_GETPIPE_SZ = 1032;
        F_ADD_SEALS = 1033, (2: Type::Named(&files::SEALS));
        F_GET_SEALS = 1034;
        F_GET_RW_HINT = 1035, (2: writes_word());
        F_SET_RW_HINT = 1036, (2: reads_word());
        F_GET_FILE_RW_HINT = 1037, (2: writes_word());
        F_SET_FILE_RW_HINT = 1038, (2: reads_word());
    },
};

/// `fsconfig(fd, cmd, key, value, aux)`.
pub static FSCONFIG: CommandSet = CommandSet {
    selector: 1,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Hex,
    commands: commands! {
        FSCONFIG_SET_FLAG = 0, (2: Type::Path);
        FSCONFIG_SET_STRING = 1, (2: Type::Path, 3: Type::Path);
        FSCONFIG_SET_BINARY = 2, (2: Type::Path, 3: reads_items(4, 1));
        FSCONFIG_SET_PATH = 3, (2: Type::Path, 3: Type::Path, 4: Type::DirectoryDescriptor);
        FSCONFIG_SET_PATH_EMPTY = 4, (2: Type::Path, 3: Type::Path, 4: Type::DirectoryDescriptor);
        FSCONFIG_SET_FD = 5, (2: Type::Path, 4: Type::Descriptor);
        FSCONFIG_CMD_CREATE = 6;
        FSCONFIG_CMD_RECONFIGURE = 7;
        FSCONFIG_CMD_CREATE_EXCL = 8;
    },
};

/// The commands of `quotactl` and `quotactl_fd`, whose low byte says whose quota it is; the last argument is
/// the fourth in both.
const QUOTA: &[Command] = commands! {
    Q_XQUOTAON = 0x5801, (3: reads_int());
    Q_XQUOTAOFF = 0x5802, (3: reads_int());
    Q_XGETQUOTA = 0x5803, (3: writes_bytes(112));
    Q_XSETQLIM = 0x5804, (3: reads_bytes(112));
    Q_XGETQSTAT = 0x5805, (3: writes_bytes(80));
    Q_XQUOTARM = 0x5806, (3: reads_int());
    Q_XQUOTASYNC = 0x5807;
    Q_XGETQSTATV = 0x5808, (3: writes_bytes(160));
    Q_XGETNEXTQUOTA = 0x5809, (3: writes_bytes(112));
    Q_SYNC = 0x80_0001;
    Q_QUOTAON = 0x80_0002, (3: Type::Path);
    Q_QUOTAOFF = 0x80_0003;
    Q_GETFMT = 0x80_0004, (3: writes_int());
    Q_GETINFO = 0x80_0005, (3: writes_bytes(24));
    Q_SETINFO = 0x80_0006, (3: reads_bytes(24));
    Q_GETQUOTA = 0x80_0007, (3: writes_bytes(72));
    Q_SETQUOTA = 0x80_0008, (3: reads_bytes(72));
    Q_GETNEXTQUOTA = 0x80_0009, (3: writes_bytes(72));
};

/// `quotactl(cmd, special, id, addr)`.
pub static QUOTACTL: CommandSet = CommandSet {
    selector: 0,
    mask: 0xffff_ff00,
    shift: 8,
    flags: &[],
    otherwise: &Type::Hex,
    commands: QUOTA,
};

/// `quotactl_fd(fd, cmd, id, addr)`.
pub static QUOTACTL_FD: CommandSet = CommandSet { selector: 1, ..QUOTACTL };

/// `keyctl(operation, ...)`.
pub static KEYCTL: CommandSet = CommandSet {
    selector: 0,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Hex,
    commands: commands! {
        KEYCTL_GET_KEYRING_ID = 0;
        KEYCTL_JOIN_SESSION_KEYRING = 1, (1: Type::Path);
        KEYCTL_UPDATE = 2, (2: reads_items(3, 1));
        KEYCTL_REVOKE = 3;
        KEYCTL_CHOWN = 4;
        KEYCTL_SETPERM = 5;
        KEYCTL_DESCRIBE = 6, (2: result_bytes(3));
        KEYCTL_CLEAR = 7;
        KEYCTL_LINK = 8;
        KEYCTL_UNLINK = 9;
        KEYCTL_SEARCH = 10, (2: Type::Path, 3: Type::Path);
        KEYCTL_READ = 11, (2: result_bytes(3));
        KEYCTL_INSTANTIATE = 12, (2: reads_items(3, 1));
        KEYCTL_NEGATE = 13;
        KEYCTL_SET_REQKEY_KEYRING = 14;
        KEYCTL_SET_TIMEOUT = 15;
        KEYCTL_ASSUME_AUTHORITY = 16;
        KEYCTL_GET_SECURITY = 17, (2: result_bytes(3));
        KEYCTL_SESSION_TO_PARENT = 18;
        KEYCTL_REJECT = 19;
        KEYCTL_INSTANTIATE_IOV = 20, (2: Type::Pointer, 3: Type::Unsigned);
        KEYCTL_INVALIDATE = 21;
        KEYCTL_GET_PERSISTENT = 22;
        KEYCTL_DH_COMPUTE = 23, (1: reads_bytes(12), 2: result_bytes(3));
        KEYCTL_PKEY_QUERY = 24, (3: Type::Path, 4: writes_bytes(56));
        KEYCTL_PKEY_ENCRYPT = 25, class REFUSED;
        KEYCTL_PKEY_DECRYPT = 26, class REFUSED;
        KEYCTL_PKEY_SIGN = 27, class REFUSED;
        KEYCTL_PKEY_VERIFY = 28, (2: Type::Path);
        KEYCTL_RESTRICT_KEYRING = 29, (2: Type::Path, 3: Type::Path);
        KEYCTL_MOVE = 30;
        KEYCTL_CAPABILITIES = 31, (1: result_bytes(2));
        KEYCTL_WATCH_KEY = 32;
    },
};

/// The lengths of what these write are inside a structure that they read; no program was met that uses them.
const REFUSED: Class = Class::Refuse(libc::EOPNOTSUPP);

/// `syslog(type, bufp, len)`.
pub static SYSLOG: CommandSet = CommandSet {
    selector: 0,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Pointer,
    commands: commands! {
        SYSLOG_ACTION_CLOSE = 0;
        SYSLOG_ACTION_OPEN = 1;
        SYSLOG_ACTION_READ = 2, (1: result_bytes(2)), blocks Always;
        SYSLOG_ACTION_READ_ALL = 3, (1: result_bytes(2));
        SYSLOG_ACTION_READ_CLEAR = 4, (1: result_bytes(2));
        SYSLOG_ACTION_CLEAR = 5;
        SYSLOG_ACTION_CONSOLE_OFF = 6;
        SYSLOG_ACTION_CONSOLE_ON = 7;
        SYSLOG_ACTION_CONSOLE_LEVEL = 8;
        SYSLOG_ACTION_SIZE_UNREAD = 9;
        SYSLOG_ACTION_SIZE_BUFFER = 10;
    },
};

/// `modify_ldt(func, ptr, bytecount)`.
pub static MODIFY_LDT: CommandSet = CommandSet {
    selector: 0,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Pointer,
    commands: commands! {
        LDT_READ = 0, (1: result_bytes(2));
        LDT_WRITE_OLD = 1, (1: reads_items(2, 1));
        LDT_READ_DEFAULT = 2, (1: result_bytes(2));
        LDT_WRITE = 0x11, (1: reads_items(2, 1));
    },
};

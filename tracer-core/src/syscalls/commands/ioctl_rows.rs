//! The rows of `ioctl`: commands whose number does not say what they read and write, or says it wrongly.
//!
//! Modern command numbers hold a direction and a size, which [`super::ioctl`] decodes, so that most drivers'
//! commands need no row here.

use super::super::kind::{Direction, Length, Limit, Type, When};
use super::super::layout::Layout;
use super::super::names::files;
use super::super::shorthand::{
    memory, reads, reads_bytes, reads_int, updates, updates_bytes, updates_int, writes, writes_bytes,
    writes_int, writes_word,
};
use super::super::structures::{
    FILTER_PROGRAM, INTERFACE_REQUEST, TERMIO, TERMIOS, TERMIOS2, TIMESPEC, TIMEVAL, WINSIZE,
};
use super::Class::{Refuse, RefuseQuietly};
use super::{CommandSet, commands};

/// `struct file_dedupe_range` and its items.
const DEDUPE: Type =
    memory(Direction::InOut, Length::Counted { header: 24, count_at: 16, limit: Limit::None, size: 32 });

/// `struct fiemap` and its extents, of which there may be more than there is room for. Flags that the file
/// system does not know come back with an error.
const EXTENTS: Type =
    memory(Direction::InOut, Length::Counted { header: 32, count_at: 20, limit: Limit::Field(24), size: 56 })
        .when(When::Always);

/// `ioctl(fd, op, arg)`.
pub static IOCTL: CommandSet = CommandSet {
    selector: 1,
    mask: 0xffff_ffff,
    shift: 0,
    flags: &[],
    otherwise: &Type::Hex,
    commands: commands! {
        FIBMAP = 0x0001, (2: updates_int());
        FIGETBSZ = 0x0002, (2: writes_int());
        HDIO_GETGEO = 0x0301, (2: writes_bytes(16));
        HDIO_GET_IDENTITY = 0x030d, (2: writes_bytes(512));
        BLKROSET = 0x125d, (2: reads_int());
        BLKROGET = 0x125e, (2: writes_int());
        BLKRRPART = 0x125f;
        BLKGETSIZE = 0x1260, (2: writes_word());
        BLKFLSBUF = 0x1261;
        BLKRASET = 0x1262, (2: Type::Size);
        BLKRAGET = 0x1263, (2: writes_word());
        BLKFRASET = 0x1264, (2: Type::Size);
        BLKFRAGET = 0x1265, (2: writes_word());
        BLKSECTSET = 0x1266, (2: Type::Size);
        BLKSECTGET = 0x1267, (2: writes_bytes(2));
        BLKSSZGET = 0x1268, (2: writes_int());
        BLKDISCARD = 0x1277, (2: reads_bytes(16));
        BLKIOMIN = 0x1278, (2: writes_int());
        BLKIOOPT = 0x1279, (2: writes_int());
        BLKALIGNOFF = 0x127a, (2: writes_int());
        BLKPBSZGET = 0x127b, (2: writes_int());
        BLKDISCARDZEROES = 0x127c, (2: writes_int());
        BLKSECDISCARD = 0x127d, (2: reads_bytes(16));
        BLKROTATIONAL = 0x127e, (2: writes_bytes(2));
        BLKZEROOUT = 0x127f, (2: reads_bytes(16));
        SG_GET_VERSION_NUM = 0x2282, (2: writes_int());
        SG_IO = 0x2285, class Refuse(libc::ENOTTY);
        FBIOGET_VSCREENINFO = 0x4600, (2: writes_bytes(160));
        FBIOPUT_VSCREENINFO = 0x4601, (2: updates_bytes(160));
        FBIOGET_FSCREENINFO = 0x4602, (2: writes_bytes(80));
        KIOCSOUND = 0x4b2f, (2: Type::Int);
        KDMKTONE = 0x4b30, (2: Type::Int);
        KDGETLED = 0x4b31, (2: writes_bytes(1));
        KDSETLED = 0x4b32, (2: Type::Int);
        KDGKBTYPE = 0x4b33, (2: writes_bytes(1));
        KDSETMODE = 0x4b3a, (2: Type::Int);
        KDGETMODE = 0x4b3b, (2: writes_int());
        KDGKBMODE = 0x4b44, (2: writes_int());
        KDSKBMODE = 0x4b45, (2: Type::Int);
        KDGKBLED = 0x4b64, (2: writes_bytes(1));
        KDSKBLED = 0x4b65, (2: Type::Int);
        LOOP_SET_FD = 0x4c00, (2: Type::Descriptor);
        LOOP_CLR_FD = 0x4c01;
        LOOP_SET_STATUS = 0x4c02, (2: reads_bytes(168));
        LOOP_GET_STATUS = 0x4c03, (2: writes_bytes(168));
        LOOP_SET_STATUS64 = 0x4c04, (2: reads_bytes(232));
        LOOP_GET_STATUS64 = 0x4c05, (2: writes_bytes(232));
        LOOP_CHANGE_FD = 0x4c06, (2: Type::Descriptor);
        LOOP_SET_CAPACITY = 0x4c07;
        LOOP_SET_DIRECT_IO = 0x4c08, (2: Type::Size);
        LOOP_SET_BLOCK_SIZE = 0x4c09, (2: Type::Size);
        LOOP_CONFIGURE = 0x4c0a, (2: reads_bytes(304));
        LOOP_CTL_ADD = 0x4c80, (2: Type::Int);
        LOOP_CTL_REMOVE = 0x4c81, (2: Type::Int);
        LOOP_CTL_GET_FREE = 0x4c82;
        CDROM_DRIVE_STATUS = 0x5326, (2: Type::Int);
        CDROM_DISC_STATUS = 0x5327, (2: Type::Int);
        CDROM_GET_CAPABILITY = 0x5331, (2: Type::Int);
        SCSI_IOCTL_GET_IDLUN = 0x5382, (2: writes_bytes(8));
        SCSI_IOCTL_GET_BUS_NUMBER = 0x5386, (2: writes_int());
        TCGETS = 0x5401, (2: writes(&TERMIOS));
        TCSETS = 0x5402, (2: reads(&TERMIOS));
        TCSETSW = 0x5403, (2: reads(&TERMIOS)), blocks Always;
        TCSETSF = 0x5404, (2: reads(&TERMIOS)), blocks Always;
        TCGETA = 0x5405, (2: writes(&TERMIO));
        TCSETA = 0x5406, (2: reads(&TERMIO));
        TCSETAW = 0x5407, (2: reads(&TERMIO)), blocks Always;
        TCSETAF = 0x5408, (2: reads(&TERMIO)), blocks Always;
        TCSBRK = 0x5409, (2: Type::Int), blocks Always;
        TCXONC = 0x540a, (2: Type::Int);
        TCFLSH = 0x540b, (2: Type::Int);
        TIOCEXCL = 0x540c;
        TIOCNXCL = 0x540d;
        TIOCSCTTY = 0x540e, (2: Type::Int);
        TIOCGPGRP = 0x540f, (2: writes_int());
        TIOCSPGRP = 0x5410, (2: reads_int());
        TIOCOUTQ = 0x5411, (2: writes_int());
        TIOCSTI = 0x5412, (2: reads_bytes(1));
        TIOCGWINSZ = 0x5413, (2: writes(&WINSIZE));
        TIOCSWINSZ = 0x5414, (2: reads(&WINSIZE));
        TIOCMGET = 0x5415, (2: writes_int());
        TIOCMBIS = 0x5416, (2: reads_int());
        TIOCMBIC = 0x5417, (2: reads_int());
        TIOCMSET = 0x5418, (2: reads_int());
        TIOCGSOFTCAR = 0x5419, (2: writes_int());
        TIOCSSOFTCAR = 0x541a, (2: reads_int());
        FIONREAD = 0x541b, (2: writes_int());
        TIOCLINUX = 0x541c, (2: updates_bytes(1));
        TIOCCONS = 0x541d;
        TIOCGSERIAL = 0x541e, (2: writes_bytes(72));
        TIOCSSERIAL = 0x541f, (2: reads_bytes(72));
        TIOCPKT = 0x5420, (2: reads_int());
        FIONBIO = 0x5421, (2: reads_int());
        TIOCNOTTY = 0x5422;
        TIOCSETD = 0x5423, (2: reads_int());
        TIOCGETD = 0x5424, (2: writes_int());
        TCSBRKP = 0x5425, (2: Type::Int), blocks Always;
        TIOCSBRK = 0x5427;
        TIOCCBRK = 0x5428;
        TIOCGSID = 0x5429, (2: writes_int());
        TIOCGRS485 = 0x542e, (2: writes_bytes(32));
        TIOCSRS485 = 0x542f, (2: updates_bytes(32));
        TIOCVHANGUP = 0x5437;
        TIOCGPTPEER = 0x5441, (2: Type::Named(&files::OPEN));
        FIONCLEX = 0x5450;
        FIOCLEX = 0x5451;
        FIOASYNC = 0x5452, (2: reads_int());
        TIOCSERGETLSR = 0x5459, (2: writes_int());
        TIOCMIWAIT = 0x545c, (2: Type::Int), blocks Always;
        TIOCGICOUNT = 0x545d, (2: writes_bytes(80));
        FIOQSIZE = 0x5460, (2: writes_word());
        VT_OPENQRY = 0x5600, (2: writes_int());
        VT_GETMODE = 0x5601, (2: writes_bytes(8));
        VT_SETMODE = 0x5602, (2: reads_bytes(8));
        VT_GETSTATE = 0x5603, (2: writes_bytes(6));
        VT_ACTIVATE = 0x5606, (2: Type::Int);
        VT_WAITACTIVE = 0x5607, (2: Type::Int), blocks Always;
        IOC_WATCH_QUEUE_SET_SIZE = 0x5760, (2: Type::Int);
        IOC_WATCH_QUEUE_SET_FILTER = 0x5761, (2: reads_bytes(8));
        FIOSETOWN = 0x8901, (2: reads_int());
        SIOCSPGRP = 0x8902, (2: reads_int());
        FIOGETOWN = 0x8903, (2: writes_int());
        SIOCGPGRP = 0x8904, (2: writes_int());
        SIOCATMARK = 0x8905, (2: writes_int());
        SIOCGSTAMP = 0x8906, (2: writes(&TIMEVAL));
        SIOCGSTAMPNS = 0x8907, (2: writes(&TIMESPEC));
        SIOCADDRT = 0x890b, (2: reads_bytes(120));
        SIOCDELRT = 0x890c, (2: reads_bytes(120));
        SIOCGIFNAME = 0x8910, (2: updates(&INTERFACE_REQUEST));
        SIOCGIFCONF = 0x8912, (2: Type::InterfaceList);
        SIOCGIFFLAGS = 0x8913, (2: updates(&INTERFACE_REQUEST));
        SIOCSIFFLAGS = 0x8914, (2: reads(&INTERFACE_REQUEST));
        SIOCGIFADDR = 0x8915, (2: updates(&INTERFACE_REQUEST));
        SIOCSIFADDR = 0x8916, (2: reads(&INTERFACE_REQUEST));
        SIOCGIFDSTADDR = 0x8917, (2: updates(&INTERFACE_REQUEST));
        SIOCSIFDSTADDR = 0x8918, (2: reads(&INTERFACE_REQUEST));
        SIOCGIFBRDADDR = 0x8919, (2: updates(&INTERFACE_REQUEST));
        SIOCSIFBRDADDR = 0x891a, (2: reads(&INTERFACE_REQUEST));
        SIOCGIFNETMASK = 0x891b, (2: updates(&INTERFACE_REQUEST));
        SIOCSIFNETMASK = 0x891c, (2: reads(&INTERFACE_REQUEST));
        SIOCGIFMETRIC = 0x891d, (2: updates(&INTERFACE_REQUEST));
        SIOCSIFMETRIC = 0x891e, (2: reads(&INTERFACE_REQUEST));
        SIOCGIFMTU = 0x8921, (2: updates(&INTERFACE_REQUEST));
        SIOCSIFMTU = 0x8922, (2: reads(&INTERFACE_REQUEST));
        SIOCSIFNAME = 0x8923, (2: reads(&INTERFACE_REQUEST));
        SIOCSIFHWADDR = 0x8924, (2: reads(&INTERFACE_REQUEST));
        SIOCGIFHWADDR = 0x8927, (2: updates(&INTERFACE_REQUEST));
        SIOCADDMULTI = 0x8931, (2: reads(&INTERFACE_REQUEST));
        SIOCDELMULTI = 0x8932, (2: reads(&INTERFACE_REQUEST));
        SIOCGIFINDEX = 0x8933, (2: updates(&INTERFACE_REQUEST));
        SIOCSIFPFLAGS = 0x8934, (2: reads(&INTERFACE_REQUEST));
        SIOCGIFPFLAGS = 0x8935, (2: updates(&INTERFACE_REQUEST));
        SIOCGIFTXQLEN = 0x8942, (2: updates(&INTERFACE_REQUEST));
        SIOCSIFTXQLEN = 0x8943, (2: reads(&INTERFACE_REQUEST));
        SIOCETHTOOL = 0x8946, class RefuseQuietly(libc::EOPNOTSUPP);
        SIOCGMIIPHY = 0x8947, (2: updates(&INTERFACE_REQUEST));
        SIOCGMIIREG = 0x8948, (2: updates(&INTERFACE_REQUEST));
        SIOCOUTQNSD = 0x894b, (2: writes_int());
        SIOCGSKNS = 0x894c;
        SIOCDARP = 0x8953, (2: reads_bytes(68));
        SIOCGARP = 0x8954, (2: updates_bytes(68));
        SIOCSARP = 0x8955, (2: reads_bytes(68));
        SIOCGIFMAP = 0x8970, (2: updates(&INTERFACE_REQUEST));
        SIOCSHWTSTAMP = 0x89b0, class RefuseQuietly(libc::EOPNOTSUPP);
        SIOCGHWTSTAMP = 0x89b1, class RefuseQuietly(libc::EOPNOTSUPP);
        SIOCUNIXFILE = 0x89e0;
        SIOCGIWNAME = 0x8b01, (2: updates_bytes(32));
        NS_GET_USERNS = 0xb701;
        NS_GET_PARENT = 0xb702;
        NS_GET_NSTYPE = 0xb703;
        NS_GET_OWNER_UID = 0xb704, (2: writes_int());
        EVIOCGRAB = 0x4004_4590, (2: Type::Int);
        EVIOCREVOKE = 0x4004_4591, (2: Type::Int);
        RNDADDTOENTCNT = 0x4004_5201, (2: reads_int());
        TIOCSPTLCK = 0x4004_5431, (2: reads_int());
        TIOCSIG = 0x4004_5436, (2: Type::Signal);
        TUNSETNOCSUM = 0x4004_54c8, (2: Type::Int);
        TUNSETDEBUG = 0x4004_54c9, (2: Type::Int);
        TUNSETIFF = 0x4004_54ca, (2: updates(&INTERFACE_REQUEST));
        TUNSETPERSIST = 0x4004_54cb, (2: Type::Int);
        TUNSETOWNER = 0x4004_54cc, (2: Type::Int);
        TUNSETLINK = 0x4004_54cd, (2: Type::Int);
        TUNSETGROUP = 0x4004_54ce, (2: Type::Int);
        TUNSETOFFLOAD = 0x4004_54d0, (2: Type::Int);
        FICLONE = 0x4004_9409, (2: Type::Descriptor);
        BLKBSZSET = 0x4008_1271, (2: reads_int());
        PERF_EVENT_IOC_SET_FILTER = 0x4008_2406, class Refuse(libc::ENOTTY);
        RNDADDENTROPY = 0x4008_5203, (2: reads_bytes(8));
        FS_IOC_SETFLAGS = 0x4008_6602, (2: reads_int());
        RTC_IRQP_SET = 0x4008_700c, (2: Type::Size);
        RTC_EPOCH_SET = 0x4008_700e, (2: Type::Size);
        FS_IOC_SETVERSION = 0x4008_7602, (2: reads_int());
        FS_IOC_GET_ENCRYPTION_POLICY = 0x400c_6615, (2: writes_bytes(12));
        TUNATTACHFILTER = 0x4010_54d5, (2: reads(&FILTER_PROGRAM));
        TUNDETACHFILTER = 0x4010_54d6, (2: Type::Pointer);
        FS_IOC_GET_ENCRYPTION_PWSALT = 0x4010_6614, (2: writes_bytes(16));
        FS_IOC_FSSETXATTR = 0x401c_5820, (2: reads_bytes(28));
        FICLONERANGE = 0x4020_940d, (2: reads_bytes(32));
        TCSETS2 = 0x402c_542b, (2: reads(&TERMIOS2));
        TCSETSW2 = 0x402c_542c, (2: reads(&TERMIOS2)), blocks Always;
        TCSETSF2 = 0x402c_542d, (2: reads(&TERMIOS2)), blocks Always;
        FS_IOC_SETFSLABEL = 0x4100_9432, (2: reads_bytes(256).shown(Layout::Text));
        RNDGETENTCNT = 0x8004_5200, (2: writes_int());
        TIOCGPTN = 0x8004_5430, (2: writes_int());
        TIOCGDEV = 0x8004_5432, (2: writes_int());
        TIOCGPKT = 0x8004_5438, (2: writes_int());
        TIOCGPTLCK = 0x8004_5439, (2: writes_int());
        TIOCGEXCL = 0x8004_5440, (2: writes_int());
        TUNGETIFF = 0x8004_54d2, (2: writes(&INTERFACE_REQUEST));
        BLKBSZGET = 0x8008_1270, (2: writes_int());
        BLKGETSIZE64 = 0x8008_1272, (2: writes_word());
        FS_IOC_GETFLAGS = 0x8008_6601, (2: writes_int());
        FS_IOC_GETVERSION = 0x8008_7601, (2: writes_int());
        XFS_IOC_DIOINFO = 0x800c_581e, (2: writes_bytes(12));
        FS_IOC_SET_ENCRYPTION_POLICY = 0x800c_6613, (2: reads_bytes(12));
        FS_IOC_FSGETXATTR = 0x801c_581f, (2: writes_bytes(28));
        TCGETS2 = 0x802c_542a, (2: writes(&TERMIOS2));
        FS_IOC_GETFSLABEL = 0x8100_9431, (2: writes_bytes(256).shown(Layout::Text));
        FIFREEZE = 0xc004_5877, (2: Type::Hex);
        FITHAW = 0xc004_5878, (2: Type::Hex);
        FS_IOC_MEASURE_VERITY = 0xc004_6686, class RefuseQuietly(libc::ENOTTY);
        FS_IOC_GET_ENCRYPTION_POLICY_EX = 0xc009_6616, class RefuseQuietly(libc::ENOTTY);
        FITRIM = 0xc018_5879, (2: updates_bytes(24));
        FIDEDUPERANGE = 0xc018_9436, (2: DEDUPE);
        FS_IOC_FIEMAP = 0xc020_660b, (2: EXTENTS);
        FS_IOC_READ_VERITY_METADATA = 0xc028_6687, class RefuseQuietly(libc::ENOTTY);
    },
};

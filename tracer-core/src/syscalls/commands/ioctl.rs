//! What `ioctl` commands read and write: by row, or else by what is encoded in the command's number.
//!
//! A modern number is `direction << 30 | size << 16 | type << 8 | number`.

use super::super::kind::{Direction, Type};
use super::super::shorthand::{reads_bytes, updates_bytes, writes_bytes};
use super::Class;
pub use super::ioctl_rows::IOCTL;

/// Types (the second-lowest byte of a modern number) whose structures hold pointers to further memory, or
/// whose drivers share memory with the program. Their sizes say too little, so recording refuses them.
const OPAQUE: &[(u8, &str)] = &[
    (b';', "vfio"),
    (b'A', "ALSA PCM"),
    (b'N', "NVMe"),
    (b'U', "USB"),
    (b'V', "V4L2"),
    (b'X', "XFS"),
    (b'b', "binder"),
    (b'd', "DRM"),
    (0x94, "btrfs"),
    (0xAA, "userfaultfd"),
    (0xAE, "KVM"),
    (0xAF, "vhost"),
    (0xFD, "device mapper"),
];

/// A modern number's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The kernel reads the structure.
    pub reads: bool,
    /// The kernel writes the structure.
    pub writes: bool,
    /// Bytes of the structure.
    pub size: u32,
    /// Whose command it is.
    pub kind: u8,
    /// Which of that one's commands.
    pub number: u8,
}

/// The parts of `command`, `None` for a legacy number, which says nothing.
pub const fn decode(command: u32) -> Option<Encoding> {
    let (writes, reads) = (command >> 31 != 0, command >> 30 & 1 != 0);
    let (size, kind, number) = (command >> 16 & 0x3fff, (command >> 8) as u8, command as u8);
    if size == 0 || kind == 0 || !(reads || writes) {
        return None;
    }
    Some(Encoding { reads, writes, size, kind, number })
}

fn opaque(kind: u8) -> Option<&'static str> {
    OPAQUE.iter().find(|(value, _)| *value == kind).map(|(_, name)| *name)
}

/// Whether what the command reads and writes is known, by row or by encoding. The engine warns of others.
pub fn known(command: u64) -> bool {
    // _IO(): a type and a number, but no structure. The argument may still be an address; who knows.
    IOCTL.find(&[0, command, 0, 0, 0, 0]).is_some()
        || decode(command as u32).is_some_and(|encoding| opaque(encoding.kind).is_none())
}

/// What argument 2 of an `ioctl` call is.
pub fn kind(arguments: &[u64; 6]) -> Type {
    if IOCTL.find(arguments).is_some() {
        return IOCTL.kind(2, arguments);
    }
    let Some(encoding) = decode(arguments[1] as u32) else { return Type::Hex };
    match encoding.direction() {
        Direction::In => reads_bytes(encoding.size),
        Direction::Out => writes_bytes(encoding.size),
        Direction::InOut => updates_bytes(encoding.size),
    }
}

/// How a command without a row is to be treated if not like other `ioctl` calls.
pub fn class(command: u64) -> Option<Class> {
    let encoding = decode(command as u32)?;
    opaque(encoding.kind).map(|_| Class::Refuse(libc::ENOTTY))
}

impl Encoding {
    /// Which way the structure's bytes go.
    pub const fn direction(self) -> Direction {
        match (self.reads, self.writes) {
            (true, true) => Direction::InOut,
            (false, _) => Direction::Out,
            (true, false) => Direction::In,
        }
    }
}

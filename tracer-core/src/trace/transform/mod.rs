//! Rearranging a chunk's events before compression, so that alike bytes come to lie side by side.
//!
//! `ls -lR` calls statx a hundred thousand times: the same header, the same pointers, structures of which a
//! few words differ. Event after event, zstd must describe every repetition anew; with the same field of all
//! events in a row it describes one for all. So all records of one shape (the arguments of one system call,
//! the headers of its first items, their data if it is small) are gathered as a `Group` and transposed.
//! Strings are stored without the beginning that they share with an earlier one. Two numbers of an item's header
//! are mostly known and stored as the difference to what they are expected to be, so that they become 0: the
//! value is the argument that the item belongs to, a text is as long as the one before. All else stays as it is.
//!
//! The result is, with 4-byte little-endian numbers:
//!
//! | part | size |
//! | --- | --- |
//! | number of events, groups, bytes of groups, texts, bytes of suffixes | 5 numbers |
//! | records of each group, in the order in which the groups first occur | a number each |
//! | `Key` and number of items (as a number) of each event, as columns of bytes (see `columns`) | |
//! | the groups' records, as columns of the group's unit | as said above |
//! | how much each text takes over from the one that it is compared to (see `texts`) | 1 byte a text |
//! | the texts' other bytes | as said above |
//! | data of items that are contents (see `Group::data`), then what is no whole event | the rest |
//!
//! Nothing depends on a chunk's being whole events: bytes that are none, or only look like some, survive too.

mod columns;
mod decode;
mod encode;
mod groups;
mod texts;

pub use decode::decode;
pub use encode::Encoder;

use crate::event::{ItemHeader, padded};

/// What [`crate::trace::chunk::ChunkHeader::transform`] says of bytes that were not rearranged.
pub const NONE: u16 = 0;

/// What it says of bytes that were rearranged as described here.
pub const COLUMNS: u16 = 1;

/// Numbers in front of everything.
const PREAMBLE: usize = 5;

/// Items with more bytes of data are not gathered, see `Group::data`.
const LARGEST_RECORD: usize = 512;

/// Items behind this many in their event count as one position: they are elements of a list.
const POSITIONS: usize = 7;

/// Most bytes that [`Encoder::encode`] makes of `length` bytes: each number and mask of a group goes with a record of
/// at least 8 bytes, each text's byte with an item's header of 16.
pub fn encoded_bound(length: usize) -> usize {
    2 * length + 4 * PREAMBLE + KEY_AND_COUNT
}

/// The first four bytes of an event's header: kind, flags, number.
type Key = [u8; 4];

/// Bytes of a `Key` and the number of items.
const KEY_AND_COUNT: usize = 8;

/// Records of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Group {
    key: Key,
    part: Part,
    /// Bytes of a record.
    length: u16,
}

/// Which part of an event a record is. The positions are at most [`POSITIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// The numbers in front of the items.
    Fixed,
    /// An item's header.
    Header(u8),
    /// An item's data with padding.
    Data(u8),
}

impl Group {
    fn fixed(key: Key, words: usize) -> Group {
        Group { key, part: Part::Fixed, length: (words * 8) as u16 }
    }

    fn header(key: Key, position: usize) -> Group {
        Group { key, part: Part::Header(position.min(POSITIONS) as u8), length: ItemHeader::SIZE as u16 }
    }

    /// The group of an item's `length` bytes of data, which are stored padded. `None` if they are contents
    /// rather than a structure: too many, or as many as the call says that it transferred.
    fn data(key: Key, position: usize, length: usize, numbers: Numbers) -> Option<Group> {
        if !(1..=LARGEST_RECORD).contains(&length) || numbers.get(0) == length as u64 {
            return None;
        }
        let part = Part::Data(position.min(POSITIONS) as u8);
        Some(Group { key, part, length: padded(length) as u16 })
    }

    fn unit(&self) -> Unit {
        match self.part {
            Part::Fixed | Part::Header(_) => Unit::Byte,
            Part::Data(_) => Unit::Word,
        }
    }
}

/// The numbers in front of an event's items: of a call, its result and its arguments.
#[derive(Clone, Copy)]
struct Numbers<'a>(&'a [[u8; 8]]);

impl Numbers<'_> {
    /// 0 if there are not so many.
    fn get(self, at: usize) -> u64 {
        self.0.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// What [`ItemHeader::value`] is expected to be.
    fn value(self, item: ItemHeader) -> u64 {
        self.get(1 + usize::from(item.argument))
    }
}

/// What stays together when records are transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// For headers and arguments, which are mostly equal: single bytes tell best where they are not.
    Byte,
    /// 8 bytes, for structures: their words recur as a whole.
    Word,
}

impl Unit {
    /// In bytes.
    fn size(self) -> usize {
        match self {
            Unit::Byte => 1,
            Unit::Word => 8,
        }
    }
}

//! Which function contains an address: a look-up in the unwind tables that every object carries in memory.
//!
//! Symbol tables are stripped and know no sizes of local functions; the unwind tables (`.eh_frame`, with the
//! binary search table `.eh_frame_hdr`) are loaded with the code, in one read-only segment, because C++ and
//! `pthread_cancel` need them. Each entry (FDE) states a function's first address and its size. The object is
//! not ours: every read is checked against the segment, and an encoding that compilers for x86-64 do not
//! produce makes the answer "not known".

use core::ops::Range;

/// A piece of an object's loaded memory and the address that it is at.
#[derive(Clone, Copy)]
pub struct Segment<'a> {
    /// The address of the first byte.
    pub address: u64,
    /// The contents.
    pub bytes: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The memory in `range`, as it is now.
    ///
    /// # Safety
    /// The range is mapped and readable, stays so for the lifetime that the caller gives the result, and nobody
    /// writes it meanwhile.
    pub unsafe fn at(range: &Range<u64>) -> Segment<'a> {
        let length = range.end.saturating_sub(range.start) as usize;
        // SAFETY: as this function's contract says.
        let bytes = unsafe { core::slice::from_raw_parts(range.start as *const u8, length) };
        Segment { address: range.start, bytes }
    }

    /// The bytes of `range`, if it lies within the segment.
    pub fn get(&self, range: Range<u64>) -> Option<&'a [u8]> {
        let start = usize::try_from(range.start.checked_sub(self.address)?).ok()?;
        let end = usize::try_from(range.end.checked_sub(self.address)?).ok()?;
        self.bytes.get(start..end)
    }

    /// The bytes from `address` to the end of the segment.
    pub fn from(&self, address: u64) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(address.checked_sub(self.address)?).ok()?..)
    }
}

/// What the unwind tables say about a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// From its first byte to past its last.
    pub range: Range<u64>,
    /// It is what signal handlers return to (`__restore_rt`): unwinders and debuggers know it by its bytes.
    pub signal_frame: bool,
}

/// The low four bits of a pointer encoding: how it is stored.
const FORMAT: u8 = 0x0f;
/// The next three bits: what it is relative to.
const APPLICATION: u8 = 0x70;
/// Relative to the pointer's own address.
const RELATIVE_TO_SELF: u8 = 0x10;
/// The pointed-to word holds the address.
const INDIRECT: u8 = 0x80;
/// Nothing is stored.
const OMITTED: u8 = 0xff;
/// 32 bits unsigned, nothing added: how every linker encodes the table's length.
const COUNT_ENCODING: u8 = 0x03;
/// 32 bits signed relative to the start of `.eh_frame_hdr`: how every linker encodes the search table.
const TABLE_ENCODING: u8 = 0x3b;
/// Bytes of a row of the search table: function, FDE.
const ROW: usize = 8;

/// A cursor over bytes whose address matters.
struct Cursor<'a> {
    bytes: &'a [u8],
    address: u64,
}

impl<'a> Cursor<'a> {
    /// The entry (CIE or FDE) at `address`, after its length field.
    fn entry(segment: &Segment<'a>, address: u64) -> Option<Cursor<'a>> {
        let mut cursor = Cursor { bytes: segment.from(address)?, address };
        // 0 ends the section; 0xffffffff announces a 64-bit length, which no unwind table comes near.
        let length = match cursor.u32()? {
            0 | u32::MAX => return None,
            length => usize::try_from(length).ok()?,
        };
        cursor.bytes = cursor.bytes.get(..length)?;
        Some(cursor)
    }

    fn take<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let (taken, rest) = self.bytes.split_first_chunk::<COUNT>()?;
        self.bytes = rest;
        self.address = self.address.checked_add(COUNT as u64)?;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn uleb128(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A number in the format that `encoding` names, nothing added.
    fn number(&mut self, encoding: u8) -> Option<u64> {
        match encoding & FORMAT {
            0x00 | 0x04 | 0x0c => self.take().map(u64::from_le_bytes),
            0x02 => self.take().map(|bytes| u64::from(u16::from_le_bytes(bytes))),
            0x03 => self.u32().map(u64::from),
            0x0a => self.take().map(|bytes| i64::from(i16::from_le_bytes(bytes)) as u64),
            0x0b => self.take().map(|bytes| i64::from(i32::from_le_bytes(bytes)) as u64),
            _ => None,
        }
    }

    /// An address stored absolutely or relative to itself.
    fn pointer(&mut self, encoding: u8) -> Option<u64> {
        let own_address = self.address;
        let stored = self.number(encoding)?;
        match encoding & (APPLICATION | INDIRECT) {
            0 => Some(stored),
            RELATIVE_TO_SELF => Some(own_address.wrapping_add(stored)),
            _ => None,
        }
    }
}

/// The function that contains `address`, by the search table at `header` (the `PT_GNU_EH_FRAME` segment's
/// address) in `segment`, which must hold `.eh_frame` too. `None`: no function is known to contain it.
pub fn function_containing(segment: &Segment, header: u64, address: u64) -> Option<Function> {
    let rows = table(segment, header)?;
    let relative = |bytes: [u8; 4]| header.wrapping_add_signed(i64::from(i32::from_le_bytes(bytes)));
    // Rows are sorted by function: the last one that starts at or before the address.
    let after = rows.partition_point(|&[a, b, c, d, ..]| relative([a, b, c, d]) <= address);
    let &[.., e, f, g, h] = rows.get(after.checked_sub(1)?)?;
    let function = describe(segment, relative([e, f, g, h]))?;
    function.range.contains(&address).then_some(function)
}

/// Whether there is a search table with functions in it.
pub fn describes_functions(segment: &Segment, header: u64) -> bool {
    table(segment, header).is_some_and(|rows| !rows.is_empty())
}

/// The rows of the search table.
fn table<'a>(segment: &Segment<'a>, header: u64) -> Option<&'a [[u8; ROW]]> {
    let mut cursor = Cursor { bytes: segment.from(header)?, address: header };
    let [version, frame_encoding, count_encoding, table_encoding] = cursor.take()?;
    if version != 1 || count_encoding != COUNT_ENCODING || table_encoding != TABLE_ENCODING {
        return None;
    }
    if frame_encoding != OMITTED {
        cursor.number(frame_encoding)?;
    }
    let count = usize::try_from(cursor.u32()?).ok()?;
    Some(cursor.bytes.get(..count.checked_mul(ROW)?)?.as_chunks::<ROW>().0)
}

/// Reads the FDE at `entry`.
fn describe(segment: &Segment, entry: u64) -> Option<Function> {
    let mut cursor = Cursor::entry(segment, entry)?;
    let common_field = cursor.address;
    // In `.eh_frame` the distance back from this field to the CIE; 0 would make this a CIE itself.
    let distance = match cursor.u32()? {
        0 => return None,
        distance => u64::from(distance),
    };
    let common = read_common(segment, common_field.checked_sub(distance)?)?;
    let start = cursor.pointer(common.encoding)?;
    // The size has the start's format without its sign or base.
    let size = match common.encoding & FORMAT {
        0x0b => u64::from(cursor.u32()?),
        _ => cursor.number(common.encoding)?,
    };
    Some(Function { range: start..start.checked_add(size)?, signal_frame: common.signal_frame })
}

/// What many FDEs have in common (their CIE), as far as it matters here.
struct Common {
    encoding: u8,
    signal_frame: bool,
}

fn read_common(segment: &Segment, address: u64) -> Option<Common> {
    let mut cursor = Cursor::entry(segment, address)?;
    // A CIE is told from an FDE by 0 where that has the distance.
    if cursor.u32()? != 0 {
        return None;
    }
    let version = cursor.u8()?;
    let end = cursor.bytes.iter().position(|&byte| byte == 0)?;
    let (augmentation, _) = cursor.bytes.split_at_checked(end)?;
    for _ in 0..=end {
        cursor.u8()?;
    }
    cursor.uleb128()?; // code alignment
    cursor.uleb128()?; // data alignment: signed, which makes no difference to its length
    match version {
        1 => u64::from(cursor.u8()?), // return address column
        3 => cursor.uleb128()?,
        _ => return None,
    };
    let mut common = Common { encoding: 0, signal_frame: false };
    let Some((b'z', letters)) = augmentation.split_first() else {
        return augmentation.is_empty().then_some(common);
    };
    cursor.uleb128()?; // length of what follows
    for letter in letters {
        match letter {
            b'R' => common.encoding = cursor.u8()?,
            b'S' => common.signal_frame = true,
            b'L' => {
                cursor.u8()?;
            }
            b'P' => {
                let encoding = cursor.u8()?;
                cursor.number(encoding)?;
            }
            _ => return None,
        }
    }
    Some(common)
}

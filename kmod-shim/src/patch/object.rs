//! What a loaded object says about itself: its ELF program headers, read from memory.

use core::ops::Range;

use super::eh_frame::{Function, Segment, function_containing};

/// `PT_LOAD`: a segment that is mapped.
const LOADED: u32 = 1;
/// `PT_GNU_EH_FRAME`: where the search table of the unwind tables is.
const UNWIND_TABLE: u32 = 0x6474_e550;
/// `PF_X`.
const EXECUTABLE: u32 = 1;
/// `PF_W`.
const WRITABLE: u32 = 2;
/// The unit of mappings, in bytes.
const PAGE: u64 = 4096;
/// Size of a 64-bit program header, in bytes.
const PROGRAM_HEADER_LENGTH: usize = 56;

/// A loaded object, as far as rewriting is concerned with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// From its lowest to past its highest segment.
    pub mapped: Range<u64>,
    /// The read-only executable segment asked about.
    pub code: Range<u64>,
    /// The pages of that segment, which are one mapping of the kernel's.
    pub code_mapping: Range<u64>,
    /// The address of the unwind tables' search table.
    pub unwind_header: u64,
    /// The segment that holds it.
    pub unwind: Range<u64>,
}

/// One program header, with addresses as loaded.
struct ProgramHeader {
    kind: u32,
    flags: u32,
    range: Range<u64>,
}

impl Object {
    /// As [`Object::read`], of an object whose first mapping is `first`.
    ///
    /// # Safety
    /// The range is mapped and readable, and stays so during the call.
    pub unsafe fn at(first: Range<u64>, address: u64) -> Option<Object> {
        // SAFETY: as the contract says.
        Object::read(&unsafe { Segment::at(&first) }, address)
    }

    /// Where its code is, for what is remembered of it: `offset` of the code's mapping in the file, distance from the object's
    /// first address, length.
    pub fn place(&self, offset: u64) -> [u64; 3] {
        [offset, self.code.start - self.mapped.start, self.code.end - self.code.start]
    }

    /// The function that `address` is in, if the unwind tables say so.
    ///
    /// # Safety
    /// The object is loaded, and stays so during the call.
    pub unsafe fn function_at(&self, address: u64) -> Option<Function> {
        // SAFETY: the unwind tables are in a segment of the object, which nobody writes after loading.
        let unwind = unsafe { Segment::at(&self.unwind) };
        function_containing(&unwind, self.unwind_header, address)
    }

    /// Reads the headers of the object whose mapping begins with `start`, and finds the executable segment that
    /// contains `address`. `None`: it is no 64-bit ELF object, the address is not in its code or that is
    /// writable, or it has no unwind tables.
    pub fn read(start: &Segment, address: u64) -> Option<Object> {
        let bias = bias(start)?;
        let segments = || program_headers(start, bias).filter(|header| header.kind == LOADED);
        let containing = |address: u64| segments().find(|header| header.range.contains(&address));
        let code = containing(address)?;
        if code.flags & (EXECUTABLE | WRITABLE) != EXECUTABLE {
            return None;
        }
        let unwind_header =
            program_headers(start, bias).find(|header| header.kind == UNWIND_TABLE)?.range.start;
        let unwind = containing(unwind_header)?.range;
        let lowest = segments().map(|header| header.range.start).min()?;
        let highest = segments().map(|header| header.range.end).max()?;
        let code = code.range;
        let mut mapping_end = code.end;
        if segments().count() == 1 {
            // The kernel maps the whole image of the vDSO, which ends with its section headers.
            mapping_end = mapping_end.max(start.address.checked_add(end_of_section_headers(start)?)?);
        }
        let code_mapping = code.start - code.start % PAGE..mapping_end.checked_next_multiple_of(PAGE)?;
        Some(Object { mapped: lowest..highest, code, code_mapping, unwind_header, unwind })
    }
}

fn read<const COUNT: usize>(bytes: &[u8], offset: usize) -> Option<[u8; COUNT]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn read_u16(bytes: &[u8], offset: usize) -> Option<usize> {
    read(bytes, offset).map(|field| usize::from(u16::from_le_bytes(field)))
}

fn read_u64(bytes: &[u8], offset: usize) -> Option<u64> {
    read(bytes, offset).map(u64::from_le_bytes)
}

/// What to add to the addresses in the file: the segment that begins with the file's first byte, the ELF
/// header, is where `start` is.
fn bias(start: &Segment) -> Option<u64> {
    // Magic number, 64 bits, little-endian.
    if start.bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let first = raw_headers(start).find(|header| {
        read(header, 0).map(u32::from_le_bytes) == Some(LOADED) && read_u64(header, 8) == Some(0)
    })?;
    Some(start.address.wrapping_sub(read_u64(first, 16)?))
}

/// Offset in the file.
fn end_of_section_headers(start: &Segment) -> Option<u64> {
    let offset = read_u64(start.bytes, 40)?;
    let (length, count) = (read_u16(start.bytes, 58)?, read_u16(start.bytes, 60)?);
    offset.checked_add((length * count) as u64)
}

fn raw_headers<'a>(start: &Segment<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let bytes = start.bytes;
    let offset = read_u64(bytes, 32).and_then(|offset| usize::try_from(offset).ok());
    let length = read_u16(bytes, 54).filter(|&length| length >= PROGRAM_HEADER_LENGTH);
    let count = read_u16(bytes, 56).unwrap_or(0);
    (0..count).map_while(move |index| {
        let start = offset?.checked_add(length?.checked_mul(index)?)?;
        bytes.get(start..start.checked_add(PROGRAM_HEADER_LENGTH)?)
    })
}

fn program_headers(start: &Segment, bias: u64) -> impl Iterator<Item = ProgramHeader> {
    raw_headers(start).filter_map(move |header| {
        let address = read_u64(header, 16)?.wrapping_add(bias);
        Some(ProgramHeader {
            kind: read(header, 0).map(u32::from_le_bytes)?,
            flags: read(header, 4).map(u32::from_le_bytes)?,
            range: address..address.checked_add(read_u64(header, 40)?)?,
        })
    })
}

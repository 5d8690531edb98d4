//! The code in an ELF file, and where its instructions begin.

use kmod_shim::patch::eh_frame::{Segment, function_containing};
use kmod_shim::patch::unpredictable::begins_instruction;
use object::elf::{FileHeader64, PF_X, PT_GNU_EH_FRAME, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};
use std::ops::Range;

/// The parts of a file that are executed, and its unwind tables, which say where functions begin.
pub struct Code<'a> {
    /// Executable segments, at the addresses that the file gives.
    pub segments: Vec<Segment<'a>>,
    /// The segment that has the tables, and the address of the search table.
    unwind: Option<(Segment<'a>, u64)>,
    /// It was linked by `imitate cc`.
    pub is_rebuilt: bool,
}

/// Who has put a note into a file that `imitate cc` linked.
const OWNER: &[u8] = b"Imitate";

impl<'a> Code<'a> {
    /// The code of a 64-bit program or library; `None` of anything else.
    pub fn read(file: &'a [u8]) -> Option<Code<'a>> {
        let header = FileHeader64::<Endianness>::parse(file).ok()?;
        let endian = header.endian().ok()?;
        if !matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN) {
            return None;
        }
        let headers = header.program_headers(endian, file).ok()?;
        let loaded = headers.iter().filter(|header| header.p_type(endian) == PT_LOAD);
        let segments: Vec<(Segment, u32)> = loaded
            .filter_map(|header| {
                let bytes = header.data(endian, file).ok()?;
                Some((Segment { address: header.p_vaddr(endian), bytes }, header.p_flags(endian)))
            })
            .collect();
        let table = headers.iter().find(|header| header.p_type(endian) == PT_GNU_EH_FRAME);
        let unwind = table.map(|header| header.p_vaddr(endian)).and_then(|address| {
            let (segment, _) = segments.iter().find(|(segment, _)| segment.from(address).is_some())?;
            Some((*segment, address))
        });
        let code = segments.iter().filter(|(_, flags)| flags & PF_X != 0).map(|(segment, _)| *segment);
        let is_ours = |header: &elf::ProgramHeader64<Endianness>| {
            let mut notes = header.notes(endian, file).ok().flatten()?;
            while let Ok(Some(note)) = notes.next() {
                if note.name() == OWNER {
                    return Some(());
                }
            }
            None
        };
        let is_rebuilt = headers.iter().any(|header| is_ours(header).is_some());
        Some(Code { segments: code.collect(), unwind, is_rebuilt })
    }

    /// The function that `address`, which is in that segment, is in. Of a file without any table, the whole segment.
    pub fn function(&self, segment: &Segment, address: u64) -> Option<Range<u64>> {
        match &self.unwind {
            Some((unwind, header)) => {
                function_containing(unwind, *header, address).map(|function| function.range)
            }
            None => Some(segment.address..segment.address + segment.bytes.len() as u64),
        }
    }

    /// Whether an instruction begins at `address`, which is in that segment; `None` if no table has a function there.
    pub fn begins_instruction(&self, segment: &Segment, address: u64) -> Option<bool> {
        let (unwind, header) = self.unwind.as_ref()?;
        begins_instruction(segment, unwind, *header, address)
    }
}

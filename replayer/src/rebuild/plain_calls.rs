//! Takes out calls that do nothing.
//!
//! Compilers announce all accesses or none. Where only some of the calls are of interest, the others go to one function
//! that returns at once; a program that does little but use memory takes three times as long with them. So when it has been
//! linked, they are replaced by instructions that do nothing, as long as the calls.

use crate::code::Code;
use anyhow::{Context, Result};
use memchr::memchr_iter;
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What the calls go to, in `stand_in.c`.
const FUNCTION: &str = "imitate_nothing";
/// `call` with a 32-bit distance.
const CALL: u8 = 0xe8;
/// `nop` of the same length.
const NOTHING: [u8; 5] = [0x0f, 0x1f, 0x44, 0, 0];

/// Takes the calls out of a program or library. There is nothing to do in other files (objects, or none), and in those without
/// a table of symbols, which is where the function is found, they stay.
pub fn take_out(path: &Path) -> Result<()> {
    // Not every command leaves a file: with `-fsyntax-only`, for one.
    let Ok(bytes) = fs::read(path) else { return Ok(()) };
    let places = calls(&bytes);
    if places.is_empty() {
        return Ok(());
    }
    let file =
        File::options().write(true).open(path).with_context(|| format!("cannot open {}", path.display()))?;
    for place in places {
        file.write_all_at(&NOTHING, place).with_context(|| format!("cannot write to {}", path.display()))?;
    }
    Ok(())
}

/// Offsets in the file of the calls.
fn calls(file: &[u8]) -> Vec<u64> {
    let find = || {
        let code = Code::read(file)?;
        let symbols = ElfFile64::<Endianness>::parse(file).ok()?;
        let function = symbols.symbols().find(|symbol| symbol.name() == Ok(FUNCTION))?.address();
        Some((code, function))
    };
    let Some((code, function)) = find() else { return Vec::new() };
    let mut places = Vec::new();
    for segment in &code.segments {
        let offset = segment.bytes.as_ptr().addr() - file.as_ptr().addr();
        for at in memchr_iter(CALL, segment.bytes) {
            let Some(distance) = segment.bytes.get(at + 1..).and_then(|rest| rest.first_chunk()) else {
                break;
            };
            let address = segment.address + at as u64;
            let target = (address + NOTHING.len() as u64)
                .wrapping_add_signed(i64::from(i32::from_le_bytes(*distance)));
            if target == function && code.begins_instruction(segment, address) == Some(true) {
                places.push((offset + at) as u64);
            }
        }
    }
    places
}

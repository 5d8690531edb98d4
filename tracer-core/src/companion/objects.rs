//! Files that are mapped executable: which they are, and whether they still are what they were.

use std::fs::File;
use std::io;
use std::path::Path;

use object::elf::{ELF_NOTE_GNU, FileHeader64, NT_GNU_BUILD_ID};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, ReadCache};

use crate::trace::byte_string::ByteString;
use crate::trace::files::Identity;
use crate::trace::manifest::MappedObject;

/// Describes the file at `path`. Errors: it cannot be opened or looked at.
pub fn describe(path: ByteString) -> io::Result<MappedObject> {
    let file = File::open(path.as_path())?;
    let Identity { device, inode, size, modified } = Identity::from(&file.metadata()?);
    Ok(MappedObject { build_id: build_id(&file).unwrap_or_default(), path, size, modified, device, inode })
}

/// GNU build id of an ELF file in hexadecimal, `None` if it has none or is none.
pub fn build_id(file: &File) -> Option<String> {
    // A cache of pieces rather than a mapping: a file that is truncated meanwhile is an error then, not a SIGBUS.
    let cache = ReadCache::new(file);
    let id = build_id_of_segments(&cache).or_else(|| {
        // It is in a section only, or the file has 32 bits: this reads symbol tables, too.
        Some(object::File::parse(&cache).ok()?.build_id().ok()??.to_vec())
    })?;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// As nearly all files have it: a note that is loaded.
fn build_id_of_segments(cache: &ReadCache<&File>) -> Option<Vec<u8>> {
    let header = FileHeader64::<Endianness>::parse(cache).ok()?;
    let endian = header.endian().ok()?;
    for segment in header.program_headers(endian, cache).ok()? {
        let Some(mut notes) = segment.notes(endian, cache).ok()? else { continue };
        while let Some(note) = notes.next().ok()? {
            if note.name() == ELF_NOTE_GNU && note.n_type(endian) == NT_GNU_BUILD_ID {
                return Some(note.desc().to_vec());
            }
        }
    }
    None
}

/// Compares the file that is at a recorded object's path now with what was recorded. The error says what
/// differs.
pub fn verify(recorded: &MappedObject) -> Result<(), String> {
    let path: &Path = recorded.path.as_path();
    let now = describe(recorded.path.clone())
        .map_err(|error| format!("{} was part of the recorded program, but {error}", path.display()))?;
    if (now.size, now.modified) == (recorded.size, recorded.modified) && now.build_id == recorded.build_id {
        return Ok(());
    }
    // The same build, installed again.
    if !recorded.build_id.is_empty() && now.build_id == recorded.build_id && now.size == recorded.size {
        return Ok(());
    }
    let what = |object: &MappedObject| {
        let id = if object.build_id.is_empty() { "none" } else { &object.build_id };
        format!("build id {id}, {} bytes, modified at {} ns", object.size, object.modified)
    };
    Err(format!(
        "{} is not the file that the recorded program ran: recorded {}; now {}. Put the recorded version back, \
         or record again",
        path.display(),
        what(recorded),
        what(&now)
    ))
}

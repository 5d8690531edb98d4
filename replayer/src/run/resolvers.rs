//! Who has seen the whole processor in a recording that was to show less of it (`record --cpu`): functions of which the
//! loader chooses one when it loads a file (IFUNC, as `target_clones` makes them), before there is anybody to answer their
//! `cpuid`.
//!
//! glibc's are not meant: they ask ld.so, which was told (`tracer_core::processor`).

use memmap2::Mmap;
use object::Endianness;
use object::elf::{FileHeader64, PF_X, R_X86_64_IRELATIVE, SHN_UNDEF, STT_GNU_IFUNC};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, Sym};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tracer_core::tell;
use tracer_core::trace::manifest::Manifest;

/// How the names of glibc's files begin, and of our own.
const KNOWN: [&str; 5] = ["ld-linux", "libc.", "libimitate", "libm.", "libmvec."];

/// Says which files of a recording have such functions, in one line; whether there are any.
pub fn tell(manifest: &Manifest) -> bool {
    let mut names: Vec<_> = manifest
        .objects
        .iter()
        .map(|object| object.path.as_path())
        .filter(|path| choose_by_themselves(path))
        .filter_map(|path| Some(path.file_name()?.to_string_lossy()))
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return false;
    }
    tell!(
        "{} chose functions by the whole processor when loaded (IFUNC), which --cpu cannot hide; a replay on another \
         processor may diverge",
        names.join(", ")
    );
    true
}

fn choose_by_themselves(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    if KNOWN.iter().any(|known| name.starts_with(known.as_bytes())) {
        return false;
    }
    // What cannot be read any more has no use for a warning either.
    let Ok(file) = File::open(path) else { return false };
    // SAFETY: who truncates a program while it runs breaks it in the same way.
    let Ok(bytes) = (unsafe { Mmap::map(&file) }) else { return false };
    chooses(&bytes).unwrap_or(false)
}

/// Whether a file has functions that are chosen when it is loaded, and a `cpuid` to do it by. Errors: it is damaged.
fn chooses(bytes: &[u8]) -> object::Result<bool> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let mut is_chosen = false;
    for section in sections.iter() {
        if let Some((relocations, _)) = section.rela(endian, bytes)? {
            is_chosen |= relocations.iter().any(|one| one.r_type(endian, false) == R_X86_64_IRELATIVE);
        }
    }
    let symbols = sections.symbols(endian, bytes, object::elf::SHT_DYNSYM)?;
    is_chosen |= symbols
        .iter()
        .any(|symbol| symbol.st_type() == STT_GNU_IFUNC && symbol.st_shndx(endian) != SHN_UNDEF);
    if !is_chosen {
        return Ok(false);
    }
    for segment in header.program_headers(endian, bytes)? {
        let code = segment.data(endian, bytes).unwrap_or_default();
        if segment.p_flags(endian) & PF_X != 0 && memchr::memmem::find(code, &[0x0f, 0xa2]).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

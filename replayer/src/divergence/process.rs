//! Looking into another process: its mappings and its memory.

use anyhow::{Context, Result};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// A process that stands still while it is looked at.
pub struct Process {
    memory: File,
    mappings: Vec<Mapping>,
}

/// One line of /proc/PID/maps that has a file.
pub struct Mapping {
    /// Addresses.
    pub addresses: Range<u64>,
    /// Byte offset in the file of the first address.
    pub offset: u64,
    /// The file.
    pub path: PathBuf,
}

impl Process {
    /// Opens the process with this id. Fails if it has gone or is another user's.
    pub fn open(id: u32) -> Result<Process> {
        let path = format!("/proc/{id}/maps");
        let maps = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let path = format!("/proc/{id}/mem");
        let memory = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        Ok(Process { memory, mappings: maps.lines().filter_map(mapping).collect() })
    }

    /// The mappings of files, by rising address.
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// The word at `address`, if there is readable memory.
    pub fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        // Offsets are signed: the kernel's half of the address space has none.
        i64::try_from(address).ok()?;
        self.memory.read_exact_at(&mut bytes, address).ok()?;
        Some(u64::from_le_bytes(bytes))
    }
}

/// `start-end rights offset device inode path`, where the path may hold spaces.
fn mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let offset = fields.nth(1)?;
    let path = fields.nth(2)?.trim_start();
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    let path = path.starts_with('/').then(|| path.strip_suffix(" (deleted)").unwrap_or(path))?;
    Some(Mapping { addresses: number(start)?..number(end)?, offset: number(offset)?, path: path.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps() {
        let found =
            mapping("7f0000001000-7f0000002000 r-xp 00003000 fd:01 42                 /usr/a b.so").unwrap();
        assert_eq!(found.addresses, 0x7f0000001000..0x7f0000002000);
        assert_eq!(found.offset, 0x3000);
        assert_eq!(found.path, PathBuf::from("/usr/a b.so"));
        assert!(
            mapping("7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                  [stack]").is_none()
        );
        assert!(mapping("7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 ").is_none());
        assert!(mapping("garbage").is_none());
    }

    #[test]
    fn memory_is_read_where_there_is_some() {
        let process = Process::open(std::process::id()).unwrap();
        let here = 0x0123_4567_89ab_cdef_u64;
        assert_eq!(process.word(&raw const here as u64), Some(here));
        assert_eq!(process.word(0), None);
        assert_eq!(process.word(u64::MAX - 7), None);
    }
}

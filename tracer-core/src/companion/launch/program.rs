//! Which programs can be recorded.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{LittleEndian, ReadCache, ReadRef};

/// Why a command cannot be recorded. Each message names the file and says what to do, if anything can be done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There was nothing to execute.
    #[error("no command was given")]
    NoCommand,
    /// As execvp's ENOENT.
    #[error("{}: command not found", name.display())]
    NotFound {
        /// What was looked for.
        name: OsString,
    },
    /// As execvp's EACCES.
    #[error("{}: not an executable file, or permission to execute it is missing", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
    /// A script's first line names no interpreter.
    #[error("{}: the first line begins with #! but names no interpreter", path.display())]
    BadScript {
        /// The script.
        path: PathBuf,
    },
    /// Interpreters that are scripts themselves, too many of them.
    #[error("{}: too many interpreters that are scripts themselves", path.display())]
    ScriptTooDeep {
        /// The last one.
        path: PathBuf,
    },
    /// The operating system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    System {
        /// What was tried, to follow "cannot".
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It is no program for this machine.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// It has no dynamic linker, which would load the library.
    #[error(
        "{} is statically linked, so libimitate.so cannot be loaded into it; \
         record a dynamically linked build of it",
        path.display()
    )]
    Static {
        /// The file.
        path: PathBuf,
    },
    /// It would run with privileges that the caller does not have; the dynamic linker ignores LD_PRELOAD then.
    #[error(
        "{} runs with privileges of its own ({what}), so the dynamic linker does not load libimitate.so into it; \
         record as a user who has these privileges, or record a copy without them",
        path.display()
    )]
    Privileged {
        /// The file.
        path: PathBuf,
        /// Which.
        what: &'static str,
    },
}

impl Refusal {
    pub(super) fn system(action: &'static str, path: &Path, source: io::Error) -> Refusal {
        Refusal::System { action, path: path.to_owned(), source }
    }

    /// The exit status that a shell gives for a command that it cannot execute: 127 if it is not there, 126
    /// otherwise.
    pub fn exit_status(&self) -> u8 {
        if matches!(self, Refusal::NotFound { .. }) { 127 } else { 126 }
    }
}

/// Whether the library can be loaded into the program at `path`: a dynamically linked ELF file for x86-64 that
/// gets no privileges by being executed.
pub fn check_program(path: &Path) -> Result<(), Refusal> {
    let file = File::open(path).map_err(|error| Refusal::system("read", path, error))?;
    let cache = ReadCache::new(&file);
    if !has_dynamic_linker(&cache, path)? {
        return Err(Refusal::Static { path: path.to_owned() });
    }
    match privileges(&file, path)? {
        Some(what) => Err(Refusal::Privileged { path: path.to_owned(), what }),
        None => Ok(()),
    }
}

/// Whether the ELF file names a program interpreter (PT_INTERP).
fn has_dynamic_linker<'data>(data: impl ReadRef<'data>, path: &Path) -> Result<bool, Refusal> {
    let foreign = |what| Refusal::Foreign { path: path.to_owned(), what };
    let identification = data.read_bytes_at(0, 20).map_err(|()| foreign("this is no program"))?;
    if identification[..4] != elf::ELFMAG {
        return Err(foreign("this is neither an ELF program nor a script that begins with #!"));
    }
    if identification[4] != elf::ELFCLASS64 {
        return Err(foreign("this is a 32-bit program; only 64-bit programs can be recorded"));
    }
    let machine = u16::from_le_bytes([identification[18], identification[19]]);
    if identification[5] != elf::ELFDATA2LSB || machine != elf::EM_X86_64 {
        return Err(foreign("this is a program for another kind of processor; only x86-64 can be recorded"));
    }
    let malformed = |_| foreign("this ELF file is damaged");
    let header = FileHeader64::<LittleEndian>::parse(data).map_err(malformed)?;
    let segments = header.program_headers(LittleEndian, data).map_err(malformed)?;
    Ok(segments.iter().any(|segment| segment.p_type(LittleEndian) == elf::PT_INTERP))
}

/// The privileges that executing `file` would give to this process and that make the kernel set AT_SECURE, by
/// which the dynamic linker ignores LD_PRELOAD.
fn privileges(file: &File, path: &Path) -> Result<Option<&'static str>, Refusal> {
    // SAFETY: plain system calls.
    let (user, group, no_new) =
        unsafe { (libc::getuid(), libc::getgid(), libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) };
    if no_new {
        // The kernel gives none then.
        return Ok(None);
    }
    let metadata = file.metadata().map_err(|error| Refusal::system("look at", path, error))?;
    if metadata.mode() & libc::S_ISUID != 0 && metadata.uid() != user {
        return Ok(Some("set-user-ID"));
    }
    // Without execution for the group, the bit means something else (mandatory locking).
    const SET_GROUP: u32 = libc::S_ISGID | libc::S_IXGRP;
    if metadata.mode() & SET_GROUP == SET_GROUP && metadata.gid() != group {
        return Ok(Some("set-group-ID"));
    }
    // Root gains nothing from capabilities, and the kernel does not set AT_SECURE for it.
    if user != 0 && has_capabilities(path) {
        return Ok(Some("file capabilities"));
    }
    Ok(None)
}

fn has_capabilities(path: &Path) -> bool {
    let mut path = path.as_os_str().as_bytes().to_vec();
    path.push(0);
    // SAFETY: path and name end with NUL; no value is asked for.
    let length = unsafe {
        libc::getxattr(path.as_ptr().cast(), c"security.capability".as_ptr(), std::ptr::null_mut(), 0)
    };
    length > 0
}

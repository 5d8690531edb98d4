//! In replay: finding a file's content again.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::{Path, PathBuf};

use super::hash::content_hash;
use super::{Identity, Kept, ReferencedFile};
use crate::trace::directory::{file_path, open_regular};
use crate::trace::error::{Context, Error, Result};

/// A file whose content is what the recorded program met.
#[derive(Debug)]
pub struct Resolved {
    /// The content, uncompressed.
    pub file: File,
    /// A path to it, for as long as this process lives and `file` is open.
    pub path: PathBuf,
}

/// Finds the content of `file`, which the trace in `directory` refers to: the trace's own copy, else the
/// original if its identity or, after a touch or a move to another disk, its hash is the recorded one.
///
/// A compressed copy is unpacked into memory, [`Identity::size`] bytes of it.
///
/// Errors: [`Error::ReferencedFile`] says what was expected, what is there now and what to do.
pub fn resolve(directory: &Path, file: &ReferencedFile) -> Result<Resolved> {
    match file.kept {
        Kept::Unavailable(ref reason) => {
            Err(mismatch(file, format!("it is not in the trace, because {reason}; record again")))
        }
        Kept::Copied(number) => unpack(&file_path(directory, number), file),
        Kept::Reflinked(number) => {
            let path = file_path(directory, number);
            let (content, metadata) = open_regular(&path)?;
            let found = Identity::from(&metadata);
            let Identity { size, modified, .. } = file.identity;
            if (found.size, found.modified) == (size, modified) || has_hash(&content, found, file, &path)? {
                return Ok(Resolved { file: content, path });
            }
            Err(mismatch(
                file,
                format!("the trace's copy of it, {}, was changed; record again", path.display()),
            ))
        }
        Kept::Reference => original(file),
    }
}

/// Finds the content of a program that was executed, as a file that can be executed: the original if it was not
/// touched since, so that debuggers find it where they expect it, else as [`resolve`] does.
pub fn resolve_program(directory: &Path, file: &ReferencedFile) -> Result<Resolved> {
    let path = file.path.as_path();
    if let Ok((content, metadata)) = open_regular(path)
        && Identity::from(&metadata) == file.identity
    {
        return Ok(Resolved { file: content, path: path.to_owned() });
    }
    let resolved = resolve(directory, file)?;
    if !matches!(file.kept, Kept::Reflinked(_)) {
        return Ok(resolved);
    }
    // A trace's files are not executable, and may lie on a file system from which nothing is executed.
    let mut content = anonymous_file().context("get memory for", &resolved.path)?;
    io::copy(&mut &resolved.file, &mut content).context("read", &resolved.path)?;
    in_memory(content)
}

/// `content` as it can be mapped and executed: the kernel executes no file that is open for writing.
fn in_memory(content: File) -> Result<Resolved> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", content.as_raw_fd()));
    let content = File::open(&path).context("open", &path)?;
    let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), content.as_raw_fd()));
    Ok(Resolved { file: content, path })
}

fn original(file: &ReferencedFile) -> Result<Resolved> {
    let path = file.path.as_path();
    let (content, metadata) = open_regular(path).map_err(|error| mismatch(file, missing(file, &error)))?;
    let found = Identity::from(&metadata);
    if found == file.identity || has_hash(&content, found, file, path)? {
        return Ok(Resolved { file: content, path: path.to_owned() });
    }
    let hash = content_hash(&content).context("read", path)?;
    let what = format!(
        "it is by reference only and has changed since: expected {}, found {}; {ADVICE}",
        describe(file.identity, file.hash.as_deref()),
        describe(found, Some(&hash))
    );
    Err(mismatch(file, what))
}

const ADVICE: &str = "put it back as it was, or record again";

fn missing(file: &ReferencedFile, error: &Error) -> String {
    let expected = describe(file.identity, file.hash.as_deref());
    format!("it is by reference only and not there any more: {error}; expected {expected}; {ADVICE}")
}

/// Whether a file in the state `found` has the recorded content, by size and hash.
fn has_hash(content: &File, found: Identity, file: &ReferencedFile, path: &Path) -> Result<bool> {
    match &file.hash {
        Some(expected) if found.size == file.identity.size => {
            Ok(content_hash(content).context("read", path)? == *expected)
        }
        _ => Ok(false),
    }
}

/// Decompresses the copy at `path` into an anonymous file.
fn unpack(path: &Path, file: &ReferencedFile) -> Result<Resolved> {
    let (stored, _) = open_regular(path)?;
    let size = file.identity.size;
    let mut decoder = zstd::Decoder::new(stored).context("set up decompression of", path)?;
    let mut content = anonymous_file().context("get memory for", path)?;
    // One byte more than expected, to notice that there is more.
    let copied = io::copy(&mut (&mut decoder).take(size.saturating_add(1)), &mut content);
    let length = copied.context("decompress", path)?;
    content.flush().context("decompress", path)?;
    let hash = content_hash(&content).context("read back", path)?;
    if length != size || file.hash.as_ref() != Some(&hash) {
        let what = format!(
            "the trace's copy of it, {}, is damaged: expected {}, found {length} bytes (or more) with hash \
             {hash}; record again",
            path.display(),
            describe(file.identity, file.hash.as_deref())
        );
        return Err(mismatch(file, what));
    }
    in_memory(content)
}

/// A file in memory without a name.
fn anonymous_file() -> io::Result<File> {
    // SAFETY: the name is a NUL-terminated string that lives for the whole program.
    let descriptor = unsafe { libc::memfd_create(c"imitate-file".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

fn describe(identity: Identity, hash: Option<&str>) -> String {
    let Identity { device, inode, size, modified } = identity;
    let hash = hash.unwrap_or("not taken");
    format!("{size} bytes, modified at {modified} ns, hash {hash} (device {device}, inode {inode})")
}

fn mismatch(file: &ReferencedFile, what: String) -> Error {
    Error::ReferencedFile { id: file.id, path: file.path.to_text().into_owned(), what }
}

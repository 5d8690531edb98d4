//! While recording: making sure that a file's content will be there in replay.

use std::collections::HashMap;
use std::fs::{File, FileTimes, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zstd::stream::write::Encoder;

use super::hash::{content_hash, read_whole};
use super::{Identity, Kept, ReferencedFile};
use crate::trace::byte_string::ByteString;
use crate::trace::chunk::DEFAULT_LEVEL;
use crate::trace::directory::file_path;
use crate::trace::error::{Context, Result};

/// Directories whose files change only when software is installed. They are not copied into a trace; a replay
/// after an upgrade says which file is no longer the same.
const INSTALLED: [&str; 10] =
    ["/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/opt", "/nix/store", "/gnu/store"];

/// What is kept how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Files up to this size in bytes are copied if they cannot be reflinked.
    pub copy_limit: u64,
    /// Files up to this size in bytes are hashed, so that a replay can tell a touched file from a changed one.
    pub hash_limit: u64,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { copy_limit: 64 << 20, hash_limit: 4 << 30 }
    }
}

/// Files from this size on are copied as they are while a recording has no more than [`UNCOMPRESSED_BYTES`] of such copies:
/// compression at 150 MB/s was all that recording cost a program that compresses 20 MB with two threads, a tenth of its
/// time. `imitate pack` compresses them.
const UNCOMPRESSED_FROM: u64 = 256 << 10;
const UNCOMPRESSED_BYTES: u64 = 64 << 20;
/// A level of zstd that copies, at several GB/s.
const UNCOMPRESSED_LEVEL: i32 = -1000;

/// Keeps a recording's files. A file that is met again in the same state is not read again.
#[derive(Debug)]
pub struct Keeper {
    directory: PathBuf,
    policy: Policy,
    known: HashMap<Identity, ReferencedFile>,
    kept_bytes: u64,
    /// Bytes that may still be copied as they are.
    uncompressed_left: u64,
}

impl Keeper {
    /// A keeper for the trace in `directory`.
    pub fn new(directory: &Path, policy: Policy) -> Keeper {
        Keeper {
            directory: directory.to_owned(),
            policy,
            known: HashMap::new(),
            kept_bytes: 0,
            uncompressed_left: UNCOMPRESSED_BYTES,
        }
    }

    /// Keeps `file`, which the recorded program met as number `id` in the state `met`.
    ///
    /// What is wrong with the file becomes [`Kept::Unavailable`]; an error means that the trace cannot be
    /// written (see [`crate::trace::Error::is_storage_full`]).
    pub fn keep(&mut self, id: u64, file: &File, met: Identity) -> Result<ReferencedFile> {
        if let Some(known) = self.known.get(&met) {
            return Ok(ReferencedFile { id, ..known.clone() });
        }
        let kept = self.keep_anew(id, file, met)?;
        self.known.insert(met, kept.clone());
        Ok(kept)
    }

    /// As [`Keeper::keep`], whatever was kept before: times are too coarse to tell whether a file that was open for writing
    /// meanwhile is still the same.
    pub fn keep_anew(&mut self, id: u64, file: &File, met: Identity) -> Result<ReferencedFile> {
        let link = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let path = std::fs::read_link(&link).context("find the path of", &link)?;
        let mut kept = ReferencedFile {
            id,
            path: ByteString::from(path),
            identity: met,
            hash: None,
            kept: Kept::Reference,
        };
        if let Err(reason) = self.store(file, &mut kept)? {
            kept.hash = None;
            kept.kept = Kept::Unavailable(reason);
        }
        Ok(kept)
    }

    /// Puts `file`, which is kept as a reference, into the trace after all, because it is about to change or not to be found
    /// where it was.
    pub fn secure(&mut self, file: &File, kept: &mut ReferencedFile) -> Result<()> {
        let metadata = match file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                kept.kept = Kept::Unavailable(format!("it could not be looked at: {error}"));
                return Ok(());
            }
        };
        let stored = if let Some(hash) = self.reflink(file, &metadata, kept.id)? {
            kept.kept = Kept::Reflinked(kept.id);
            hash
        } else if metadata.size() <= self.policy.hash_limit {
            kept.kept = Kept::Copied(kept.id);
            self.copy(file, metadata.size(), kept.id)?
        } else {
            let limit = self.policy.hash_limit;
            let reason = format!("it was opened for writing, or deleted, and is larger than {limit} bytes");
            kept.kept = Kept::Unavailable(reason);
            return Ok(());
        };
        match stored {
            Ok(hash) => kept.hash = hash,
            Err(error) => kept.kept = Kept::Unavailable(format!("it could not be read: {error}")),
        }
        Ok(())
    }

    /// Bytes that were put into `files/`; of a reflinked file, its size.
    pub fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Chooses how to keep `file`, does it, and fills in `kept.hash` and `kept.kept`. The inner error is the
    /// reason why the file is unavailable.
    fn store(&mut self, file: &File, kept: &mut ReferencedFile) -> Result<std::result::Result<(), String>> {
        let metadata = match file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(format!("it could not be looked at: {error}"))),
        };
        if !metadata.is_file() {
            return Ok(Err("it is not a regular file".into()));
        }
        if Identity::from(&metadata) != kept.identity {
            return Ok(Err("it changed before it could be kept".into()));
        }
        let size = metadata.size();
        // Once the last link is gone, there is nothing to refer to.
        let linked = metadata.nlink() > 0;
        let stored = if linked && is_installed(kept.path.as_path().as_os_str().as_bytes()) {
            self.refer(file, size)
        } else if let Some(hash) = self.reflink(file, &metadata, kept.id)? {
            kept.kept = Kept::Reflinked(kept.id);
            hash
        } else if size <= self.policy.copy_limit {
            kept.kept = Kept::Copied(kept.id);
            self.copy(file, size, kept.id)?
        } else if linked {
            self.refer(file, size)
        } else {
            let limit = self.policy.copy_limit;
            return Ok(Err(format!("it was deleted and is larger than the {limit} bytes that are copied")));
        };
        match stored.and_then(|hash| Ok((hash, Identity::from(&file.metadata()?)))) {
            Err(error) => Ok(Err(format!("it could not be read: {error}"))),
            // A reflink is a snapshot, whatever happens to the original.
            Ok((_, now)) if now != kept.identity && !matches!(kept.kept, Kept::Reflinked(_)) => {
                Ok(Err("it changed while it was being kept".into()))
            }
            Ok((hash, _)) => {
                kept.hash = hash;
                Ok(Ok(()))
            }
        }
    }

    fn refer(&self, file: &File, size: u64) -> io::Result<Option<String>> {
        if size <= self.policy.hash_limit { content_hash(file).map(Some) } else { Ok(None) }
    }

    /// Makes `files/<id>` share `file`'s blocks; `None` where the file system cannot.
    fn reflink(
        &mut self,
        file: &File,
        metadata: &Metadata,
        id: u64,
    ) -> Result<Option<io::Result<Option<String>>>> {
        let path = file_path(&self.directory, id);
        let copy = create(&path)?;
        // SAFETY: both descriptors are open for as long as the files live; FICLONE touches no memory of ours.
        if unsafe { libc::ioctl(copy.as_raw_fd(), libc::FICLONE, file.as_raw_fd()) } != 0 {
            std::fs::remove_file(&path).context("remove", &path)?;
            return Ok(None);
        }
        // The time shows later that the copy was not changed; the hash shows it if the time was lost.
        let times = metadata.modified().map(|modified| FileTimes::new().set_modified(modified));
        times.and_then(|times| copy.set_times(times)).context("set the time of", &path)?;
        self.kept_bytes += metadata.size();
        let readable = File::open(&path).context("open", &path)?;
        Ok(Some(self.refer(&readable, metadata.size())))
    }

    /// Copies `file` of `size` bytes into `files/<id>`. The outer error is the trace's, the inner one the file's.
    fn copy(&mut self, file: &File, size: u64, id: u64) -> Result<io::Result<Option<String>>> {
        let path = file_path(&self.directory, id);
        let left = self.uncompressed_left.checked_sub(size).filter(|_| size >= UNCOMPRESSED_FROM);
        let level = if left.is_some() { UNCOMPRESSED_LEVEL } else { DEFAULT_LEVEL };
        self.uncompressed_left = left.unwrap_or(self.uncompressed_left);
        let Copied { read, written } = copy(file, &path, level)?;
        if written.is_ok() && read.is_ok() {
            self.kept_bytes += path.metadata().context("look at", &path)?.len();
        }
        written.context("write", &path)?;
        Ok(read.map(|(hash, _)| Some(hash)))
    }
}

/// Puts the content of `file` into a new file at `path`, as a trace keeps it. Gives its hash and its size in bytes.
pub fn compress(file: &File, path: &Path) -> Result<(String, u64)> {
    let Copied { read, written } = copy(file, path, DEFAULT_LEVEL)?;
    written.context("write", path)?;
    read.context("read what goes into", path)
}

/// What came of copying a file.
struct Copied {
    /// Its hash and size.
    read: io::Result<(String, u64)>,
    written: io::Result<()>,
}

/// The same. If reading or writing has failed there is no new file.
fn copy(file: &File, path: &Path, level: i32) -> Result<Copied> {
    let mut encoder = Encoder::new(create(path)?, level).context("set up compression for", path)?;
    let mut write_error = None;
    let read = read_whole(file, |piece| {
        encoder.write_all(piece).map_err(|error| {
            write_error = Some(error);
            io::ErrorKind::Other.into()
        })
    });
    let written = match write_error {
        Some(error) => Err(error),
        None => encoder.finish().map(drop),
    };
    if written.is_err() || read.is_err() {
        // The first error counts; if this one fails too, `imitate rm` still removes the rest.
        let _ = std::fs::remove_file(path);
    }
    Ok(Copied { read, written })
}

/// Creates a file in the trace for its owner only.
fn create(path: &Path) -> Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).context("create", path)
}

/// Whether the file at `path`, absolute and without symbolic links, changes only when software is installed. It
/// allocates nothing, since the library asks too.
pub fn is_installed(path: &[u8]) -> bool {
    let is_below = |directory: &str| {
        path.strip_prefix(directory.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'))
    };
    INSTALLED.iter().any(|directory| is_below(directory))
}

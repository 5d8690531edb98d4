//! The directory that is a trace: making one, telling whether it is still being written, opening what is in it.

mod library;
mod removal;

pub use library::{Listed, create_in, latest, list, root, root_from};
pub use removal::remove;

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::{Context, Error, Result};

/// Name of the file that holds the streams.
pub const EVENTS: &str = "events";
/// Name of the directory that holds kept files.
pub const FILES: &str = "files";
/// Name of the file that is locked while the trace is being recorded.
const LOCK: &str = "lock";
/// Name that the [`Reserve`] has for a moment.
const RESERVE: &str = "reserve";
const RESERVE_BYTES: i64 = 256 << 10;

/// Path of the `events` file of the trace in `directory`.
pub fn events_path(directory: &Path) -> PathBuf {
    directory.join(EVENTS)
}

/// Path of a kept file's contents in the trace in `directory`.
pub fn file_path(directory: &Path, id: u64) -> PathBuf {
    directory.join(FILES).join(id.to_string())
}

/// A trace's directory in the hands of its recorder: it is locked until this value is dropped.
///
/// The lock is `flock`'s and belongs to the open file, so that it also ends when the recorder is killed, and
/// lives on in a child of the recorder until that child has closed it or called exec.
#[derive(Debug)]
pub struct TraceDirectory {
    path: PathBuf,
    /// Kept for its lock.
    _lock: File,
    reserve: Reserve,
}

/// Disk space that is set aside while a trace is written, in a file without a name: the kernel frees it when it is closed,
/// whatever ends its owner. See [`TraceDirectory::write_last`].
///
/// A disk that is busy, or that is told of each freed block (`mount -o discard`), makes its dropping take tens of
/// milliseconds: do it when nobody waits any more.
#[derive(Debug)]
pub struct Reserve(#[expect(dead_code, reason = "held for the blocks it has")] Option<File>);

impl TraceDirectory {
    /// Makes `path` a trace's directory, for its owner only. It must not exist or be empty; its parent must
    /// exist.
    pub fn create_at(path: &Path) -> Result<TraceDirectory> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => take_over_empty(path)?,
            Err(error) => return Err(error).context("create the trace directory", path),
        }
        TraceDirectory::fill(path)
    }

    /// Puts into the empty directory at `path` what every trace has, and locks it.
    fn fill(path: &Path) -> Result<TraceDirectory> {
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&lock_path);
        let lock = lock.context("create", &lock_path)?;
        // A reader may hold it for the moment that it takes to look.
        lock.lock().context("lock", &lock_path)?;
        let files = path.join(FILES);
        DirBuilder::new().mode(0o700).create(&files).context("create", &files)?;
        Ok(TraceDirectory { path: path.to_owned(), _lock: lock, reserve: Reserve::in_directory(path)? })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does `write`, which is given [`Self::path`] and is for what is written last (the end mark, the manifest); if the disk
    /// is full, once more in the space that was set aside when the directory was made. A full disk must not keep the trace from
    /// saying that the disk was full.
    pub fn write_last(&mut self, mut write: impl FnMut(&Path) -> Result<()>) -> Result<()> {
        match write(&self.path) {
            Err(error) if error.is_storage_full() => {
                self.release_reserve();
                write(&self.path)
            }
            result => result,
        }
    }

    /// Frees the space that was set aside: what was to be written last is written, or there is no room for it.
    pub fn release_reserve(&mut self) {
        self.reserve = Reserve(None);
    }

    /// Unlocks the trace, which is complete. What is returned is still to be dropped.
    pub fn unlock(self) -> Reserve {
        self.reserve
    }
}

impl Reserve {
    /// Sets the space aside, on file systems that can.
    fn in_directory(directory: &Path) -> Result<Reserve> {
        let path = directory.join(RESERVE);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.context("create", &path)?;
        std::fs::remove_file(&path).context("remove", &path)?;
        // SAFETY: the descriptor is open for as long as `file` lives; fallocate touches no memory of ours.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, RESERVE_BYTES) } == 0 {
            return Ok(Reserve(Some(file)));
        }
        match io::Error::last_os_error() {
            // A file system that cannot: then a full disk may cost the manifest's last version.
            error if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Reserve(None)),
            error => Err(error).context("set disk space aside in", directory),
        }
    }
}

/// Whether the trace in `directory` is being recorded at this moment.
pub fn is_being_recorded(directory: &Path) -> Result<bool> {
    let Some((lock, path)) = open_lock(directory)? else { return Ok(false) };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error).context("look at the lock of", &path),
    }
}

/// Waits until the trace in `directory` is no longer being recorded.
pub fn wait_until_recorded(directory: &Path) -> Result<()> {
    let Some((lock, path)) = open_lock(directory)? else { return Ok(()) };
    lock.lock_shared().context("wait for the lock of", &path)
}

/// The lock file of the trace in `directory`; `None` if it has none, as a copied trace may.
fn open_lock(directory: &Path) -> Result<Option<(File, PathBuf)>> {
    let path = directory.join(LOCK);
    match open_regular(&path) {
        Ok((file, _)) => Ok(Some((file, path))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // An error if there is no directory either.
            std::fs::metadata(directory).context("open the trace", directory)?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Opens a regular file for reading. A trace may come from anyone: a FIFO in it would block its reader, a
/// device could do anything.
pub(super) fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let file = file.context("open", path)?;
    let metadata = file.metadata().context("look at", path)?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(Error::refused(path, "this is not a regular file"))
    }
}

/// Accepts an existing directory for a new trace if it is empty, and makes it private.
fn take_over_empty(path: &Path) -> Result<()> {
    let mut entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(Error::refused(
                path,
                "this exists and is not a directory; choose another for the trace",
            ));
        }
        entries => entries.context("look into", path)?,
    };
    if entries.next().is_some() {
        let what = "this directory is not empty; choose another for the trace, or remove this one \
                    (if it is a trace: imitate rm)";
        return Err(Error::refused(path, what));
    }
    std::fs::set_permissions(path, Permissions::from_mode(0o700)).context("make private", path)
}

//! What can go wrong with a trace.

use std::io;
use std::path::{Path, PathBuf};

/// Shorthand for results of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a trace could not be written, read or managed. Each message names what failed, on what, and where that
/// helps, what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    System {
        /// What was tried, to follow "cannot".
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file of the trace holds something that no version of Imitate writes.
    #[error("{} is damaged or not part of a trace: at byte {offset}, {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What was expected and what was found.
        what: String,
    },
    /// The trace was written by another version of Imitate.
    #[error(
        "{} has trace format {found}, but this imitate reads format {supported}; \
         use the version of imitate that recorded it",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The format that it says it has.
        found: u32,
        /// The format that this build reads.
        supported: u32,
    },
    /// A stream's bytes are intact, but they are not events.
    #[error("stream {stream}, event {event}: {what}")]
    Event {
        /// The stream.
        stream: u32,
        /// Number of the event in its stream (0 = first).
        event: u64,
        /// What was expected and what was found.
        what: String,
    },
    /// What was asked for would lose or damage something, or makes no sense.
    #[error("{}: {what}", path.display())]
    Refused {
        /// On which file or directory.
        path: PathBuf,
        /// Why, and what to do instead.
        what: String,
    },
    /// A file that the recorded program read is not there, or not as it was.
    #[error("the recorded program read {path} (file {id} of the trace), but {what}")]
    ReferencedFile {
        /// The file's number in the recording.
        id: u64,
        /// Its path, as readable as it gets.
        path: String,
        /// What was expected, what is there now, and what to do.
        what: String,
    },
}

impl Error {
    pub(crate) fn malformed(path: &Path, offset: u64, what: impl Into<String>) -> Error {
        Error::Malformed { path: path.to_owned(), offset, what: what.into() }
    }

    pub(crate) fn refused(path: &Path, what: impl Into<String>) -> Error {
        Error::Refused { path: path.to_owned(), what: what.into() }
    }

    /// The operating system's kind of error, or `InvalidData` for damaged traces and `InvalidInput` for
    /// refusals.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Error::System { source, .. } => source.kind(),
            Error::Malformed { .. } | Error::Version { .. } | Error::Event { .. } => {
                io::ErrorKind::InvalidData
            }
            Error::Refused { .. } => io::ErrorKind::InvalidInput,
            Error::ReferencedFile { .. } => io::ErrorKind::NotFound,
        }
    }

    /// Whether there was no more room for the trace: a full disk, a quota or a file size limit. The recording
    /// stops then, and the program goes on.
    pub fn is_storage_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self.kind(), StorageFull | QuotaExceeded | FileTooLarge)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

/// Adds what was tried, on which path, to an operating system's error.
pub(crate) trait Context<T> {
    /// `action` follows "cannot".
    fn context(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| match source.downcast::<Error>() {
            Ok(inner) => inner,
            Err(source) => Error::System { action, path: path.to_owned(), source },
        })
    }
}

//! Files that the recorded program only read: the trace holds ranges of them by reference, so that a large
//! input is not stored twice. [`Keeper`] makes sure while recording that there will be something to refer to,
//! [`resolve()`] finds it again in replay.

mod hash;
mod keep;
mod resolve;

pub use keep::{Keeper, Policy, compress, is_installed};
pub use resolve::{Resolved, resolve, resolve_program};

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

use super::byte_string::ByteString;
use crate::session::FileMessage;

/// Which file it is and in which state, as far as the kernel tells without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified: u64,
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Identity {
        // Wraps for times before 1970, which is as good for telling states apart.
        let modified = metadata.mtime().wrapping_mul(1_000_000_000).wrapping_add(metadata.mtime_nsec());
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: modified as u64,
        }
    }
}

impl From<&FileMessage> for Identity {
    fn from(message: &FileMessage) -> Identity {
        let &FileMessage { device, inode, size, modified, .. } = message;
        Identity { device, inode, size, modified }
    }
}

/// A file that the recording refers to, in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferencedFile {
    /// The number by which events name it.
    pub id: u64,
    /// Its path when the program met it.
    pub path: ByteString,
    /// Its state when the program met it.
    #[serde(flatten)]
    pub identity: Identity,
    /// XXH3-128 of its whole content in hexadecimal; `None` if it was too large to be read for that.
    pub hash: Option<String>,
    /// Where its content is.
    pub kept: Kept,
}

impl ReferencedFile {
    /// Whether it is what its path leads to now.
    pub fn is_in_place(&self) -> bool {
        std::fs::metadata(self.path.as_path())
            .is_ok_and(|metadata| Identity::from(&metadata) == self.identity)
    }
}

/// Where the content of a [`ReferencedFile`] is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Only where it was.
    Reference,
    /// In the trace, zstd-compressed, as `files/<number>`.
    Copied(u64),
    /// In the trace, as `files/<number>`, sharing disk blocks with the original.
    Reflinked(u64),
    /// Nowhere, for this reason.
    Unavailable(String),
}

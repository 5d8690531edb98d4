//! What a packed trace has beside: all that the loader looks for before the library takes control.

use serde::{Deserialize, Serialize};

use super::byte_string::ByteString;
use super::files::ReferencedFile;

/// A part of the file tree of the machine that a trace was packed on. A replay elsewhere begins in a tree that has nothing
/// else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// Programs, libraries and what the loader reads, all of them in the trace. Their numbers mean nothing.
    pub files: Vec<ReferencedFile>,
    /// Symbolic links that lead to them.
    pub links: Vec<Link>,
    /// The features of the processor, as /proc/cpuinfo lists them.
    pub processor_flags: Vec<String>,
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// Where it is.
    pub path: ByteString,
    /// Where it leads to.
    pub target: ByteString,
}

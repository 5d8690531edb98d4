//! Where libimitate.so is.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The library's file name.
pub const NAME: &str = "libimitate.so";

/// Finds the library: `named` (`$IMITATE_LIBRARY`) if it is given, else beside the executable `tool`, else
/// where the archive or a package puts it relative to that, else where the distribution does.
///
/// Errors: it is nowhere; the message lists where it was looked for.
pub fn find(named: Option<OsString>, tool: &Path) -> io::Result<PathBuf> {
    let candidates = match named {
        Some(path) => vec![PathBuf::from(path)],
        None => {
            let beside = tool.parent().unwrap_or(Path::new("/"));
            let mut candidates: Vec<PathBuf> =
                ["", "../lib/imitate", "../lib"].iter().map(|place| beside.join(place).join(NAME)).collect();
            candidates.push(Path::new("/usr/lib/imitate").join(NAME));
            candidates
        }
    };
    let found = candidates.iter().find(|path| path.is_file());
    match found {
        // The program may change its directory before it executes another.
        Some(path) => path.canonicalize(),
        None => {
            let list: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
            Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "cannot find {NAME}: it is not at {}; set IMITATE_LIBRARY to its path",
                    list.join(", ")
                ),
            ))
        }
    }
}

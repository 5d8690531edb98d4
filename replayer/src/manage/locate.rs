//! Which trace a command is about.

use anyhow::{Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use tracer_core::trace::directory;

/// The directory of the trace that the user named: a path, or a name in the storage directory; without
/// anything, the latest. Fails if there is none.
pub fn locate(named: Option<&Path>) -> Result<PathBuf> {
    let Some(named) = named else { return Ok(directory::latest(&directory::root()?)?) };
    if named.is_dir() {
        return Ok(named.to_owned());
    }
    if named.file_name() == Some(named.as_os_str()) {
        let stored = directory::root()?.join(named);
        if stored.is_dir() {
            return Ok(stored);
        }
        let shown = Path::new(OsStr::new(named)).display();
        bail!("there is no trace {shown}, neither here nor in {}: `imitate ls` lists them", parent(&stored));
    }
    bail!("there is no trace {}: it is not a directory", named.display())
}

fn parent(path: &Path) -> std::path::Display<'_> {
    path.parent().unwrap_or(path).display()
}

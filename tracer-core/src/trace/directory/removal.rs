//! Removing a trace, and nothing else.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::library::forget;
use super::{EVENTS, FILES, LOCK, RESERVE, events_path, is_being_recorded, open_regular};
use crate::trace::chunk::FileHeader;
use crate::trace::error::{Context, Error, Result};
use crate::trace::manifest::{FILE_NAME, Manifest, TEMPORARY_NAME};

/// Every file that a trace may have beside `files/`.
const OWN_FILES: [&str; 5] = [FILE_NAME, TEMPORARY_NAME, EVENTS, LOCK, RESERVE];

/// Removes the trace in `directory`, and lets `latest` beside it point to the newest trace that remains.
///
/// Refuses, before anything is removed, if it is no trace, holds anything that is not part of a trace, or is
/// being recorded.
pub fn remove(directory: &Path) -> Result<()> {
    // Not through a symbolic link: the link would stay, and `directory` may not be what the user believes.
    let metadata = fs::symlink_metadata(directory).context("remove the trace", directory)?;
    if !metadata.is_dir() {
        return Err(Error::refused(
            directory,
            "this is not a trace (it is no directory), so it was not removed",
        ));
    }
    // So that it has a parent even if it was named relative to where we are.
    let directory = &directory.canonicalize().context("find the way to", directory)?;
    let files = parts(directory)?;
    if !is_trace(directory, &files) {
        let what = "this is not a trace, or so damaged that it cannot be recognised, so it was not removed";
        return Err(Error::refused(directory, what));
    }
    if is_being_recorded(directory)? {
        let what = "this trace is being recorded, so it was not removed; end the program first";
        return Err(Error::refused(directory, what));
    }
    for file in files {
        fs::remove_file(&file).context("remove", &file)?;
    }
    match fs::remove_dir(directory.join(FILES)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).context("remove", &directory.join(FILES));
        }
        _ => fs::remove_dir(directory).context("remove", directory)?,
    }
    match (directory.parent(), directory.file_name()) {
        (Some(root), Some(name)) => forget(root, name),
        _ => Ok(()),
    }
}

/// The paths of all files in a trace; an error if there is something that no trace has.
fn parts(directory: &Path) -> Result<Vec<PathBuf>> {
    let foreign = |path: &Path| {
        let what = "this is not part of a trace, so the directory it is in was not removed";
        Err(Error::refused(path, what))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).context("look into", directory)? {
        let path = entry.context("look into", directory)?.path();
        let is_directory = fs::symlink_metadata(&path).context("look at", &path)?.is_dir();
        let name = path.file_name().unwrap_or_default();
        if name == FILES && is_directory {
            for kept in fs::read_dir(&path).context("look into", &path)? {
                let kept = kept.context("look into", &path)?.path();
                let name = kept.file_name().unwrap_or_default().as_bytes();
                if !name.iter().all(u8::is_ascii_digit) || kept.is_dir() {
                    return foreign(&kept);
                }
                files.push(kept);
            }
        } else if is_directory || !OWN_FILES.iter().any(|own| name == *own) {
            return foreign(&path);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// Whether the files of a directory show that imitate made it: a manifest or events of whatever version, or
/// the bare beginning that remains when a recorder is killed at once.
fn is_trace(directory: &Path, files: &[PathBuf]) -> bool {
    if matches!(Manifest::load(directory), Ok(_) | Err(Error::Version { .. })) {
        return true;
    }
    let mut header = [0; FileHeader::SIZE];
    if let Ok((events, _)) = open_regular(&events_path(directory))
        && events.read_exact_at(&mut header, 0).is_ok()
        && FileHeader::version(&header).is_ok()
    {
        return true;
    }
    let [lock, reserve] = [LOCK, RESERVE].map(|name| directory.join(name));
    files.contains(&lock) && files.iter().all(|file| [&lock, &reserve].contains(&file))
}

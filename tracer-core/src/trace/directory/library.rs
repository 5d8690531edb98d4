//! Where traces live when no directory is named, and what is there.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use super::{EVENTS, TraceDirectory, is_being_recorded};
use crate::trace::error::{Context, Error, Result};
use crate::trace::manifest::{self, Manifest};

/// Name of the symbolic link to the trace that was begun last.
const LATEST: &str = "latest";

/// Most bytes of a program's name in a trace's name; file systems allow 255 for the whole.
const NAME_BYTES: usize = 200;

/// Where traces live: `$IMITATE_DIR`, else `$XDG_DATA_HOME/imitate`, else `~/.local/share/imitate`. It need
/// not exist. Errors: none of the three is set.
pub fn root() -> Result<PathBuf> {
    root_from(|name| std::env::var_os(name))
}

/// As [`root`], in the environment that `variable` answers for.
pub fn root_from(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(directory) = set("IMITATE_DIR") {
        return Ok(directory);
    }
    // The XDG base directory specification has relative paths ignored.
    if let Some(data) = set("XDG_DATA_HOME").filter(|path| path.is_absolute()) {
        return Ok(data.join("imitate"));
    }
    set("HOME").map(|home| home.join(".local/share/imitate")).ok_or_else(|| {
        Error::refused(
            Path::new("~/.local/share/imitate"),
            "HOME is not set, so there is no place for traces; set IMITATE_DIR or name a directory",
        )
    })
}

/// Makes a new trace's directory under `root`, called after the program and the next free number, and lets
/// `latest` point to it. Any number of processes may do so at once.
pub fn create_in(root: &Path, program: &Path) -> Result<TraceDirectory> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .context("create the directory of traces", root)?;
    let prefix = prefix(program);
    let mut number = next_number(root, &prefix)?;
    loop {
        let name = OsString::from_vec([&prefix, number.to_string().as_bytes()].concat());
        let path = root.join(&name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {
                let directory = TraceDirectory::fill(&path)?;
                point_latest(root, &name)?;
                return Ok(directory);
            }
            // Someone else was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error).context("create the trace directory", &path),
        }
    }
}

/// What a trace's name begins with.
fn prefix(program: &Path) -> Vec<u8> {
    let typed = program.file_name().unwrap_or_default().as_bytes();
    // What begins with `-`, as a login shell's name does, would be an option wherever the trace is named.
    let hyphens = typed.iter().take_while(|byte| **byte == b'-').count();
    let name = &typed[hyphens..typed.len().min(hyphens + NAME_BYTES)];
    [if name.is_empty() { b"program" } else { name }, b"-"].concat()
}

/// One more than the highest number that follows `prefix` in `root`.
fn next_number(root: &Path, prefix: &[u8]) -> Result<u64> {
    let mut highest = 0;
    for entry in fs::read_dir(root).context("look into", root)? {
        let name = entry.context("look into", root)?.file_name();
        let number = name.as_bytes().strip_prefix(prefix).and_then(|digits| std::str::from_utf8(digits).ok());
        highest = highest.max(number.and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0));
    }
    Ok(u64::from(highest) + 1)
}

/// The trace that `latest` points to. Errors: nothing was recorded in `root` yet, or it was removed.
pub fn latest(root: &Path) -> Result<PathBuf> {
    let link = root.join(LATEST);
    match fs::read_link(&link) {
        Ok(name) => {
            let path = root.join(name);
            fs::metadata(&path).context("open the latest trace", &path)?;
            Ok(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Error::refused(root, "no trace is here yet; record one, or name its directory"))
        }
        Err(error) => Err(error).context("read the link", &link),
    }
}

/// Lets `latest` point to the trace `name`. A link that is made aside and renamed is never missing.
fn point_latest(root: &Path, name: &OsStr) -> Result<()> {
    let link = root.join(LATEST);
    if fs::symlink_metadata(&link).is_ok_and(|metadata| !metadata.is_symlink()) {
        return Err(Error::refused(
            &link,
            "this is not the symbolic link that imitate keeps here; rename it",
        ));
    }
    // The trace's name is unique, so the temporary one is.
    let temporary = root.join(OsString::from_vec([b".latest-", name.as_bytes()].concat()));
    symlink(name, &temporary).and_then(|()| fs::rename(&temporary, &link)).context("update the link", &link)
}

/// After the trace `name` of `root` was removed: `latest` must not point to it.
pub(super) fn forget(root: &Path, name: &OsStr) -> Result<()> {
    let link = root.join(LATEST);
    if !fs::read_link(&link).is_ok_and(|target| target == Path::new(name)) {
        return Ok(());
    }
    match list(root)?.last().and_then(|listed| listed.path.file_name()) {
        Some(newest) => point_latest(root, newest),
        None => fs::remove_file(&link).context("remove the link", &link),
    }
}

/// A trace in the directory of traces.
#[derive(Debug)]
pub struct Listed {
    /// Where it is; the last component is its name.
    pub path: PathBuf,
    /// Bytes of all its files.
    pub size: u64,
    /// Whether it is being recorded at this moment.
    pub being_recorded: bool,
    /// Its manifest, or why it cannot be read.
    pub manifest: Result<Manifest>,
}

/// The traces in `root`, those with the latest beginning last; those without a readable manifest come first.
/// None, if `root` does not exist.
pub fn list(root: &Path) -> Result<Vec<Listed>> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.context("look into", root)?,
    };
    let mut traces = Vec::new();
    for entry in entries {
        let entry = entry.context("look into", root)?;
        let path = entry.path();
        let present = |name: &str| fs::symlink_metadata(path.join(name)).is_ok();
        if entry.file_type().context("look at", &path)?.is_dir()
            && (present(manifest::FILE_NAME) || present(EVENTS))
        {
            traces.push(Listed {
                size: size(&path).context("measure", &path)?,
                being_recorded: is_being_recorded(&path).unwrap_or(false),
                manifest: Manifest::load(&path),
                path,
            });
        }
    }
    traces.sort_by_cached_key(|trace| {
        (trace.manifest.as_ref().map_or(0, |manifest| manifest.began), trace.path.clone())
    });
    Ok(traces)
}

/// Bytes of all regular files in a trace; what vanishes meanwhile counts nothing.
fn size(directory: &Path) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        total += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path())?,
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => 0,
        };
    }
    Ok(total)
}

//! What a trace says about how its program was started.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::companion::objects;
use crate::companion::writer::host::{LOADER_CACHE, loader_cache};
use crate::trace::chunk::Index;
use crate::trace::directory::events_path;
use crate::trace::files::{Resolved, resolve_program};
use crate::trace::manifest::Manifest;
use crate::trace::reader::{Body, Events, Item};
use crate::trace::{Error, Result};

/// How the first process of a recording was started. A replay starts it in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedStart {
    /// The executable's absolute path.
    pub executable: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its environment as it saw it, each `NAME=value`.
    pub environment: Vec<OsString>,
    /// Its current directory.
    pub directory: PathBuf,
    /// Soft and hard RLIMIT_STACK in bytes.
    pub stack_limit: [u64; 2],
    /// The number by which the trace keeps the executable's content, if it does.
    pub content: Option<u64>,
    /// Its `/proc/self/maps` when the library took control.
    pub maps: Vec<u8>,
}

/// Reads how the recording in `directory` was started.
///
/// Errors: the trace cannot be read, or was cut short before its first event.
pub fn recorded_start(directory: &Path) -> Result<RecordedStart> {
    let path = events_path(directory);
    let index = Index::open(&path)?;
    let refuse = |what: &str| Error::Refused { path: path.clone(), what: what.into() };
    let empty = "the recording ended before the program began; there is nothing to replay";
    let stream = index.stream(0).ok_or_else(|| refuse(empty))?;
    let event = Events::new(0, stream).next().ok_or_else(|| refuse(empty))??;
    let Body::Start { items } = &event.body else {
        return Err(Error::Event {
            stream: 0,
            event: 0,
            what: format!("expected the start of a program, found an event of kind {:?}", event.kind),
        });
    };
    let mut start = RecordedStart {
        executable: PathBuf::new(),
        arguments: Vec::new(),
        environment: Vec::new(),
        directory: PathBuf::new(),
        stack_limit: [0; 2],
        content: None,
        maps: Vec::new(),
    };
    let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    for item in items.iter() {
        match item {
            Item::Executable { path } => start.executable = PathBuf::from(OsStr::from_bytes(path)),
            Item::Arguments { strings } => start.arguments = strings.map(owned).collect(),
            Item::Environment { strings } => start.environment = strings.map(owned).collect(),
            Item::Directory { path } => start.directory = PathBuf::from(OsStr::from_bytes(path)),
            Item::MapFile { file, .. } => start.content = Some(file),
            Item::Maps { text } => start.maps = text.to_vec(),
            Item::Identity { identity } => start.stack_limit = identity.stack_limit,
            _ => {}
        }
    }
    if start.executable.as_os_str().is_empty() || start.stack_limit[0] == 0 {
        let what = "the program's start lacks its executable or its identity".into();
        return Err(Error::Event { stream: 0, event: 0, what });
    }
    Ok(start)
}

/// Checks that every file that the recorded programs ran is what it was, and ld.so's cache as large. The messages, one for
/// each file that is not, say which and how it differs.
///
/// Programs whose content the trace keeps are left out: they can be other ones, or gone.
pub fn changed_objects(manifest: &Manifest) -> Vec<String> {
    let needed = manifest.objects.iter().filter(|object| !manifest.keeps_program(object));
    needed.filter_map(|object| objects::verify(object).err()).chain(changed_cache(manifest)).collect()
}

/// What to say if libraries would be mapped elsewhere than in the recording.
fn changed_cache(manifest: &Manifest) -> Option<String> {
    const PAGE: u64 = 4096;
    let (then, now) = (manifest.host.loader_cache, loader_cache());
    (then.div_ceil(PAGE) != now.div_ceil(PAGE)).then(|| {
        format!(
            "{LOADER_CACHE} has {now} bytes and had {then}, so libraries would be loaded at other addresses: packages were \
             installed or removed since (a trace that was packed by `imitate pack` before would replay)"
        )
    })
}

/// Where the content of the first process's executable is now, if the trace keeps it and the original cannot be
/// taken. The path holds for as long as the result lives.
///
/// Errors: [`Error::ReferencedFile`] says why it is nowhere.
pub fn recorded_program(
    directory: &Path,
    manifest: &Manifest,
    start: &RecordedStart,
) -> Result<Option<Resolved>> {
    let Some(content) = start.content else { return Ok(None) };
    let resolved = resolve_program(directory, manifest.file(content)?)?;
    Ok((resolved.path != start.executable).then_some(resolved))
}

//! What the loader maps and reads before the library takes control, and the names by which it finds it.

use anyhow::{Context, Result, ensure};
use object::Endianness;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use tracer_core::companion::launch::{LIBRARY_NAME, changed_objects};
use tracer_core::companion::writer::host::LOADER_CACHE;
use tracer_core::trace::files::{Identity, Kept, ReferencedFile};
use tracer_core::trace::manifest::{Manifest, MappedObject};
use tracer_core::trace::packed::Link;

/// What ld.so reads, if it is there.
const READ: [&str; 2] = [LOADER_CACHE, "/etc/ld.so.preload"];

/// The files, which are kept by reference, and links that lead to them.
pub fn loaded(manifest: &Manifest) -> Result<(Vec<ReferencedFile>, Vec<Link>)> {
    let changed = changed_objects(manifest);
    ensure!(changed.is_empty(), "the trace cannot be packed any more:\n{}", changed.join("\n"));
    let needed = manifest.objects.iter().filter(|object| !is_own(object) && !manifest.keeps_program(object));
    let paths: BTreeSet<PathBuf> = needed.map(|object| object.path.as_path().to_owned()).collect();
    let mut links = BTreeSet::new();
    for path in &paths {
        lead_to(path, &mut links)?;
        if let Some(interpreter) = interpreter(path) {
            follow(&interpreter, &mut links)?;
        }
    }
    for file in &manifest.files {
        if let Some(interpreter) = interpreter(file.path.as_path()) {
            follow(&interpreter, &mut links)?;
        }
    }
    top_level(&mut links)?;
    let read = READ.iter().map(PathBuf::from).filter(|path| path.is_file());
    let files = paths.into_iter().chain(read).map(refer).collect::<Result<_>>()?;
    Ok((files, links.into_iter().collect()))
}

/// The library that records and replays is the tool's.
fn is_own(object: &MappedObject) -> bool {
    object.path.as_path().file_name() == Some(OsStr::new(LIBRARY_NAME))
}

fn refer(path: PathBuf) -> Result<ReferencedFile> {
    let metadata = path.metadata().with_context(|| format!("cannot look at {}", path.display()))?;
    let identity = Identity::from(&metadata);
    Ok(ReferencedFile { id: 0, path: path.into(), identity, hash: None, kept: Kept::Reference })
}

fn add(path: PathBuf, links: &mut BTreeSet<Link>) -> Result<PathBuf> {
    let target = path.read_link().with_context(|| format!("cannot read the link {}", path.display()))?;
    links.insert(Link { path: path.into(), target: target.clone().into() });
    Ok(target)
}

/// Links beside a library that lead to it: by its soname it is asked for.
fn lead_to(library: &Path, links: &mut BTreeSet<Link>) -> Result<()> {
    let Some(directory) = library.parent() else { return Ok(()) };
    for entry in directory.read_dir().with_context(|| format!("cannot look into {}", directory.display()))? {
        let path = entry.with_context(|| format!("cannot look into {}", directory.display()))?.path();
        if path.is_symlink() && path.canonicalize().is_ok_and(|target| target == library) {
            follow(&path, links)?;
        }
    }
    Ok(())
}

/// Links in the root directory, such as /lib.
fn top_level(links: &mut BTreeSet<Link>) -> Result<()> {
    for entry in Path::new("/").read_dir().context("cannot look into /")? {
        let path = entry.context("cannot look into /")?.path();
        if path.is_symlink() && path.is_dir() {
            add(path, links)?;
        }
    }
    Ok(())
}

/// The links on the way that a path names.
fn follow(path: &Path, links: &mut BTreeSet<Link>) -> Result<()> {
    const MOST: usize = 40;
    let mut rest: Vec<_> = path.components().map(|part| part.as_os_str().to_owned()).rev().collect();
    let mut at = PathBuf::from("/");
    let mut followed = 0;
    while let Some(part) = rest.pop() {
        match Path::new(&part).components().next() {
            Some(Component::Normal(name)) => {
                let next = at.join(name);
                if next.is_symlink() && followed < MOST {
                    followed += 1;
                    let target = add(next, links)?;
                    rest.extend(target.components().map(|part| part.as_os_str().to_owned()).rev());
                } else {
                    at = next;
                }
            }
            Some(Component::ParentDir) => {
                at.pop();
            }
            Some(Component::RootDir) => at = PathBuf::from("/"),
            _ => {}
        }
    }
    Ok(())
}

/// What the kernel loads a program with.
fn interpreter(program: &Path) -> Option<PathBuf> {
    let file = std::fs::File::open(program).ok()?;
    let cache = object::ReadCache::new(&file);
    let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    let all = header.program_headers(endian, &cache).ok()?;
    let found = all.iter().find(|segment| segment.p_type(endian) == PT_INTERP)?;
    let bytes = found.data(endian, &cache).ok()?;
    Some(PathBuf::from(OsStr::from_bytes(bytes.strip_suffix(b"\0").unwrap_or(bytes))))
}

//! Which function, line or variable is at an address of a recorded process.
//!
//! The trace says which files were mapped where; they are read where they lie now, or from the trace's copy.

use super::super::family::{Family, text};
use super::super::recording::Recording;
use super::super::walk::{Seen, walk};
use crate::divergence::loaded::LoadedObject;
use crate::divergence::{Mapping, Stacks};
use anyhow::Result;
use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tracer_core::trace::files::{Resolved, resolve_program};
use tracer_core::trace::reader::{Body, Item};

/// An address space: the first stream of a process, and how many images it had begun, one that a fork's child got from its
/// parent not counted.
pub type Space = (u32, u32);

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// libc's, or the loader's.
    Libc,
    /// The program's, or another library's.
    Other,
}

/// See the module.
pub struct Images {
    mapped: HashMap<Space, Vec<Mapping>>,
    /// Programs that are not where they were, or not as they were.
    copies: HashMap<PathBuf, Resolved>,
    loaded: RefCell<HashMap<(Space, PathBuf), Option<LoadedObject>>>,
}

impl Images {
    /// Of a trace in `directory`.
    pub fn of(directory: &Path, recording: &Recording, family: &Family) -> Result<Images> {
        let mut images =
            Images { mapped: HashMap::new(), copies: HashMap::new(), loaded: RefCell::new(HashMap::new()) };
        let mut begun = HashMap::<u32, u32>::new();
        walk(recording, family, |seen, objects| {
            let leader = family.leader(seen.stream);
            if let Body::Start { items } = &seen.event.body {
                let count = begun.entry(leader).or_default();
                *count += 1;
                let maps = items.iter().find_map(|item| match item {
                    Item::Maps { text } => Some(at_start(text)),
                    _ => None,
                });
                images.mapped.insert((leader, *count), maps.unwrap_or_default());
            }
            let space = (leader, begun.get(&leader).copied().unwrap_or(0));
            if let Some(path) = seen.object.and_then(|object| objects.get(object)).map(|object| &object.name)
                && let Some(mapping) = mapped(seen, path)
            {
                images.mapped.entry(space).or_default().push(mapping);
            }
            for created in super::super::order::created_streams(seen.event) {
                if family.members.get(&created).is_some_and(|member| !member.is_thread) {
                    let copy = images.mapped.get(&space).map(|all| all.iter().map(copy).collect());
                    images.mapped.insert((created, 0), copy.unwrap_or_default());
                }
            }
            Ok(true)
        })?;
        for file in recording.manifest.files.iter().filter(|file| !file.is_in_place()) {
            if let Ok(resolved) = resolve_program(directory, file) {
                images.copies.insert(file.path.as_path().to_owned(), resolved);
            }
        }
        Ok(images)
    }

    /// `function at file:line` of the call before `caller`, as far as that is known.
    pub fn call_site(&self, space: Space, caller: u64) -> String {
        // The instruction before a return address is the call; the one behind may be another function's.
        let found = self.look_up(space, caller.wrapping_sub(1), |object, probe| {
            let (function, line) = object.look_up(probe);
            let place = line.unwrap_or_else(|| name(&object.path));
            match function {
                Some(function) => text(format!("{function} at {place}").as_bytes()),
                None => text(format!("{place}+{probe:#x}").as_bytes()),
            }
        });
        found.unwrap_or_else(|| format!("{caller:#x}"))
    }

    /// Whether there is code at `address`, and whose: libc's and the loader's, or another's.
    pub fn code(&self, space: Space, address: u64) -> Option<Code> {
        let path = self
            .look_up(space, address, |object, probe| object.is_code(probe).then(|| object.path.clone()))??;
        let is_libc = kmod_shim::maps::is_of_libc(path.as_os_str().as_bytes());
        Some(if is_libc { Code::Libc } else { Code::Other })
    }

    /// The name of the function that an instruction is in, if that has one.
    pub fn function(&self, space: Space, address: u64) -> Option<String> {
        self.look_up(space, address, LoadedObject::function)?
    }

    /// Whether the instruction comes from the code by which a language's library makes atomic accesses, as far as debug
    /// information tells.
    pub fn is_library_of_atomics(&self, space: Space, address: u64) -> bool {
        // libstdc++'s <atomic> and what it includes, libc++'s, and Rust's core::sync::atomic.
        const FILES: [&str; 5] =
            ["atomic", "atomic_base.h", "atomic_wait.h", "cxx_atomic_impl.h", "atomic.rs"];
        let line = self.look_up(space, address, |object, probe| object.look_up(probe).1).flatten();
        line.is_some_and(|line| line.rsplit_once(':').is_some_and(|(file, _)| FILES.contains(&file)))
    }

    /// What is needed to find the functions on stacks there.
    pub fn stacks(&self, space: Space) -> Stacks {
        let mut stacks = Stacks::default();
        let all = self.mapped.get(&space).map_or(&[][..], Vec::as_slice);
        for group in all.chunk_by(|one, next| one.path == next.path) {
            let copy = self.copies.get(&group[0].path).map(|copy| copy.path.as_path());
            stacks.add(group, copy);
        }
        stacks
    }

    /// A variable's name, and how far in it `address` is, or the address.
    pub fn variable(&self, space: Space, address: u64) -> String {
        let named = self.look_up(space, address, LoadedObject::variable).flatten();
        named.map_or_else(|| format!("{address:#x}"), |name| text(name.as_bytes()))
    }

    fn look_up<R>(
        &self,
        space: Space,
        address: u64,
        look: impl FnOnce(&LoadedObject, u64) -> R,
    ) -> Option<R> {
        let all = self.mapped.get(&space)?;
        let here = all.iter().rposition(|mapping| mapping.addresses.contains(&address)).or_else(|| {
            // What the file's last page has no room for is in a mapping without a name, right behind.
            all.iter().rposition(|mapping| {
                let end = mapping.addresses.end;
                (end..end.saturating_add(BEHIND)).contains(&address)
            })
        })?;
        let path = &all[here].path;
        let mut loaded = self.loaded.borrow_mut();
        let object = loaded.entry((space, path.clone())).or_insert_with(|| {
            let same: Vec<Mapping> = all.iter().filter(|mapping| &mapping.path == path).map(copy).collect();
            LoadedObject::open(&same, self.copies.get(path).map(|copy| copy.path.as_path()))
        });
        let object = object.as_ref()?;
        Some(look(object, address.wrapping_sub(object.bias)))
    }
}

/// How far behind a file's mappings its variables that are zero at first are looked for.
const BEHIND: u64 = 1 << 20;

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn copy(mapping: &Mapping) -> Mapping {
    Mapping { addresses: mapping.addresses.clone(), offset: mapping.offset, path: mapping.path.clone() }
}

/// The files in a `/proc/self/maps`.
fn at_start(maps: &[u8]) -> Vec<Mapping> {
    let files = kmod_shim::maps::parse(maps).filter(|mapping| mapping.name.starts_with(b"/"));
    files
        .map(|mapping| Mapping {
            addresses: mapping.begin..mapping.end.max(mapping.begin),
            offset: mapping.offset,
            path: path(mapping.name),
        })
        .collect()
}

fn path(bytes: &[u8]) -> PathBuf {
    std::ffi::OsStr::from_bytes(bytes).into()
}

/// What a call has mapped of the file of this name.
fn mapped(seen: &Seen, name: &[u8]) -> Option<Mapping> {
    let call = seen.call.as_ref().filter(|call| call.number == libc::SYS_mmap && call.succeeded())?;
    let [_, length, _, _, _, offset] = call.arguments;
    let start = call.result as u64;
    let end = start.checked_add(length.checked_next_multiple_of(4096)?)?;
    Some(Mapping { addresses: start..end, offset, path: path(name) })
}

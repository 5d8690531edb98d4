//! What sync order does not see of a program: atomic operations in its own code, some of what it does by OpenMP, and Go's runtime.
//!
//! They are looked for in the files that a process has loaded when its second thread begins (with one thread there is
//! nothing to order), by this process, while the program runs; and once more at the end, in what was loaded later. Not
//! looked at are libc and its companions and OpenMP's runtime, whose objects are ordered as a whole, and the run-time libraries of C++ and C,
//! which every C++ program has: what these have are reference counts and guards. Reference counts do matter (who drops the last
//! one frees the object), but the counts of a program's own objects are in its own code, where they are counted.

mod runtimes;
mod scan;

use super::attendant::Attendant;
use memmap2::Mmap;
use runtimes::Unordered;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracer_core::companion::memory::ControlMapping;
use tracer_core::session::{Control, Slot};
use tracer_core::tell;
use tracer_core::trace::manifest::Manifest;

/// How the names of files begin that are not looked at: glibc's, and the compilers' run-time libraries.
const KNOWN: [&str; 18] = [
    "ld-linux",
    "libBrokenLocale.",
    "libanl.",
    "libc.",
    "libc_malloc_debug.",
    "libdl.",
    "libgcc_s.",
    "libgomp.",
    "libimitate",
    "libm.",
    "libmvec.",
    "libnsl.",
    "libnss_",
    "libpthread.",
    "libresolv.",
    "librt.",
    "libstdc++.",
    "libutil.",
];
/// Files that are named; of more than these the number is told.
const NAMED: usize = 3;

/// Files that have been looked at, and what was found.
#[derive(Default)]
struct Findings {
    seen: BTreeSet<PathBuf>,
    /// Not told yet: files, and how many places each has.
    found: Vec<(PathBuf, usize)>,
    /// Not told yet: files, and what in each is not ordered.
    unordered: Vec<(PathBuf, Unordered)>,
}

impl Findings {
    /// Looks at a file that a process has loaded, if it is one to be looked at.
    fn look_at(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().as_bytes();
        let is_known = KNOWN.iter().any(|known| name.starts_with(known.as_bytes()));
        if is_known || !self.seen.insert(path.to_owned()) {
            return;
        }
        // What cannot be read any more has no use for a warning either.
        let Ok(file) = File::open(path) else { return };
        // SAFETY: who truncates a program while it runs breaks it in the same way.
        let Ok(bytes) = (unsafe { Mmap::map(&file) }) else { return };
        let count = scan::count(&bytes);
        if count != 0 {
            self.found.push((path.to_owned(), count));
        }
        if let Some(runtime) = runtimes::unordered(&bytes) {
            self.unordered.push((path.to_owned(), runtime));
        }
    }

    /// Says what has been found since the last time, in a line for each kind.
    fn tell(&mut self) {
        let unordered = std::mem::take(&mut self.unordered);
        if !unordered.is_empty() {
            let names = names(&unordered);
            tell!(
                "sync order does not order what runtimes do in {names}; a replay may diverge: use --order serial"
            );
        }
        if let Some(line) = line(std::mem::take(&mut self.found)) {
            tell!("{line}");
        }
    }
}

/// The line, if anything was found. Most comes first.
fn line(mut found: Vec<(PathBuf, usize)>) -> Option<String> {
    found.sort_by(|(one, more), (other, less)| less.cmp(more).then(one.cmp(other)));
    (!found.is_empty()).then(|| {
        format!(
            "sync order does not see the inline atomics of {}; a replay may diverge: use --order serial, or \
             rebuild with imitate cc",
            names(&found)
        )
    })
}

/// The first of these files, what is to be said of each, and how many more there are.
fn names(found: &[(PathBuf, impl Display)]) -> String {
    let named = found.iter().take(NAMED).map(|(path, what)| {
        format!("{} ({what})", path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
    });
    let further = match found.len().saturating_sub(NAMED) {
        0 => String::new(),
        1 => " and another file".to_owned(),
        further => format!(" and {further} other files"),
    };
    named.collect::<Vec<_>>().join(", ") + &further
}

/// Looks at what a recording's processes load, for as long as it goes on.
pub struct Watch(Attendant<Findings>);

impl Watch {
    /// Begins to look.
    pub fn begin(control: Arc<ControlMapping>) -> Watch {
        Watch(Attendant::begin(control, |control| &control.parallel, Findings::default(), look_at_loaded))
    }

    /// The recording has ended, and `trace` is complete: looks at what was loaded meanwhile.
    pub fn finish(self, trace: &Path) {
        if let Some((mut findings, true)) = self.0.finish()
            && let Ok(manifest) = Manifest::load(trace)
        {
            look_at_all(&mut findings, &manifest);
        }
    }
}

/// Looks at what is loaded by the processes that have got their second threads.
fn look_at_loaded(findings: &mut Findings, control: &Control) {
    let asks = |slot: &&Slot| slot.parallel.swap(0, Ordering::Acquire) != 0;
    for slot in control.used_slots().iter().filter(asks) {
        let process = slot.process.load(Ordering::Relaxed);
        // It may have ended, or its ids may be those of another namespace: then it is looked at when the trace is complete.
        let Ok(maps) = std::fs::read(format!("/proc/{process}/maps")) else { continue };
        for mapping in kmod_shim::maps::parse(&maps) {
            if mapping.executable && mapping.name.starts_with(b"/") {
                findings.look_at(Path::new(OsStr::from_bytes(mapping.name)));
            }
        }
    }
    findings.tell();
}

fn look_at_all(findings: &mut Findings, manifest: &Manifest) {
    for object in &manifest.objects {
        findings.look_at(object.path.as_path());
    }
    findings.tell();
}

/// Says the same of a recording that was made, if there are threads in it.
pub fn tell_of(trace: &Path) {
    let Ok(manifest) = Manifest::load(trace) else { return };
    let processes: BTreeSet<u32> = manifest.processes.iter().map(|process| process.stream).collect();
    if manifest.totals.streams > processes.len() as u64 {
        look_at_all(&mut Findings::default(), &manifest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_names_the_worst() {
        let found = |counts: &[(&str, usize)]| {
            line(counts.iter().map(|(path, count)| (PathBuf::from(path), *count)).collect())
        };
        assert_eq!(found(&[]), None);
        let said = found(&[("/lib/liba.so.1", 2), ("/home/x/app", 12)]).unwrap();
        assert!(said.contains("of app (12), liba.so.1 (2);"), "{said}");
        let said = found(&[("/a", 1), ("/b", 2), ("/c", 3), ("/d", 4), ("/e", 5)]).unwrap();
        assert!(
            said.contains("of e (5), d (4), c (3) and 2 other files;") && said.lines().count() == 1,
            "{said}"
        );
    }
}

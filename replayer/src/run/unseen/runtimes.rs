//! What a program has of runtimes that order threads by themselves, where sync order does not see it.

use object::{File, Object};
use std::fmt;

/// Functions of libgomp's that wait and choose in one. What belongs to tasks as well, to wait for them or to group them, comes
/// with one of these.
const UNORDERED: [&str; 7] = [
    "GOMP_cancel",
    "GOMP_single_copy_start",
    "GOMP_task",
    "GOMP_taskloop",
    "GOMP_taskloop_ull",
    "omp_fulfill_event",
    "omp_test_nest_lock",
];
/// Where a program built by Go has its functions' names and lines, for its runtime (`runtime/symtab.go`). It has no unwind tables,
/// by which atomic operations are found in others.
const OF_GO: &str = ".gopclntab";

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unordered {
    /// The first of OpenMP's functions that is not ordered.
    OpenMp(&'static str),
    /// Go's runtime, which has a scheduler of its own.
    Go,
}

impl fmt::Display for Unordered {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Unordered::OpenMp(function) => write!(to, "OpenMP's {function}"),
            Unordered::Go => to.write_str("Go's runtime"),
        }
    }
}

/// What the file has of these.
pub fn unordered(file: &[u8]) -> Option<Unordered> {
    let file = File::parse(file).ok()?;
    if file.section_by_name(OF_GO).is_some() {
        return Some(Unordered::Go);
    }
    let imports = file.imports().ok()?;
    let is_imported = |function: &&str| imports.iter().any(|import| import.name() == function.as_bytes());
    UNORDERED.into_iter().find(is_imported).map(Unordered::OpenMp)
}

//! What a program calls of OpenMP's runtime that sync order leaves as it is: what waits and chooses in one function.

use object::{File, Object};

/// Such functions of libgomp's. What belongs to tasks as well, to wait for them or to group them, comes with one of these.
const UNORDERED: [&str; 7] = [
    "GOMP_cancel",
    "GOMP_single_copy_start",
    "GOMP_task",
    "GOMP_taskloop",
    "GOMP_taskloop_ull",
    "omp_fulfill_event",
    "omp_test_nest_lock",
];

/// The first such function that a file's dynamic symbols ask for.
pub fn unordered(file: &[u8]) -> Option<&'static str> {
    let imports = File::parse(file).ok()?.imports().ok()?;
    UNORDERED.into_iter().find(|function| imports.iter().any(|import| import.name() == function.as_bytes()))
}

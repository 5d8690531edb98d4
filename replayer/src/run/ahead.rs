//! Looking through libc's code for the program, which has to know where instructions with different results are before it
//! begins (`kmod_shim::patch::unpredictable`). Every program has libc, this one too, and this one has nothing to do while the
//! other is loaded: a third of a millisecond that `date` does not wait.

use kmod_shim::maps::{self, Mapping};
use kmod_shim::patch::{object::Object, unpredictable};
use std::ffi::CString;
use std::mem::MaybeUninit;
use tracer_core::session::{Control, code_key};

/// The file's name, wherever it is.
const LIBRARY: &[u8] = b"/libc.so.6";

/// Leaves in the session what is found. If anything is in the way, the program looks by itself.
pub fn search(control: &Control) {
    let Ok(text) = std::fs::read("/proc/self/maps") else { return };
    let mappings: Vec<_> = maps::parse(&text).filter(|mapping| mapping.name.ends_with(LIBRARY)).collect();
    let first = mappings.iter().find(|mapping| mapping.offset == 0);
    let code = mappings.iter().find(|mapping| mapping.executable);
    if let (Some(first), Some(code)) = (first, code) {
        // Nothing is left if it is none of ours.
        let _ = search_code(control, first, code);
    }
}

fn search_code(control: &Control, first: &Mapping, code: &Mapping) -> Option<()> {
    // SAFETY: this process's own libc, which is never unmapped.
    let object = unsafe { Object::at(first.begin..first.end, code.begin)? };
    let path = CString::new(code.name).ok()?;
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills the structure.
    if unsafe { libc::stat(path.as_ptr(), status.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: it was filled.
    let status = unsafe { status.assume_init() };
    let key = code_key(code.name, code.file, &status, object.place(code.offset));
    let mut places = Vec::new();
    // SAFETY: as above.
    let undecided = unsafe {
        unpredictable::for_each(&object, |address, _| places.push(u32::try_from(address - object.code.start)))
    };
    let places = places.into_iter().collect::<Result<Vec<u32>, _>>().ok()?;
    control.searches.add(key, &places, undecided);
    Some(())
}

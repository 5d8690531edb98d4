//! Instructions that give different results each time: found and replaced.
//!
//! What is found in a file's code is remembered in the session, for all processes that map the same file.

use super::{Calls, Sites, UNDEFINED, read_object};
use crate::start::{self, maps::Mapping};
use crate::{kernel, process};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::trap::Trapped;
use kmod_shim::patch::{
    kernel::{Kernel, Piece},
    object::Object,
    unpredictable::{self, undecided},
};
use tracer_core::session::code_key;

/// Any instruction may be there.
const EITHER: u32 = undecided::TIME_STAMPS | undecided::CPUID;

impl Sites {
    /// Replaces every rdtsc, rdtscp and cpuid of the program, whose mappings these are. Gives [`unpredictable::undecided`]:
    /// there may be others, in code that is not a file's, can be written, or cannot be read. ld.so's are left alone: it used them
    /// before we came, and does so again only for LD_DEBUG=statistics. The vDSO's are not the program's.
    pub fn catch_unpredictable(&mut self, mappings: &[Mapping]) -> u32 {
        let mut first = None;
        let mut undecided = 0;
        for mapping in mappings {
            if mapping.offset == 0 && !mapping.name.is_empty() {
                first = Some((mapping.begin, mapping.end, mapping.name));
            }
            let ours = start::is_our_memory(mapping.begin) || self.is_stub(mapping.begin);
            let known = [&b"[vdso]"[..], b"[vsyscall]"].contains(&mapping.name)
                || mapping.name.ends_with(b"/ld-linux-x86-64.so.2");
            if !mapping.executable || ours || known {
                continue;
            }
            let range = mapping.begin..mapping.end;
            if let Some((_, known)) = self.searched.iter().find(|(searched, _)| *searched == range) {
                undecided |= known;
                continue;
            }
            let object = match first {
                Some((begin, end, name)) if name == mapping.name && !mapping.writable => {
                    read_object(begin, end, mapping.begin)
                }
                _ => None,
            };
            let Some(object) = object else {
                undecided |= EITHER;
                continue;
            };
            let known = self.catch_in(&object, mapping);
            self.remember(object);
            self.searched.push((range, known));
            undecided |= known;
        }
        undecided
    }

    /// The name of a file whose code may have a `cpuid` that was not found.
    pub fn undecided_code<'a>(&self, mappings: &[Mapping<'a>]) -> Option<&'a [u8]> {
        let is_one = |mapping: &&Mapping| {
            let of = |(range, known): &&(Range<u64>, u32)| {
                range.start == mapping.begin && known & undecided::CPUID != 0
            };
            self.searched.iter().any(|searched| of(&searched))
        };
        mappings.iter().filter(is_one).map(|mapping| mapping.name).find(|name| !name.is_empty())
    }

    fn catch_in(&mut self, object: &Object, mapping: &Mapping) -> u32 {
        let (found, undecided) = find(object, mapping);
        let pieces: Vec<_> =
            found.iter().map(|(address, _)| Piece { address: *address, bytes: &UNDEFINED }).collect();
        // SAFETY: the first bytes of instructions of at least this length; the program is stopped here.
        let written = pieces.is_empty() || unsafe { Calls.write(&pieces) } == 0;
        if written {
            self.caught.add(found);
        }
        if written { undecided } else { EITHER }
    }
}

/// The instructions in the object's code, and which others may be there: HotSpot and V8 have some in functions that the
/// decoder cannot read, and others that must be found nevertheless.
fn find(object: &Object, mapping: &Mapping) -> (Vec<(u64, Trapped)>, u32) {
    let searches = &process::control().searches;
    let key = key(object, mapping);
    if let Some(known) = key.and_then(|key| searches.find(key)) {
        let there = known.places.iter().map(|offset| {
            let address = object.code.start + u64::from(offset.load(Ordering::Relaxed));
            Some((address, trapped_at(object, address)?))
        });
        // If something is not there, the program has written to the session's memory.
        if let Some(found) = there.collect() {
            return (found, known.undecided);
        }
    }
    let mut found = Vec::new();
    // SAFETY: it is loaded, and the program, which could unload it, is stopped here.
    let undecided =
        unsafe { unpredictable::for_each(object, |address, trapped| found.push((address, trapped))) };
    let offset = |(address, _): &(u64, Trapped)| u32::try_from(address - object.code.start).ok();
    let offsets: Option<Vec<u32>> = found.iter().map(offset).collect();
    if let (Some(key), Some(offsets)) = (key, offsets) {
        searches.add(key, &offsets, undecided);
    }
    (found, undecided)
}

/// The instruction at an address in the object's code, if it is one of those.
fn trapped_at(object: &Object, address: u64) -> Option<Trapped> {
    let bytes = [0, 1, 2].map(|offset| {
        let here = address + offset;
        // SAFETY: it is in the object's code, which is loaded and readable.
        if object.code.contains(&here) { unsafe { *(here as *const u8) } } else { 0 }
    });
    Trapped::decode(bytes)
}

/// Tells the code of a mapped file from all other: its name and identity, and when it was last changed. `None` if that
/// cannot be asked, as for a file that has been deleted.
fn key(object: &Object, mapping: &Mapping) -> Option<u128> {
    let mut path = Vec::with_capacity(mapping.name.len() + 1);
    path.extend_from_slice(mapping.name);
    path.push(0);
    let path = core::ffi::CStr::from_bytes_with_nul(&path).ok()?;
    let status = kernel::status_of(path).ok()?;
    Some(code_key(mapping.name, mapping.file, &status, object.place(mapping.offset)))
}

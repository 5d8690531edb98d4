//! `syscall` instructions that have trapped once: rewritten, or known to go on trapping.

use crate::kernel;
use crate::start::maps;
use alloc::vec::Vec;
use kmod_shim::arch::native::{entry, raw};
use kmod_shim::patch::{
    Others, Rewriter,
    eh_frame::Segment,
    kernel::{Kernel, Piece, write_as_debugger},
    object::Object,
};

/// The rewriter's system calls.
struct Calls;

impl Kernel for Calls {
    fn map(&self, address: u64, length: u64, protection: i32, flags: i32) -> isize {
        // SAFETY: the rewriter maps with MAP_FIXED_NOREPLACE, which replaces nothing.
        unsafe {
            raw::call(libc::SYS_mmap, [address, length, protection as u64, flags as u64, u64::MAX, 0])
                as isize
        }
    }

    unsafe fn write(&self, pieces: &[Piece]) -> isize {
        // SAFETY: as the trait's contract says; the calls are those that it describes.
        unsafe { write_as_debugger(|number, arguments| raw::call(number, arguments), pieces) }
    }

    unsafe fn protect(&self, address: u64, length: u64, protection: i32) -> isize {
        // SAFETY: as the trait's contract says.
        unsafe { raw::call(libc::SYS_mprotect, [address, length, protection as u64, 0, 0, 0]) as isize }
    }
}

/// All sites and objects met so far.
pub struct Sites {
    rewriter: Rewriter<Calls>,
    objects: Vec<Object>,
    /// Sites that stay as they are, sorted.
    refused: Vec<u64>,
}

impl Sites {
    /// None.
    pub fn new() -> Sites {
        Sites { rewriter: Rewriter::new(Calls, entry::address()), objects: Vec::new(), refused: Vec::new() }
    }

    /// The `syscall` instruction before `after` has trapped: from now on it does not, if that can be had.
    pub fn rewrite(&mut self, after: u64) {
        let site = after - 2;
        let Err(place) = self.refused.binary_search(&site) else { return };
        // SAFETY: `object` describes what is loaded there now: entries are forgotten when it is unmapped. Other
        // threads of the program, if any, wait for their turn in our code.
        let rewritten = self
            .object(site)
            .is_some_and(|object| unsafe { self.rewriter.rewrite(&object, site, Others::Stopped) }.is_ok());
        if !rewritten {
            self.refused.insert(place, site);
        }
    }

    /// Makes calls of the vDSO's function at `address` go to `hook`; where to call the function itself.
    pub fn redirect(&mut self, base: u64, address: u64, hook: u64) -> Option<u64> {
        let object = read_object(base, base + 4096, address)?;
        // SAFETY: the vDSO stays loaded; no other thread exists yet; hooks have the functions' signatures.
        unsafe { self.rewriter.redirect(&object, address, hook, Others::Stopped) }.ok()
    }

    fn object(&mut self, site: u64) -> Option<Object> {
        if let Some(known) = self.objects.iter().find(|object| object.code.contains(&site)) {
            return Some(known.clone());
        }
        let text = kernel::read_file(c"/proc/self/maps").ok()?;
        let mut start = None;
        for mapping in maps::parse(&text) {
            if mapping.offset == 0 && !mapping.name.is_empty() {
                start = Some((mapping.begin, mapping.end, mapping.name));
            }
            if (mapping.begin..mapping.end).contains(&site) {
                let (begin, end, name) = start?;
                let object = if name == mapping.name { read_object(begin, end, site)? } else { return None };
                self.objects.push(object.clone());
                return Some(object);
            }
        }
        None
    }

    /// Whether any code of the program may execute `rdtsc`. Code that is not a file's, or can be written, may.
    /// ld.so has one that only LD_DEBUG=statistics executes after start-up, the vDSO's is not the program's.
    pub fn may_read_time_stamps(&self) -> bool {
        let Ok(text) = kernel::read_file(c"/proc/self/maps") else { return true };
        let mut start = None;
        for mapping in maps::parse(&text) {
            if mapping.offset == 0 && !mapping.name.is_empty() {
                start = Some((mapping.begin, mapping.end, mapping.name));
            }
            let ours = crate::start::is_our_memory(mapping.begin)
                || self.rewriter.mappings().any(|stubs| stubs.contains(&mapping.begin));
            let known = [&b"[vdso]"[..], b"[vsyscall]"].contains(&mapping.name)
                || mapping.name.ends_with(b"/ld-linux-x86-64.so.2");
            if !mapping.executable || ours || known {
                continue;
            }
            let Some((begin, end, name)) = start else { return true };
            if mapping.writable || name != mapping.name {
                return true;
            }
            let Some(object) = read_object(begin, end, mapping.begin) else { return true };
            // SAFETY: it is loaded, and the program, which could unload it, is stopped here.
            if unsafe { kmod_shim::patch::time_stamps::reads_time_stamps(&object) } {
                return true;
            }
        }
        false
    }

    /// Code in [begin, end) was unmapped or replaced.
    pub fn forget(&mut self, begin: u64, end: u64) {
        if self.objects.iter().any(|object| object.mapped.start < end && begin < object.mapped.end) {
            self.objects.retain(|object| object.mapped.start >= end || begin >= object.mapped.end);
            self.rewriter.forget(&(begin..end));
        }
        self.refused.retain(|site| !(begin..end).contains(site));
    }
}

/// Reads the headers of the object whose first mapping is [begin, end).
fn read_object(begin: u64, end: u64, address: u64) -> Option<Object> {
    // SAFETY: the mapping was just found in /proc/self/maps and only the program, which is stopped here, could
    // remove it.
    let bytes = unsafe { core::slice::from_raw_parts(begin as *const u8, (end - begin) as usize) };
    Object::read(&Segment { address: begin, bytes }, address)
}

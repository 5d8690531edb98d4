//! `syscall` instructions that have trapped once: rewritten, or known to go on trapping.

use crate::kernel;
use crate::start::maps;
use alloc::vec::Vec;
use core::ops::Range;
use kmod_shim::arch::native::{entry, lazy_binding, raw, trap::Trapped};
use kmod_shim::patch::{
    Others, Rewriter,
    eh_frame::Segment,
    kernel::{Kernel, Piece, write_as_debugger},
    object::Object,
    unpredictable,
};

/// An opcode that no x86-64 processor defines. Not ud2, which compilers use to crash on purpose: debuggers should
/// go on showing that.
const UNDEFINED: [u8; 2] = [0x0f, 0x04];

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
    /// Instructions that were replaced by [`UNDEFINED`].
    caught: Vec<(u64, Trapped)>,
    /// Executable mappings that were looked through.
    searched: Vec<(u64, u64)>,
}

impl Sites {
    /// None.
    pub fn new() -> Sites {
        Sites {
            rewriter: Rewriter::new(Calls, entry::address()),
            objects: Vec::new(),
            refused: Vec::new(),
            caught: Vec::new(),
            searched: Vec::new(),
        }
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

    /// Makes ld.so, whose code this is, leave the same on the stack in every run when it binds functions
    /// ([`lazy_binding`]). Where it is one that we do not know, stops may not be found again in replay.
    pub fn make_binding_repeatable(&self, code: Range<u64>) {
        // SAFETY: it is mapped for as long as the process lives.
        let bytes =
            unsafe { core::slice::from_raw_parts(code.start as *const u8, (code.end - code.start) as usize) };
        let sites: Vec<lazy_binding::Site> = lazy_binding::sites(bytes, code.start).collect();
        // SAFETY: nothing was changed yet, and there is one thread, which is here.
        let Some(calls) = (unsafe { lazy_binding::prepare(&sites) }) else { return };
        let calls: Vec<[u8; lazy_binding::LENGTH]> = calls.collect();
        let pieces =
            sites.iter().zip(&calls).map(|(site, call)| Piece { address: site.address, bytes: call });
        let pieces: Vec<Piece> = pieces.collect();
        // SAFETY: instructions of this length; no thread is there.
        unsafe { Calls.write(&pieces) };
    }

    fn object(&mut self, site: u64) -> Option<Object> {
        if let Some(known) = self.objects.iter().find(|object| object.code.contains(&site)) {
            return Some(known.clone());
        }
        let text = kernel::read_file(c"/proc/thread-self/maps").ok()?;
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

    /// Replaces every rdtsc, rdtscp and cpuid of the program. False if there may be others: in code that is not
    /// a file's, can be written, or cannot be read. ld.so's are left alone: it used them before we came, and
    /// does so again only for LD_DEBUG=statistics. The vDSO's are not the program's.
    pub fn catch_unpredictable(&mut self) -> bool {
        let Ok(text) = kernel::read_file(c"/proc/thread-self/maps") else { return false };
        let mut start = None;
        let mut all = true;
        for mapping in maps::parse(&text) {
            if mapping.offset == 0 && !mapping.name.is_empty() {
                start = Some((mapping.begin, mapping.end, mapping.name));
            }
            let ours = crate::start::is_our_memory(mapping.begin) || self.is_stub(mapping.begin);
            let known = [&b"[vdso]"[..], b"[vsyscall]"].contains(&mapping.name)
                || mapping.name.ends_with(b"/ld-linux-x86-64.so.2");
            if !mapping.executable || ours || known || self.searched.contains(&(mapping.begin, mapping.end)) {
                continue;
            }
            let searched = match start {
                Some((begin, end, name)) if name == mapping.name && !mapping.writable => {
                    read_object(begin, end, mapping.begin).is_some_and(|object| self.catch_in(&object))
                }
                _ => false,
            };
            if searched {
                self.searched.push((mapping.begin, mapping.end));
            }
            all &= searched;
        }
        all
    }

    fn catch_in(&mut self, object: &Object) -> bool {
        let mut found = Vec::new();
        // SAFETY: it is loaded, and the program, which could unload it, is stopped here.
        let all =
            unsafe { unpredictable::for_each(object, |address, trapped| found.push((address, trapped))) };
        all && found.into_iter().all(|(address, trapped)| {
            // SAFETY: the first bytes of an instruction of at least this length; the program is stopped here.
            let written = unsafe { Calls.write(&[Piece { address, bytes: &UNDEFINED }]) } == 0;
            if written {
                self.caught.push((address, trapped));
            }
            written
        })
    }

    /// Makes the `pause` at `address` trap. What cannot be changed now could be a moment ago, and replay changes it
    /// where recording did.
    pub fn catch_pause(&mut self, address: u64) {
        if self.caught_at(address).is_some() {
            return;
        }
        // SAFETY: an instruction of this length; the program is stopped here.
        if unsafe { Calls.write(&[Piece { address, bytes: &UNDEFINED }]) } == 0 {
            self.caught.push((address, Trapped::Pause));
        }
    }

    /// The instruction that was replaced at `address`.
    pub fn caught_at(&self, address: u64) -> Option<Trapped> {
        self.caught.iter().find(|(caught, _)| *caught == address).map(|(_, trapped)| *trapped)
    }

    /// Whether `address` is in code of ours that rewritten code jumps to.
    pub fn is_stub(&self, address: u64) -> bool {
        self.rewriter.mappings().any(|stubs| stubs.contains(&address))
    }

    /// Code in [begin, end) was unmapped or replaced.
    pub fn forget(&mut self, begin: u64, end: u64) {
        if self.objects.iter().any(|object| object.mapped.start < end && begin < object.mapped.end) {
            self.objects.retain(|object| object.mapped.start >= end || begin >= object.mapped.end);
            self.rewriter.forget(&(begin..end));
        }
        self.refused.retain(|site| !(begin..end).contains(site));
        self.caught.retain(|(address, _)| !(begin..end).contains(address));
        self.searched.retain(|(from, to)| *from >= end || *to <= begin);
    }
}

/// Reads the headers of the object whose first mapping is [begin, end).
fn read_object(begin: u64, end: u64, address: u64) -> Option<Object> {
    // SAFETY: the mapping was just found in /proc/self/maps and only the program, which is stopped here, could
    // remove it.
    let bytes = unsafe { core::slice::from_raw_parts(begin as *const u8, (end - begin) as usize) };
    Object::read(&Segment { address: begin, bytes }, address)
}

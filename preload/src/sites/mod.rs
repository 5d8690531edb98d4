//! `syscall` instructions that have trapped: rewritten when they do so often, or known to go on trapping.

mod calls;
pub mod caught;
mod generated;
mod search;

use crate::start::maps;
use crate::{kernel, order, process, thread};
use alloc::vec::Vec;
use calls::Calls;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use generated::Generated;
use kmod_shim::arch::native::{entry, lazy_binding};
use kmod_shim::patch::near_memory::Region;
use kmod_shim::patch::{
    Others, Rewriter,
    kernel::{Kernel, Piece},
    object::Object,
};

/// An opcode that no x86-64 processor defines. Not ud2, which compilers use to crash on purpose: debuggers should
/// go on showing that.
const UNDEFINED: [u8; 2] = [0x0f, 0x04];

/// How often a site traps before it is rewritten, which costs as much as some ten traps: most processes are short, and
/// make most of their calls once.
const PATIENCE: u32 = 8;

/// Makes several changes of code at less cost. Only at start, before the program can see a descriptor of ours or fork.
pub fn in_a_row(action: impl FnOnce()) {
    Calls::in_a_row(action);
}

/// Who uses the process's [`Sites`]: the address of the thread's state; 0 for nobody.
static USER: AtomicU64 = AtomicU64::new(0);

/// Uses the process's sites, alone: in sync order, threads come here at the same time.
pub fn exclusively<R>(action: impl FnOnce(&mut Sites) -> R) -> R {
    let me = core::ptr::from_ref(thread::current()) as u64;
    // A fault in here, where the program's memory cannot be read, comes here again.
    let nested = USER.load(Ordering::Relaxed) == me;
    while !nested && USER.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_err() {
        kernel::yield_processor();
    }
    let result = action(&mut process::get().sites);
    if !nested {
        USER.store(0, Ordering::Release);
    }
    result
}

/// Before the kernel writes where a call's `arguments` say: see [`Generated::give_back_named`].
#[inline]
pub fn give_back_named(arguments: &[u64]) {
    // There is hardly ever any; a program whose threads make code and name it at the same time is late in either case.
    if process::get().sites.generated.any() {
        exclusively(|sites| sites.generated.give_back_named(arguments));
    }
}

/// In a child of fork: who used them was another thread, which is not there.
pub fn reset() {
    USER.store(0, Ordering::Relaxed);
}

/// All sites and objects met so far.
pub struct Sites {
    rewriter: Rewriter<Calls>,
    objects: Vec<Object>,
    /// How often each site has trapped, sorted by site; [`PATIENCE`] for those that stay as they are.
    trapped: Vec<(u64, u32)>,
    /// Instructions that were replaced by [`UNDEFINED`].
    pub caught: caught::List,
    /// Executable mappings that were looked through, and which instructions they may have besides those that were found.
    searched: Vec<(Range<u64>, u32)>,
    /// Code that the program makes.
    pub generated: Generated,
}

impl Sites {
    /// None.
    pub fn new() -> Sites {
        Sites {
            rewriter: Rewriter::new(Calls, entry::address()),
            objects: Vec::new(),
            trapped: Vec::new(),
            caught: caught::List::new(),
            searched: Vec::new(),
            generated: Generated::NONE,
        }
    }

    /// The `syscall` instruction before `after` has trapped: when it has done so often, it does not any more, if that
    /// can be had.
    pub fn rewrite(&mut self, after: u64) {
        let site = after - 2;
        let place = match self.trapped.binary_search_by_key(&site, |(known, _)| *known) {
            Ok(place) => place,
            Err(place) => {
                self.trapped.insert(place, (site, 0));
                place
            }
        };
        let count = &mut self.trapped[place].1;
        if *count >= PATIENCE {
            return;
        }
        *count += 1;
        if *count < PATIENCE {
            return;
        }
        let Some(object) = self.object(site) else { return };
        let others = if order::is_parallel() { Others::Running } else { Others::Stopped };
        // SAFETY: `object` describes what is loaded there now: entries are forgotten when it is unmapped. Other
        // threads of the program, if any, wait for their turn in our code, if they do not run in parallel. If it is
        // refused, it goes on trapping.
        let _ = unsafe { self.rewriter.rewrite(&object, site, others) };
    }

    /// Rewrites all `syscall` instructions of the object that has code at `address`: when threads run in parallel, jumps
    /// can be written only where one store can do it, and the other sites would go on trapping.
    pub fn rewrite_all(&mut self, address: u64) {
        const SYSCALL: [u8; 2] = [0x0f, 0x05];
        let Some(object) = self.object(address) else { return };
        let code = object.code.clone();
        // SAFETY: the object stays loaded for as long as this function runs. Bytes are copied one pair at a time.
        let pair = |place: u64| unsafe { (place as *const [u8; 2]).read() };
        for site in code.start..code.end - 1 {
            if pair(site) == SYSCALL {
                // SAFETY: as in `rewrite`; there is one thread. What is no instruction is refused.
                let _ = unsafe { self.rewriter.rewrite(&object, site, Others::Stopped) };
            }
        }
    }

    /// Makes calls of the function at `address`, in the object at `base`, go to `hook`, by a stub in `region`; where to call the
    /// function itself.
    pub fn redirect(&mut self, base: u64, address: u64, hook: u64, region: Region) -> Option<u64> {
        let object = self.object_at(base, address)?;
        // SAFETY: what is done here is forgotten when the object is unmapped; no other thread exists yet, or none runs code that
        // ld.so is still loading; hooks have the functions' signatures.
        unsafe { self.rewriter.redirect(&object, address, hook, Others::Stopped, region) }.ok()
    }

    /// Makes calls of the function at `address` go to `hook`, and nothing go to the function any more. Whether that could be
    /// done.
    pub fn replace(&mut self, base: u64, address: u64, hook: u64) -> bool {
        let Some(object) = self.object_at(base, address) else { return false };
        // SAFETY: as in `redirect`.
        unsafe { self.rewriter.replace(&object, address, hook) }.is_ok()
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

    /// The object at `base`, whose code `address` is in.
    fn object_at(&mut self, base: u64, address: u64) -> Option<Object> {
        let object = read_object(base, base + 4096, address)?;
        self.remember(object.clone());
        Some(object)
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
                self.remember(object.clone());
                return Some(object);
            }
        }
        None
    }

    /// Whether nothing says that two places are in different functions.
    pub fn may_be_one_function(&self, one: u64, other: u64) -> bool {
        let Some(object) = self.objects.iter().find(|object| object.code.contains(&one)) else { return true };
        // SAFETY: the object is loaded, and the program, which could unload it, is stopped here.
        unsafe { object.function_at(one) }.is_none_or(|function| function.range.contains(&other))
    }

    fn remember(&mut self, object: Object) {
        if !self.objects.contains(&object) {
            self.objects.push(object);
        }
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
        self.trapped.retain(|(site, _)| !(begin..end).contains(site));
        self.caught.forget(&(begin..end));
        self.searched.retain(|(range, _)| range.start >= end || range.end <= begin);
        self.generated.give_back(&(begin..end));
    }
}

/// Reads the headers of the object whose first mapping is [begin, end).
fn read_object(begin: u64, end: u64, address: u64) -> Option<Object> {
    // SAFETY: the mapping was just found in /proc/self/maps and only the program, which is stopped here, could
    // remove it.
    unsafe { Object::at(begin..end, address) }
}

//! What programs are told of their processor, in recordings that are to be replayed where there is less of it
//! ([`tracer_core::processor`]).
//!
//! Both modes do the same: in replay answers of `cpuid` come from the log, but what libc knows and how large a signal's frame
//! is are made here.

use crate::start::layout::InitialStack;
use crate::start::maps::Mapping;
use crate::{kernel, process, sites};
use core::sync::atomic::{AtomicBool, Ordering};
use kmod_shim::arch::native::{extended_state, trap::Results};
use tracer_core::processor::Hidden;
use tracer_core::session::Mode;

/// What is hidden in this session.
pub fn hidden() -> Hidden {
    process::control().hidden.get()
}

/// Takes what is hidden out of what `cpuid` has answered to `leaf` and `sub_leaf`.
pub fn hide(leaf: u32, sub_leaf: u32, answer: &mut Results) {
    let hidden = hidden();
    if hidden.is_empty() {
        return;
    }
    let mut words = answer.map(|word| word as u32);
    hidden.hide(leaf, sub_leaf, &mut words);
    if leaf == extended_state::LEAF {
        extended_state::describe_narrowed(sub_leaf, hidden.hides("xsave"), &mut words);
    }
    *answer = words.map(u64::from);
}

/// Hides what is to be hidden from a program image that is about to begin, and of which the loader has seen everything.
pub fn begin_image(stack: &InitialStack, mappings: &[Mapping]) {
    let hidden = hidden();
    if hidden.is_empty() {
        return;
    }
    extended_state::narrow(hidden.components());
    hide_from_auxiliary_vector(stack, hidden);
    hide_in_libc(mappings, hidden);
}

/// The kernel says there that fs and gs can be written by instructions of their own.
fn hide_from_auxiliary_vector(stack: &InitialStack, hidden: Hidden) {
    const AT_HWCAP2: u64 = 26;
    const FSGSBASE: u64 = 1 << 1;
    let entry = stack.auxiliary.iter().find(|entry| entry[0] == AT_HWCAP2);
    if let Some(entry) = entry.filter(|_| hidden.hides("fsgsbase")) {
        let value = (&raw const entry[1]).cast_mut();
        // SAFETY: the vector is on the initial stack, which is writable, and the program has not begun to read it.
        unsafe { value.write_volatile(value.read_volatile() & !FSGSBASE) };
    }
}

/// What glibc's `__x86_get_cpuid_feature_leaf` gives: what `cpuid` said, and what of it can be used.
type Leaf = [[u32; 4]; 2];

/// Hides in what glibc keeps for programs that ask it (sys/platform/x86.h, glibc 2.33): it has tunables for those features
/// only that it uses itself.
fn hide_in_libc(mappings: &[Mapping], hidden: Hidden) {
    /// Leaf and sub-leaf by glibc's number for them.
    const LEAVES: [[u32; 2]; 7] =
        [[1, 0], [7, 0], [0x8000_0001, 0], [0xd, 1], [0x8000_0007, 0], [0x8000_0008, 0], [7, 1]];
    const NONE: u32 = u32::MAX;
    // SAFETY: dlsym may be called from a constructor; the function, where there is one, has this type.
    let get = unsafe {
        let function = libc::dlsym(libc::RTLD_DEFAULT, c"__x86_get_cpuid_feature_leaf".as_ptr());
        if function.is_null() {
            return;
        }
        core::mem::transmute::<*mut core::ffi::c_void, extern "C" fn(u32) -> *mut Leaf>(function)
    };
    // For numbers that it does not know, all versions give the same zeros.
    let unknown = get(NONE);
    let places = (0..).zip(LEAVES).map(|(number, leaf)| (leaf, get(number)));
    for ([leaf, sub_leaf], place) in places.filter(|(_, place)| *place != unknown) {
        with_write_access(place, mappings, |words| {
            for answer in words {
                hidden.hide(leaf, sub_leaf, answer);
            }
        });
    }
}

/// Calls `change` with what is at `place`, in the loader's variables, which it has made read-only.
fn with_write_access(place: *mut Leaf, mappings: &[Mapping], change: impl FnOnce(&mut Leaf)) {
    const PAGE: u64 = 4096;
    let address = place as u64;
    let begin = address & !(PAGE - 1);
    let length = (address + size_of::<Leaf>() as u64).next_multiple_of(PAGE) - begin;
    let is_there = |mapping: &&Mapping| (mapping.begin..mapping.end).contains(&address);
    let Some(mapping) = mappings.iter().find(is_there) else { return };
    let read = libc::PROT_READ as u64;
    let protect = |access| {
        // SAFETY: pages of the loader's variables, which become writable and then what they were.
        unsafe { kernel::call(libc::SYS_mprotect, [begin, length, access, 0, 0, 0]) }.is_ok()
    };
    if mapping.writable || protect(read | libc::PROT_WRITE as u64) {
        // SAFETY: it is mapped and writable now, and there is one thread, which is here.
        change(unsafe { &mut *place });
        if !mapping.writable {
            protect(read);
        }
    }
}

/// There may be a `cpuid` that is not seen, in the code that `mappings` have. Says so, if it could tell of what is hidden.
pub fn may_be_seen(mappings: &[Mapping]) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if process::get().mode == Mode::Replay || hidden().is_empty() || TOLD.swap(true, Ordering::Relaxed) {
        return;
    }
    let name = sites::exclusively(|sites| sites.undecided_code(mappings));
    let name = name.unwrap_or(b"code that the program makes");
    let strictly = process::control().hides_strictly.load(Ordering::Relaxed) != 0;
    kernel::complain(&[
        name,
        b" may have a cpuid instruction that cannot be told from data, nor trapped on this machine; it sees the whole processor",
        if strictly { b", so the program does not go on (--cpu-strict)" } else { b"" },
    ]);
    if strictly {
        kernel::exit(125);
    }
}

/// A signal interrupts the program, and the frame has no room for what it has in registers that were hidden from it.
pub fn hidden_registers_are_used() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if process::get().mode == Mode::Record && !TOLD.swap(true, Ordering::Relaxed) {
        kernel::complain(&[
            b"the program uses vector registers that --cpu hides from it; a signal's handler has cleared some of them",
        ]);
    }
}

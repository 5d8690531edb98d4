//! The address space: calls that change it are made again in replay, with every mapping at its recorded
//! address.
//!
//! What a file mapping shows is logged as "this range of that file" ([`crate::files`]) where the file is large
//! or installed and only read; replay maps the file that the trace keeps. Everything else that more than the
//! mapping itself can change is followed ([`mapped`]):
//!
//! * [`contents`] logs what it shows when it is mapped, and [`stand_in`] has memory of the same contents in replay;
//! * [`writes`]: calls that change the file change the stand-in too;
//! * processes that share memory are ordered with each other ([`crate::order`]), and share the stand-in ([`names`]).

mod change;
mod contents;
mod mapped;
mod names;
mod segments;
mod stand_in;
mod writes;

use super::{generic, refuse};
use crate::log;
use crate::thread::Thread;
use crate::{arena, divergence, kernel, order, playback, process, time_stamps};
pub use change::{change, remap};
use contents::Shown;
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::{frame::Frame, raw};
use mapped::Identity;
pub use segments::{attach, detach};
pub use stand_in::{apply, is_about_files};
use tracer_core::event::{ItemHeader, Kind, Tag};
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;
pub use writes::refusal;

const PAGE: u64 = 4096;
const FIXED: u64 = libc::MAP_FIXED as u64;
const FIXED_NOREPLACE: u64 = libc::MAP_FIXED_NOREPLACE as u64;
const ANONYMOUS: u64 = libc::MAP_ANONYMOUS as u64;
const PRIVATE: u64 = libc::MAP_PRIVATE as u64;
const SHARED: u64 = libc::MAP_SHARED as u64;
const WRITABLE: u64 = libc::PROT_WRITE as u64;
const READABLE: u64 = libc::PROT_READ as u64;
const EXECUTABLE: u64 = libc::PROT_EXEC as u64;
const HUGE_PAGES: u64 = libc::MAP_HUGETLB as u64;
/// Flags that say how memory is provided, and change nothing that the program can see: replay may run with less
/// memory, lower limits and no huge pages.
const PROVISION: u64 =
    HUGE_PAGES | 63 << libc::MAP_HUGE_SHIFT | (libc::MAP_LOCKED | libc::MAP_POPULATE) as u64;

/// The type of mapping (the low four bits) whose pages the kernel may zero when memory is short. Kernels before
/// 6.11 do not know it.
const DROPPABLE: u64 = 8;

/// Whether any of the program's range is ours.
fn touches_ours(address: u64, length: u64) -> bool {
    address < arena::RANGE.end as u64 && address.saturating_add(length) > arena::RANGE.start as u64
}

/// Whether stores to a mapping with these flags reach what is mapped.
fn shares(flags: u64) -> bool {
    // MAP_SHARED and MAP_SHARED_VALIDATE; MAP_PRIVATE is 2.
    flags & 1 != 0
}

/// Bytes that mmap with these arguments maps: whole pages.
fn length_of(arguments: &[u64; 6]) -> u64 {
    const USUAL_HUGE_PAGE: u64 = 21;
    let [_, length, _, flags, ..] = *arguments;
    let page = match (flags & HUGE_PAGES != 0, flags >> libc::MAP_HUGE_SHIFT & 63) {
        (false, _) => PAGE,
        (true, 0) => 1 << USUAL_HUGE_PAGE,
        (true, exponent) => 1 << exponent,
    };
    length.checked_next_multiple_of(page).unwrap_or(length)
}

/// Before a call's event is logged: adds what the call has changed in files that are mapped.
#[inline]
pub fn before_log(thread: &mut Thread, syscall: &Syscall, arguments: &[u64; 6], result: i64) {
    if mapped::any() || names::any() {
        writes::push(thread, syscall, arguments, result);
    }
}

/// Before a call: the kernel must be able to write where the program can ([`crate::sites`]). Those that change mappings
/// see to that themselves.
#[inline]
pub fn give_back_code(syscall: &Syscall, arguments: &[u64; 6]) {
    let changes = [libc::SYS_mmap, libc::SYS_mremap, libc::SYS_munmap, libc::SYS_mprotect, libc::SYS_madvise];
    if !changes.contains(&i64::from(syscall.number)) {
        crate::sites::give_back_named(arguments);
    }
}

/// Recording, before a call: one that changes a file which processes share has a place in their order.
#[inline]
pub fn before_call(thread: &mut Thread, syscall: &Syscall, arguments: &[u64; 6]) {
    if names::any() && !order::shares() && writes::reaches_shared(syscall, arguments) {
        order::share(thread);
    }
}

/// Recording, before a new process: what is mapped shared may be changed by others from now on.
pub fn before_process(thread: &mut Thread) {
    if mapped::any() && mapped::get().any_shared() {
        order::share(thread);
    }
}

/// Recording, before something with a name is mapped shared: other processes may have mapped it, too.
fn share_if_others_may(thread: &mut Thread) {
    if process::control().live_processes.load(Ordering::Relaxed) > 1 {
        order::share(thread);
    }
}

pub use mapped::{inherit, leave};

/// mmap(2).
pub fn map(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let [address, length, _, flags, ..] = arguments;
    if flags & 0xf == DROPPABLE {
        return refuse(thread, frame, syscall, libc::EINVAL, false);
    }
    if flags & (FIXED | FIXED_NOREPLACE) != 0 && touches_ours(address, length) {
        // What is ours is taken, whether there is something or not.
        let error = if flags & FIXED_NOREPLACE != 0 { libc::EEXIST } else { libc::ENOMEM };
        return refuse(thread, frame, syscall, error, false);
    }
    if flags & FIXED != 0 {
        crate::sites::exclusively(|sites| sites.forget(address, address.saturating_add(length)));
    }
    match process::get().mode {
        Mode::Record => record_map(thread, frame, syscall, &arguments),
        Mode::Replay => replay_map(thread, frame, syscall, &arguments),
    }
    // In both modes, and only now: what it replaces must not be taken for what was mapped.
    if frame.rax as i64 >= 0 && arguments[2] & EXECUTABLE != 0 {
        time_stamps::code_was_added(&(frame.rax..frame.rax + length_of(&arguments)));
    }
}

fn record_map(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall, arguments: &[u64; 6]) {
    let shown = contents::of(thread, arguments);
    if matches!(shown, Shown::Followed(identity, ..) if identity != Identity::Anonymous)
        && shares(arguments[3])
    {
        share_if_others_may(thread);
    }
    if matches!(shown, Shown::Device) {
        return refuse(thread, frame, syscall, libc::ENODEV, true);
    }
    let mut made = *arguments;
    if matches!(shown, Shown::Followed(..)) {
        // Until its contents are logged.
        made[2] |= READABLE;
    }
    if touches_ours(arguments[0], arguments[1]) {
        // A wish only, such as V8's random ones; the kernel would fulfil it.
        made[0] = 0;
    }
    // SAFETY: it is the program's own call; where it replaces something, that is the program's too.
    let result = unsafe { raw::call(syscall.number as i64, made) };
    if result >= 0 {
        let start = result as u64;
        mapped::get().forget(&(start..start + length_of(arguments)));
        contents::push(thread, arguments, &shown, start);
    }
    log::call(thread, Kind::Call, syscall, arguments, result, 0);
    if made[2] != arguments[2] && result >= 0 {
        protect(result as u64, length_of(arguments), arguments[2]);
    }
    frame.rax = result as u64;
}

fn protect(address: u64, length: u64, protection: u64) {
    // SAFETY: the mapping was just made for the program.
    unsafe { raw::call(libc::SYS_mprotect, [address, length, protection, 0, 0, 0]) };
}

fn replay_map(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall, arguments: &[u64; 6]) {
    let outcome = playback::outcome(thread, Kind::Call, syscall, arguments);
    frame.rax = outcome.result as u64;
    if outcome.result < 0 {
        return playback::items(thread, syscall, outcome.items, generic::ignore_item);
    }
    let address = outcome.result as u64;
    let [_, _, protection, flags, ..] = *arguments;
    let length = length_of(arguments);
    mapped::get().forget(&(address..address + length));
    let flags = flags & !PROVISION;
    let place = if flags & FIXED != 0 { flags } else { flags & !FIXED_NOREPLACE | FIXED_NOREPLACE };
    if flags & ANONYMOUS != 0 && !shares(flags) {
        map_at(thread, address, length, protection, place, u64::MAX, 0);
        return playback::items(thread, syscall, outcome.items, generic::ignore_item);
    }
    let place = place & (FIXED | FIXED_NOREPLACE) | PRIVATE | ANONYMOUS;
    // Writable until what was logged as data is there.
    map_at(thread, address, length, protection | WRITABLE, place, u64::MAX, 0);
    let mut shown = None;
    let mut replaced = false;
    playback::items(thread, syscall, outcome.items, |thread, item| {
        if item.tag == Tag::MapPath as u8 {
            map_path(thread, item, address, length, protection);
            replaced = true;
        } else if is_about_files(item) {
            shown = apply(thread, item).or(shown);
        } else {
            generic::ignore_item(thread, item);
        }
    });
    if shown.is_none() && !replaced && protection & WRITABLE == 0 {
        // SAFETY: the mapping was just made for the program.
        unsafe { raw::call(libc::SYS_mprotect, [address, length, protection, 0, 0, 0]) };
    }
    if let Some((file, offset)) = shown {
        let kind = FIXED | if shares(flags) { SHARED } else { PRIVATE };
        map_at(thread, address, length, protection, kind, file.descriptor as u64, offset);
        contents::add_region(address..address + length, file.number, offset, shares(flags));
    }
}

/// Maps the file that the feeder found for a reference over the place that was just made.
fn map_path(thread: &mut Thread, item: &ItemHeader, address: u64, length: u64, protection: u64) {
    let mut path = [0u8; 4097];
    let size = item.length as usize;
    if size >= path.len() {
        divergence::damaged(thread, b"the path of a mapped file is too long");
    }
    playback::body(thread, &mut path[..size]);
    let name = core::ffi::CStr::from_bytes_until_nul(&path).unwrap_or(c"");
    match kernel::open(name) {
        Ok(descriptor) => {
            let place = FIXED | PRIVATE;
            map_at(thread, address, length, protection, place, descriptor as u64, item.value);
            kernel::close(descriptor);
        }
        Err(error) => divergence::impossible(thread, "open the mapped file", &path[..size], error),
    }
}

fn map_at(
    thread: &mut Thread,
    address: u64,
    length: u64,
    protection: u64,
    flags: u64,
    descriptor: u64,
    offset: u64,
) {
    // SAFETY: the program's own mapping, at the address where it had it.
    let result =
        unsafe { raw::call(libc::SYS_mmap, [address, length, protection, flags, descriptor, offset]) };
    if result as u64 != address {
        divergence::impossible(thread, "map memory at", &hexadecimal(address), -result as i32);
    }
}

fn hexadecimal(value: u64) -> [u8; 16] {
    core::array::from_fn(|i| b"0123456789abcdef"[(value >> (60 - 4 * i)) as usize & 15])
}

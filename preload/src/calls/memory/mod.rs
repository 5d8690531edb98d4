//! The address space: calls that change it are made again in replay, with every mapping at its recorded
//! address.
//!
//! What a file mapping shows is logged as data when it is small or could change, else as "this range of that
//! file" ([`crate::files`]). In replay it is private memory either way: nobody else may change it.

use super::{generic, refuse};
use crate::log;
use crate::thread::Thread;
use crate::{arena, divergence, kernel, playback, process, time_stamps};
use kmod_shim::arch::native::{frame::Frame, raw};
use tracer_core::event::{FileRange, ItemHeader, Kind, Tag};
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

const PAGE: u64 = 4096;
/// Larger private mappings of files are logged by reference.
const LARGEST_COPY: u64 = 1 << 20;
const FIXED: u64 = libc::MAP_FIXED as u64;
const FIXED_NOREPLACE: u64 = libc::MAP_FIXED_NOREPLACE as u64;
const ANONYMOUS: u64 = libc::MAP_ANONYMOUS as u64;
const READABLE: u64 = libc::PROT_READ as u64;
const EXECUTABLE: u64 = libc::PROT_EXEC as u64;
const WRITABLE: u64 = libc::PROT_WRITE as u64;

/// Whether any of the program's range is ours.
fn touches_ours(address: u64, length: u64) -> bool {
    address < arena::RANGE.end as u64 && address.saturating_add(length) > arena::RANGE.start as u64
}

/// mmap(2).
pub fn map(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let [address, length, _, flags, ..] = arguments;
    if flags & FIXED != 0 {
        if touches_ours(address, length) {
            return refuse(thread, frame, syscall, libc::ENOMEM, false);
        }
        process::get().sites.forget(address, address.saturating_add(length));
    }
    match process::get().mode {
        Mode::Record => record_map(thread, frame, syscall, &arguments),
        Mode::Replay => replay_map(thread, frame, syscall, &arguments),
    }
}

fn record_map(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall, arguments: &[u64; 6]) {
    // SAFETY: it is the program's own call; where it replaces something, that is the program's too.
    let result = unsafe { raw::call(syscall.number as i64, *arguments) };
    if result >= 0 && arguments[2] & EXECUTABLE != 0 {
        time_stamps::look_again();
    }
    if result >= 0 && arguments[3] & ANONYMOUS == 0 {
        push_contents(thread, arguments, result as u64);
    }
    log::call(thread, Kind::Call, syscall, arguments, result, 0);
    frame.rax = result as u64;
}

/// Adds what the new mapping at `address` shows: a reference or the bytes.
fn push_contents(thread: &mut Thread, arguments: &[u64; 6], address: u64) {
    let [_, length, protection, flags, descriptor, offset] = *arguments;
    let descriptor = descriptor as i32;
    let Ok(status) = kernel::status(descriptor) else { return };
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return;
    }
    let there = (status.st_size as u64).saturating_sub(offset).min(length.next_multiple_of(PAGE));
    let private = flags & 0xf == libc::MAP_PRIVATE as u64;
    let by_reference =
        protection & READABLE == 0 || private && (there > LARGEST_COPY || is_installed(descriptor));
    if by_reference {
        if let Some(index) = process::get().files.register(thread, descriptor, &status, true) {
            let file = process::get().files.number(index);
            let range = FileRange { file, offset, length: there };
            // SAFETY: FileRange is three u64, without padding.
            let bytes = unsafe { core::mem::transmute::<FileRange, [u8; size_of::<FileRange>()]>(range) };
            thread.items.push_copy(Tag::MapFile, 0, file, &bytes);
        }
    } else if there > 0 {
        thread.items.push(Tag::Output, 0, address, address as *const u8, there as usize);
    }
}

/// Whether the file belongs to the installed system: it changes only with an upgrade, which replaces it.
fn is_installed(descriptor: i32) -> bool {
    const PLACES: [&[u8]; 5] = [b"/usr/", b"/lib", b"/nix/store/", b"/gnu/store/", b"/opt/"];
    let (mut name, mut path) = ([0u8; 40], [0u8; 64]);
    let Ok(path) = kernel::read_link(kernel::descriptor_path(descriptor, &mut name), &mut path) else {
        return false;
    };
    PLACES.iter().any(|place| path.starts_with(place)) && !path.starts_with(b"/usr/local/")
}

fn replay_map(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall, arguments: &[u64; 6]) {
    let outcome = playback::outcome(thread, Kind::Call, syscall, arguments);
    frame.rax = outcome.result as u64;
    if outcome.result < 0 {
        return playback::items(thread, syscall, outcome.items, generic::ignore_item);
    }
    let address = outcome.result as u64;
    let [_, length, protection, flags, ..] = *arguments;
    let place = if flags & FIXED != 0 { flags } else { flags & !FIXED_NOREPLACE | FIXED_NOREPLACE };
    if flags & ANONYMOUS != 0 {
        map_at(thread, address, length, protection, place, u64::MAX, 0);
        return playback::items(thread, syscall, outcome.items, generic::ignore_item);
    }
    let place = place & (FIXED | FIXED_NOREPLACE) | (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    map_at(thread, address, length, protection | WRITABLE, place, u64::MAX, 0);
    playback::items(thread, syscall, outcome.items, |thread, item| {
        if item.tag == Tag::MapPath as u8 {
            map_path(thread, item, address, length, protection);
        } else {
            generic::ignore_item(thread, item);
        }
    });
    if protection & WRITABLE == 0 {
        // SAFETY: the mapping was just made for the program.
        unsafe { raw::call(libc::SYS_mprotect, [address, length, protection, 0, 0, 0]) };
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
            let place = FIXED | libc::MAP_PRIVATE as u64;
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

/// mremap(2).
pub fn remap(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    const MAY_MOVE: u64 = 1;
    const TO_FIXED: u64 = 2;
    let arguments = frame.arguments();
    let [old, old_length, new_length, flags, new, _] = arguments;
    if touches_ours(old, old_length) || flags & TO_FIXED != 0 && touches_ours(new, new_length) {
        return refuse(thread, frame, syscall, libc::EINVAL, false);
    }
    if process::get().mode == Mode::Record {
        // SAFETY: it is the program's own call, on its own memory.
        let result = unsafe { raw::call(syscall.number as i64, arguments) };
        return super::conclude(thread, frame, syscall, &arguments, result, 0);
    }
    let logged = generic::replay(thread, frame, syscall, generic::ignore_item);
    if logged < 0 {
        return;
    }
    let again = match logged as u64 == old {
        true => [old, old_length, new_length, 0, 0, 0],
        false => [old, old_length, new_length, flags | MAY_MOVE | TO_FIXED, logged as u64, 0],
    };
    // SAFETY: as above, to where it went in the recording.
    let result = unsafe { raw::call(syscall.number as i64, again) };
    if result != logged {
        divergence::other_result(thread, syscall, &arguments, logged, result);
    }
}

/// munmap, mprotect, madvise.
pub fn change(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    if touches_ours(arguments[0], arguments[1]) {
        let error = if syscall.number as i64 == libc::SYS_munmap { libc::EINVAL } else { libc::ENOMEM };
        return refuse(thread, frame, syscall, error, false);
    }
    if syscall.number as i64 == libc::SYS_munmap {
        process::get().sites.forget(arguments[0], arguments[0].saturating_add(arguments[1]));
    }
    if syscall.number as i64 == libc::SYS_madvise {
        return advise(thread, frame, syscall);
    }
    if process::get().mode == Mode::Replay {
        let logged = generic::replay(thread, frame, syscall, generic::ignore_item);
        if logged < 0 {
            return;
        }
        // SAFETY: it is the program's own call, on its own memory.
        let result = unsafe { raw::call(syscall.number as i64, arguments) };
        if result != logged {
            divergence::other_result(thread, syscall, &arguments, logged, result);
        }
        return;
    }
    // SAFETY: as above.
    let result = unsafe { raw::call(syscall.number as i64, arguments) };
    if syscall.number as i64 == libc::SYS_mprotect && arguments[2] & EXECUTABLE != 0 {
        time_stamps::look_again();
    }
    super::conclude(thread, frame, syscall, &arguments, result, 0);
}

/// madvise(2). MADV_FREE leaves it to memory pressure whether pages keep their contents; MADV_DONTNEED, which
/// never keeps them, is one of the outcomes that it allows, and the same every time.
fn advise(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let mut made = arguments;
    if made[2] as i32 == libc::MADV_FREE {
        made[2] = libc::MADV_DONTNEED as u64;
    }
    if process::get().mode == Mode::Replay {
        if generic::replay(thread, frame, syscall, generic::ignore_item) >= 0 {
            // Advice that only matters for files may fail on replay's private copies; it changes no contents.
            // SAFETY: it is the program's own call, on its own memory.
            unsafe { raw::call(syscall.number as i64, made) };
        }
        return;
    }
    // SAFETY: as above.
    let result = unsafe { raw::call(syscall.number as i64, made) };
    super::conclude(thread, frame, syscall, &arguments, result, 0);
}

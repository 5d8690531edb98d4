//! mremap, munmap, mprotect, madvise.

use super::mapped::{self, Region};
use super::{EXECUTABLE, PAGE, contents, touches_ours};
use crate::calls::{conclude, generic, refuse};
use crate::order::objects;
use crate::thread::Thread;
use crate::{divergence, process, time_stamps};
use core::ops::Range;
use kmod_shim::arch::native::{frame::Frame, raw};
use tracer_core::event::FileChange;
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

const MAY_MOVE: u64 = 1;
const TO_FIXED: u64 = 2;
const DONT_UNMAP: u64 = 4;

/// mremap(2).
pub fn remap(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let [old, old_length, new_length, flags, new, _] = arguments;
    if touches_ours(old, old_length) || flags & TO_FIXED != 0 && touches_ours(new, new_length) {
        return refuse(thread, frame, syscall, libc::EINVAL, false);
    }
    crate::sites::exclusively(|sites| sites.generated.give_back(&(old..old.saturating_add(old_length))));
    if process::get().mode == Mode::Record {
        // SAFETY: it is the program's own call, on its own memory.
        let result = unsafe { raw::call(syscall.number as i64, arguments) };
        if result >= 0 && mapped::any() {
            for grown in follow(&arguments, result as u64) {
                push_growth(thread, &grown);
            }
        }
        return conclude(thread, frame, syscall, &arguments, result, 0);
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
    if mapped::any() {
        follow(&arguments, logged as u64);
    }
}

/// Moves what is known of the old place to `new`. Returns what is shown there that was not shown before.
fn follow(arguments: &[u64; 6], new: u64) -> alloc::vec::Vec<Region> {
    let [old, old_length, new_length, flags, ..] = *arguments;
    let new_range = new..new + new_length.next_multiple_of(PAGE);
    let mapped = mapped::get();
    let mut grown = alloc::vec::Vec::new();
    if old_length == 0 {
        // A second mapping of the same shared memory.
        let original = mapped.regions().iter().find(|region| region.range.contains(&old)).cloned();
        mapped.forget(&new_range);
        if let Some(region) = original {
            let offset = region.offset_of(old);
            contents::add_region(new_range, region.file, offset, region.shared);
        }
        return grown;
    }
    let old_range = old..old + old_length.next_multiple_of(PAGE);
    let parts = mapped.take(&old_range);
    if new != old {
        // Its file may be the one that is moved.
        drop(mapped.take(&new_range));
    }
    for part in parts {
        let begin = new + (part.range.start - old);
        let end = begin + (part.range.end - part.range.start);
        if flags & DONT_UNMAP != 0 {
            mapped.add(part.clone());
        }
        let reaches_end = part.range.end == old_range.end;
        let end = if reaches_end { new_range.end } else { end.min(new_range.end) };
        if begin >= end {
            continue;
        }
        let shown_before = part.range.end - part.range.start;
        let (file, offset, shared) = (part.file, part.offset, part.shared);
        mapped.add(Region { range: begin..end, file, offset, shared });
        if end - begin > shown_before {
            let range = begin + shown_before..end;
            grown.push(Region { range, file, offset: offset + shown_before, shared });
        }
    }
    mapped.release_unused();
    grown
}

/// Recording: adds what a mapping shows since it has grown.
fn push_growth(thread: &mut Thread, grown: &Region) {
    let Some(file) = mapped::get().file(grown.file).copied() else { return };
    if file.by_reference {
        return;
    }
    let there: Range<u64> =
        grown.range.start..grown.range.end.min(grown.range.start + file.size.saturating_sub(grown.offset));
    let change = FileChange { size: file.size, offset: 0, length: 0, source: 0 };
    contents::push_change(thread, grown.file, change);
    contents::push_bytes(thread, there, grown.offset, None);
}

/// munmap, mprotect, madvise.
pub fn change(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let unmaps = syscall.number as i64 == libc::SYS_munmap;
    let protects = syscall.number as i64 == libc::SYS_mprotect;
    if touches_ours(arguments[0], arguments[1]) {
        let error = if unmaps { libc::EINVAL } else { libc::ENOMEM };
        return refuse(thread, frame, syscall, error, false);
    }
    let range = arguments[0]..arguments[0].saturating_add(arguments[1]);
    if unmaps {
        crate::sites::exclusively(|sites| sites.forget(range.start, range.end));
    } else if protects {
        crate::sites::exclusively(|sites| sites.generated.give_back(&range));
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
    } else {
        // SAFETY: as above.
        let result = unsafe { raw::call(syscall.number as i64, arguments) };
        conclude(thread, frame, syscall, &arguments, result, 0);
    }
    if protects && frame.rax == 0 {
        if arguments[2] & EXECUTABLE != 0 {
            time_stamps::code_was_added(&range);
        }
        objects::memory_was_protected(range.start, arguments[2]);
    }
    if unmaps && frame.rax == 0 {
        mapped::get().forget(&(range.start..range.end.next_multiple_of(PAGE)));
        objects::memory_was_unmapped(&range);
    }
}

/// madvise(2). MADV_FREE leaves it to memory pressure whether pages keep their contents; MADV_DONTNEED, which
/// never keeps them, is one of the outcomes that it allows, and the same every time.
fn advise(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let frees = arguments[2] as i32 == libc::MADV_FREE;
    let drop_pages = || {
        let arguments = [arguments[0], arguments[1], libc::MADV_DONTNEED as u64, 0, 0, 0];
        // SAFETY: the program has given these contents up.
        unsafe { raw::call(libc::SYS_madvise, arguments) };
    };
    if process::get().mode == Mode::Replay {
        if generic::replay(thread, frame, syscall, generic::ignore_item) < 0 {
            return;
        }
        if frees {
            drop_pages();
        } else {
            // Advice that only matters for files may fail on what stands in for them; it changes no contents.
            // SAFETY: it is the program's own call, on its own memory.
            unsafe { raw::call(syscall.number as i64, arguments) };
        }
        return;
    }
    // SAFETY: as above.
    let result = unsafe { raw::call(syscall.number as i64, arguments) };
    // Only private anonymous memory can be freed so; of a file, MADV_DONTNEED would drop more.
    if frees && result == 0 {
        drop_pages();
    }
    conclude(thread, frame, syscall, &arguments, result, 0);
}

//! System V shared memory: shmat and shmdt change the address space.

use super::mapped::{self, Identity};
use super::{FIXED, contents, generic, map_at, refuse, share_if_others_may, stand_in, touches_ours};
use crate::thread::Thread;
use crate::{kernel, log, playback, process};
use alloc::vec::Vec;
use core::ops::Range;
use kmod_shim::arch::native::{frame::Frame, raw};
use tracer_core::event::{FileChange, Kind};
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

/// shmat(2).
pub fn attach(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    match process::get().mode {
        Mode::Record => record(thread, frame, syscall, &arguments),
        Mode::Replay => replay(thread, frame, syscall, &arguments),
    }
}

/// Bytes that attaching the segment maps.
fn mapped_size(size: u64) -> u64 {
    size.next_multiple_of(super::PAGE)
}

fn record(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall, arguments: &[u64; 6]) {
    let [segment, address, ..] = *arguments;
    let size = segment_size(segment);
    if touches_ours(address, mapped_size(size)) {
        return refuse(thread, frame, syscall, libc::EINVAL, false);
    }
    share_if_others_may(thread);
    // SAFETY: it is the program's own call; what SHM_REMAP replaces is the program's too.
    let result = unsafe { raw::call(syscall.number as i64, *arguments) };
    if result >= 0 {
        let start = result as u64;
        let range = start..start + mapped_size(size);
        mapped::get().forget(&range);
        let file = mapped::get().number_of_shared(Identity::Segment(segment as i32), range.end - start);
        let change = FileChange { size: range.end - start, offset: 0, length: 0, source: 0 };
        contents::push_change(thread, file, change);
        contents::push_bytes(thread, range.clone(), 0, None);
        contents::add_region(range, file, 0, true);
    }
    log::call(thread, Kind::Call, syscall, arguments, result, 0);
    frame.rax = result as u64;
}

fn segment_size(segment: u64) -> u64 {
    let mut status = core::mem::MaybeUninit::<libc::shmid_ds>::zeroed();
    // SAFETY: the kernel fills the structure, for which all zeros are valid too.
    unsafe {
        let place = status.as_mut_ptr() as u64;
        let _ = kernel::call(libc::SYS_shmctl, [segment, libc::IPC_STAT as u64, place, 0, 0, 0]);
        status.assume_init().shm_segsz as u64
    }
}

fn replay(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall, arguments: &[u64; 6]) {
    let outcome = playback::outcome(thread, Kind::Call, syscall, arguments);
    let mut shown = None;
    playback::items(thread, syscall, outcome.items, |thread, item| {
        if stand_in::is_about_files(item) {
            shown = stand_in::apply(thread, item).or(shown);
        } else {
            generic::ignore_item(thread, item);
        }
    });
    frame.rax = outcome.result as u64;
    let Some((file, _)) = shown.filter(|_| outcome.result >= 0) else { return };
    let size = mapped::get().file(file.number).map_or(0, |file| file.size);
    let flags = arguments[2] as i32;
    let mut protection = libc::PROT_READ;
    if flags & libc::SHM_RDONLY == 0 {
        protection |= libc::PROT_WRITE;
    }
    if flags & libc::SHM_EXEC != 0 {
        protection |= libc::PROT_EXEC;
    }
    let place = if flags & libc::SHM_REMAP != 0 { FIXED } else { super::FIXED_NOREPLACE };
    let place = place | libc::MAP_SHARED as u64;
    let range = outcome.result as u64..outcome.result as u64 + size;
    map_at(thread, range.start, size, protection as u64, place, file.descriptor as u64, 0);
    // Not `forget`: the segment may be what is replaced.
    drop(mapped::get().take(&range));
    contents::add_region(range, file.number, 0, true);
}

/// shmdt(2).
pub fn detach(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let attached = attached_at(arguments[0]);
    match process::get().mode {
        Mode::Record => generic::record(thread, frame, syscall),
        Mode::Replay => {
            generic::replay(thread, frame, syscall, generic::ignore_item);
        }
    }
    if frame.rax != 0 {
        return;
    }
    for range in attached {
        if process::get().mode == Mode::Replay {
            // SAFETY: the program's own memory, which it has just given back.
            unsafe { raw::call(libc::SYS_munmap, [range.start, range.end - range.start, 0, 0, 0, 0]) };
        }
        mapped::get().forget(&range);
    }
}

/// What is left of the segment that was attached at `address`: the kernel, too, goes by address and offset.
fn attached_at(address: u64) -> Vec<Range<u64>> {
    let regions = mapped::get().regions();
    let first = regions
        .iter()
        .find(|region| region.shared && region.range.start.wrapping_sub(region.offset) == address);
    let Some(file) = first.map(|region| region.file) else { return Vec::new() };
    let of_segment = |region: &&mut mapped::Region| {
        region.file == file && region.range.start.wrapping_sub(region.offset) == address
    };
    regions.iter_mut().filter(of_segment).map(|region| region.range.clone()).collect()
}

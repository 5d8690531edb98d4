//! Replay: memory files that stand in for what the recorded program had mapped.
//!
//! One stands in for each file, so that all mappings of it show each other's stores, a private mapping's
//! untouched pages show the file (also after MADV_DONTNEED), and what is beyond its end raises SIGBUS. What the
//! recorded program's calls did to the file is done to it.

use super::mapped::{self, File, Identity};
use crate::thread::{ProgramWait, Thread};
use crate::{divergence, kernel, playback};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};
use kmod_shim::arch::native::raw;
use tracer_core::event::{FileChange, ItemHeader, Tag};

/// The file that the last [`Tag::FileChange`] was about, for the [`Tag::FileBytes`] that follow it.
static CURRENT: AtomicI32 = AtomicI32::new(-1);

/// Applies an item that [`is_about_files`]. A [`Tag::FileChange`] gives the file and the offset in it.
pub fn apply(thread: &mut Thread, item: &ItemHeader) -> Option<(File, u64)> {
    if item.tag == Tag::FileBytes as u8 {
        bytes(thread, item);
        return None;
    }
    let change = playback::value::<FileChange>(thread);
    let known = mapped::get().file(item.value).copied();
    let file = known.unwrap_or_else(|| {
        let file = File {
            number: item.value,
            identity: Identity::Anonymous,
            size: 0,
            by_reference: false,
            descriptor: create(thread),
        };
        mapped::get().enter(file);
        file
    });
    CURRENT.store(file.descriptor, Ordering::Relaxed);
    if change.length > 0 {
        replace(thread, file.descriptor, &change);
    }
    // The write may have made it longer than it was in the recording.
    if change.size != file.size || change.length > 0 {
        resize(thread, file.descriptor, change.size);
        if let Some(file) = mapped::get().file(item.value) {
            file.size = change.size;
        }
    }
    Some((file, change.offset))
}

/// Whether the item is for [`apply`].
pub fn is_about_files(item: &ItemHeader) -> bool {
    item.tag == Tag::FileChange as u8 || item.tag == Tag::FileBytes as u8
}

fn create(thread: &mut Thread) -> i32 {
    let name = c"recorded file";
    // SAFETY: the name is valid.
    let made = unsafe {
        kernel::call(libc::SYS_memfd_create, [name.as_ptr() as u64, libc::MFD_CLOEXEC as u64, 0, 0, 0, 0])
    };
    match made {
        Ok(descriptor) => descriptor as i32,
        Err(error) => divergence::impossible(thread, "create", b"memory for a mapped file", error),
    }
}

fn resize(thread: &mut Thread, descriptor: i32, size: u64) {
    // SAFETY: a file of our own.
    let resized = unsafe { kernel::call(libc::SYS_ftruncate, [descriptor as u64, size, 0, 0, 0, 0]) };
    if let Err(error) = resized {
        divergence::impossible(thread, "resize", b"the memory of a mapped file", error);
    }
}

/// What a call of the program put into the file.
fn replace(thread: &mut Thread, descriptor: i32, change: &FileChange) {
    let FileChange { offset, length, source, .. } = *change;
    if source != 0 {
        return write(thread, descriptor, source, length, offset);
    }
    let mode = (libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE) as u64;
    // SAFETY: a file of our own.
    let zeroed =
        unsafe { kernel::call(libc::SYS_fallocate, [descriptor as u64, mode, offset, length, 0, 0]) };
    if let Err(error) = zeroed {
        divergence::impossible(thread, "clear part of", b"the memory of a mapped file", error);
    }
}

/// Writes from any memory; the kernel looks at whether it is readable.
fn write(thread: &mut Thread, descriptor: i32, mut source: u64, mut length: u64, mut offset: u64) {
    while length > 0 {
        // SAFETY: the kernel reads the source; a bad one is an error.
        let written =
            unsafe { kernel::call(libc::SYS_pwrite64, [descriptor as u64, source, length, offset, 0, 0]) };
        match written {
            Ok(0) => divergence::impossible(thread, "write", b"the memory of a mapped file", libc::EIO),
            Ok(written) => {
                source += written;
                offset += written;
                length -= written;
            }
            Err(error) => divergence::impossible(thread, "write", b"the memory of a mapped file", error),
        }
    }
}

/// Bytes that are in the log.
fn bytes(thread: &mut Thread, item: &ItemHeader) {
    let descriptor = CURRENT.load(Ordering::Relaxed);
    if descriptor < 0 {
        divergence::damaged(thread, b"bytes of a mapped file that is not named");
    }
    let length = item.length as usize;
    let mut done = 0;
    while done < length {
        let piece = (length - done).min(tracer_core::session::RING_SIZE / 4);
        let Some(source) = thread.consumer.peek(piece, &ProgramWait) else { divergence::ends_early(thread) };
        write(thread, descriptor, source as u64, piece as u64, item.value + done as u64);
        thread.consumer.advance(piece, &ProgramWait);
        done += piece;
    }
}

/// Copies of all files that are mapped shared, as they are now, by number and descriptor. The children of the
/// replay run without the order that the recording's had, so each gets memory of its own; what it saw of the
/// others' stores is in its log (see [`super::between`]).
pub fn copies(thread: &mut Thread) -> Vec<(u64, i32)> {
    let mut copies = Vec::new();
    for index in 0..mapped::get().files().len() {
        let file = mapped::get().files()[index];
        let shared = mapped::get().regions().iter().any(|region| region.file == file.number && region.shared);
        if shared {
            copies.push((file.number, copy(thread, &file)));
        }
    }
    copies
}

fn copy(thread: &mut Thread, file: &File) -> i32 {
    let target = create(thread);
    resize(thread, target, file.size);
    let seek = |from: u64, whence: i32| {
        // SAFETY: touches no memory.
        unsafe { kernel::call(libc::SYS_lseek, [file.descriptor as u64, from, whence as u64, 0, 0, 0]) }
    };
    let mut at = 0;
    while let Ok(begin) = seek(at, libc::SEEK_DATA) {
        let end = seek(begin, libc::SEEK_HOLE).unwrap_or(file.size);
        let mut from = begin;
        let _ = kernel_seek(target, begin);
        while from < end {
            // SAFETY: the offset is ours; the kernel advances it.
            let sent = unsafe {
                let offset = &raw mut from as u64;
                kernel::call(
                    libc::SYS_sendfile,
                    [target as u64, file.descriptor as u64, offset, end - from, 0, 0],
                )
            };
            if !matches!(sent, Ok(1..)) {
                divergence::impossible(thread, "copy", b"shared memory for a child", sent.err().unwrap_or(0));
            }
        }
        at = end;
    }
    target
}

fn kernel_seek(descriptor: i32, offset: u64) -> Result<u64, kernel::Errno> {
    // SAFETY: a file of our own.
    unsafe { kernel::call(libc::SYS_lseek, [descriptor as u64, offset, libc::SEEK_SET as u64, 0, 0, 0]) }
}

/// In the child: what was mapped shared shows the copies from now on.
pub fn adopt(thread: &mut Thread, copies: &[(u64, i32)]) {
    if copies.is_empty() {
        return;
    }
    let Ok(text) = kernel::read_file(c"/proc/self/maps") else {
        divergence::impossible(thread, "read", b"/proc/self/maps", libc::EIO)
    };
    for (number, descriptor) in copies {
        if let Some(file) = mapped::get().file(*number) {
            kernel::close(core::mem::replace(&mut file.descriptor, *descriptor));
        }
    }
    for mapping in crate::start::maps::parse(&text).filter(|mapping| mapping.shared) {
        for region in mapped::get().regions().iter().filter(|region| region.shared) {
            let start = mapping.begin.max(region.range.start);
            let end = mapping.end.min(region.range.end);
            let copy = copies.iter().find(|(number, _)| *number == region.file);
            let Some((_, descriptor)) = copy.filter(|_| start < end) else { continue };
            let rights = [
                (mapping.readable, libc::PROT_READ),
                (mapping.writable, libc::PROT_WRITE),
                (mapping.executable, libc::PROT_EXEC),
            ];
            let protection = rights.iter().filter(|(has, _)| *has).fold(0, |set, (_, right)| set | right);
            let flags = (libc::MAP_SHARED | libc::MAP_FIXED) as u64;
            let arguments =
                [start, end - start, protection as u64, flags, *descriptor as u64, region.offset_of(start)];
            // SAFETY: replaces the program's shared mapping with one of the same bytes.
            if unsafe { raw::call(libc::SYS_mmap, arguments) } as u64 != start {
                divergence::impossible(thread, "map", b"a child's shared memory", libc::ENOMEM);
            }
        }
    }
}

/// In the parent: the copies are the child's.
pub fn discard(copies: &[(u64, i32)]) {
    for (_, descriptor) in copies {
        kernel::close(*descriptor);
    }
}

//! Replay: memory files that stand in for what the recorded program had mapped.
//!
//! One stands in for each file, so that all mappings of it show each other's stores, a private mapping's
//! untouched pages show the file (also after MADV_DONTNEED), and what is beyond its end raises SIGBUS. What the
//! recorded program's calls did to the file is done to it. Processes that share memory share the stand-in.

use super::mapped::{self, File, Identity};
use super::names;
use crate::thread::{ProgramWait, Thread};
use crate::{divergence, kernel, playback};
use core::sync::atomic::{AtomicI32, Ordering};
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
        let named = item.argument != 0;
        let file = File {
            number: item.value,
            identity: Identity::Anonymous,
            size: 0,
            by_reference: false,
            descriptor: if named { shared(thread, item.value) } else { create(thread) },
            named,
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

/// A stand-in that other processes use too.
fn shared(thread: &mut Thread, number: u64) -> i32 {
    if let Some(descriptor) = names::stand_in(thread, number) {
        return descriptor;
    }
    let descriptor = create(thread);
    names::publish(thread, number, descriptor);
    descriptor
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

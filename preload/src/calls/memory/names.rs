//! Files that several processes may have mapped: by name, or as a System V segment.
//!
//! The session's memory has a table of them, so that all processes give such a file one number while recording, and
//! show the same stand-in in replay: its descriptor is kept by the companion, from which others get theirs.
//!
//! Only a process that is alone in the recording, or has the right to run in the shared domain ([`crate::order`]),
//! uses the table.

use super::mapped::Identity;
use crate::thread::Thread;
use crate::{divergence, files, kernel, process};
use core::sync::atomic::Ordering;
use tracer_core::session::{FileMessage, SharedFile};

/// What a segment has in place of a device: no file system has this number.
const SEGMENT: u64 = u64::MAX;

fn table() -> &'static [SharedFile] {
    &process::control().shared_files
}

fn words(identity: Identity) -> Option<[u64; 2]> {
    match identity {
        Identity::Inode { device, inode } => Some([device, inode]),
        Identity::Segment(number) => Some([SEGMENT, number as u64]),
        Identity::Anonymous => None,
    }
}

/// Whether there is any such file.
#[inline]
pub fn any() -> bool {
    process::control().shared_file_count.load(Ordering::Relaxed) != 0
}

fn entry(number: u64) -> Option<&'static SharedFile> {
    table().iter().find(|entry| entry.number.load(Ordering::Relaxed) == number)
}

/// Recording: the number of the file that `identity` names, if a process has it mapped.
pub fn find(identity: Identity) -> Option<u64> {
    let words = words(identity).filter(|_| any())?;
    table().iter().find_map(|entry| {
        let number = entry.number.load(Ordering::Relaxed);
        let same = entry.identity.each_ref().map(|word| word.load(Ordering::Relaxed)) == words;
        (number != 0 && same).then_some(number)
    })
}

/// Recording: this process has the file mapped, too; `number` is what it gets if it is new. `None` if it has no name,
/// or there is no room for another.
pub fn register(identity: Identity, number: u64) -> Option<u64> {
    words(identity)?;
    let number = find(identity).unwrap_or(number);
    keep(identity, number).then_some(number)
}

/// A further process has the file with this number mapped. False if there is no room for another file.
pub fn keep(identity: Identity, number: u64) -> bool {
    let Some(place) = entry(number).or_else(|| entry(0)) else { return false };
    if place.number.load(Ordering::Relaxed) == 0 {
        let words = words(identity).unwrap_or_default();
        place.identity[0].store(words[0], Ordering::Relaxed);
        place.identity[1].store(words[1], Ordering::Relaxed);
        place.users.store(0, Ordering::Relaxed);
        place.descriptor.store(0, Ordering::Relaxed);
        place.number.store(number, Ordering::Release);
        process::control().shared_file_count.fetch_add(1, Ordering::Relaxed);
    }
    place.users.fetch_add(1, Ordering::Relaxed);
    true
}

/// This process does not have it mapped any more. When nobody has, its name may come to mean another file.
pub fn remove_user(number: u64) {
    if let Some(entry) = entry(number)
        && entry.users.fetch_sub(1, Ordering::Relaxed) == 1
    {
        entry.number.store(0, Ordering::Relaxed);
        process::control().shared_file_count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Replay: a descriptor of what stands in for the file, if another process has made it.
pub fn stand_in(thread: &mut Thread, number: u64) -> Option<i32> {
    let entry = entry(number)?;
    let kept = loop {
        match entry.descriptor.load(Ordering::Acquire) {
            0 if kernel::hung_up(process::get().socket) => divergence::ends_early(thread),
            // On its way to the companion.
            0 => _ = kernel::futex_wait(&entry.descriptor, 0, 20),
            kept => break kept - 1,
        }
    };
    let companion = process::control().companion.load(Ordering::Relaxed);
    let path = alloc::format!("/proc/{companion}/fd/{kept}\0");
    let flags = (libc::O_RDWR | libc::O_CLOEXEC) as u64;
    // SAFETY: the path is valid.
    let opened = unsafe {
        kernel::call(libc::SYS_openat, [libc::AT_FDCWD as i64 as u64, path.as_ptr() as u64, flags, 0, 0, 0])
    };
    match opened {
        Ok(descriptor) => {
            entry.users.fetch_add(1, Ordering::Relaxed);
            Some(descriptor as i32)
        }
        Err(error) => divergence::impossible(thread, "open", b"memory that processes share", error),
    }
}

/// Replay: this process has made what stands in for the file, for others that come to map it.
pub fn publish(thread: &mut Thread, number: u64, descriptor: i32) {
    if !keep(Identity::Anonymous, number) {
        divergence::impossible(thread, "keep", b"memory that processes share", libc::ENOSPC);
    }
    let message = FileMessage {
        file: number,
        slot: thread.slot as u64,
        device: 0,
        inode: 0,
        size: 0,
        modified: 0,
        mapped: 1,
    };
    if let Err(error) = files::send(&message, descriptor) {
        divergence::impossible(thread, "pass on", b"memory that processes share", error);
    }
}

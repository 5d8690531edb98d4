//! Recording: what a new mapping shows, and how the log says so.

use super::mapped::{self, Identity, Region};
use super::{PAGE, READABLE, length_of, shares};
use crate::log::ProgramMemory;
use crate::thread::Thread;
use crate::{files, kernel, process};
use core::ops::Range;
use tracer_core::event::{FileChange, FileRange, Tag};
use tracer_core::session::{FileMessage, file_use};
use tracer_core::syscalls::Memory;

/// Larger read-only files are logged by reference.
const LARGEST_COPY: u64 = 1 << 20;
/// Files of the installed system are logged by reference unless they are this small: the locale's dozen tables are,
/// and telling the writer of each costs more than their bytes.
const SMALLEST_INSTALLED: u64 = 32 << 10;
/// Up to here it isn't worth looking for zeros.
const LARGEST_UNSEARCHED: u64 = 64 << 10;
/// Bytes of one item: its length has 32 bits.
const LARGEST_ITEM: u64 = 1 << 30;
/// Runs of bytes that are not zero that are logged one by one; an event has a limited number of items.
const MOST_RUNS: usize = 1500;

/// What a mapping will show.
pub enum Shown {
    /// Zeros that nobody else sees.
    Nothing,
    /// A file that the trace keeps by reference: its index, and its status.
    Reference(usize, libc::stat),
    /// This many bytes that don't change, logged as data.
    Copied(u64),
    /// What can change: the file, its size, and how many of its bytes the mapping shows.
    Followed(Identity, u64, u64),
    /// A device, which changes the memory behind the program's back.
    Device,
}

/// Works out what mmap with these arguments will show.
pub fn of(thread: &Thread, arguments: &[u64; 6]) -> Shown {
    let [_, _, protection, flags, descriptor, offset] = *arguments;
    let length = length_of(arguments);
    let anonymous = || match shares(flags) {
        true => Shown::Followed(Identity::Anonymous, length, 0),
        false => Shown::Nothing,
    };
    if flags & libc::MAP_ANONYMOUS as u64 != 0 {
        return anonymous();
    }
    let descriptor = descriptor as i32;
    let Ok(status) = kernel::status(descriptor) else { return Shown::Nothing };
    match status.st_mode & libc::S_IFMT {
        libc::S_IFREG => {}
        libc::S_IFCHR if status.st_rdev == libc::makedev(1, 5) => return anonymous(),
        // The kernel itself has no mappings of these.
        libc::S_IFDIR | libc::S_IFIFO | libc::S_IFLNK => return Shown::Nothing,
        _ => return Shown::Device,
    }
    let there = (status.st_size as u64).saturating_sub(offset).min(length);
    let installed = is_read_only(descriptor) && is_installed(descriptor);
    if installed && there <= SMALLEST_INSTALLED && protection & READABLE != 0 && !shares(flags) {
        return Shown::Copied(there);
    }
    let hidden = protection & READABLE == 0 && !shares(flags);
    let files = &mut process::get().files;
    let index = if installed {
        files.register(thread, descriptor, &status)
    } else if is_read_only(descriptor) && (hidden || there > LARGEST_COPY) {
        files.register_sealed(thread, descriptor, &status)
    } else {
        None
    };
    if let Some(index) = index {
        return Shown::Reference(index, status);
    }
    let identity = Identity::Inode { device: status.st_dev, inode: status.st_ino };
    Shown::Followed(identity, status.st_size as u64, there)
}

fn is_read_only(descriptor: i32) -> bool {
    status_flags(descriptor) & libc::O_ACCMODE == libc::O_RDONLY
}

/// The flags that the file was opened with, as far as fcntl(2) tells them.
pub fn status_flags(descriptor: i32) -> i32 {
    // SAFETY: F_GETFL touches no memory.
    unsafe { kernel::call(libc::SYS_fcntl, [descriptor as u64, libc::F_GETFL as u64, 0, 0, 0, 0]) }
        .map_or(0, |flags| flags as i32)
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

/// Adds what the new mapping at `address` shows to the event, and remembers what can change.
pub fn push(thread: &mut Thread, arguments: &[u64; 6], shown: &Shown, address: u64) {
    let [_, _, _, flags, descriptor, offset] = *arguments;
    let range = address..address + length_of(arguments);
    match *shown {
        Shown::Nothing | Shown::Device => {}
        Shown::Copied(there) => {
            thread.items.push(Tag::Output, 0, range.start, range.start as *const u8, there as usize);
        }
        Shown::Reference(index, status) => {
            push_reference(thread, index, &status, descriptor as i32, offset, range)
        }
        Shown::Followed(identity, size, there) => {
            let file = match shares(flags) {
                true => {
                    tell_of_shared(thread, identity, descriptor as i32);
                    mapped::get().number_of_shared(identity, size)
                }
                false => mapped::get().number_of(identity, size, false),
            };
            let offset = if identity == Identity::Anonymous { 0 } else { offset };
            push_change(thread, file, FileChange { size, offset, length: 0, source: 0 });
            push_bytes(thread, address..address + there, offset, Some(descriptor as i32));
            add_region(range, file, offset, shares(flags));
        }
    }
}

/// Tells the writer of a file that this process comes to share with whoever else maps it.
fn tell_of_shared(thread: &Thread, identity: Identity, descriptor: i32) {
    let Identity::Inode { device, inode } = identity else { return };
    if mapped::get().find(identity).is_some_and(|file| file.named) {
        return;
    }
    let (slot, mapped) = (thread.slot as u64, file_use::SHARED);
    let message = FileMessage { file: 0, slot, device, inode, size: 0, modified: 0, mapped };
    // Without a writer there is nobody who could tell the user.
    let _ = files::send(&message, descriptor);
}

/// Remembers a region that other calls, and if it is shared other processes, can change.
pub fn add_region(range: Range<u64>, file: u64, offset: u64, shared: bool) {
    mapped::get().add(Region { range, file, offset, shared });
}

fn push_reference(
    thread: &mut Thread,
    index: usize,
    status: &libc::stat,
    descriptor: i32,
    offset: u64,
    range: Range<u64>,
) {
    let file = process::get().files.number(index);
    let there = (status.st_size as u64).saturating_sub(offset).min(range.end - range.start);
    let reference = FileRange { file, offset, length: there };
    thread.items.push_copy(Tag::MapFile, 0, file, &reference.to_bytes());
    if !is_installed(descriptor) {
        let identity = Identity::Inode { device: status.st_dev, inode: status.st_ino };
        let file = mapped::get().number_of(identity, status.st_size as u64, true);
        mapped::get().add(Region { range, file, offset, shared: false });
    }
}

/// Adds an item that says how a mapped file changed.
pub fn push_change(thread: &mut Thread, file: u64, change: FileChange) {
    // SAFETY: FileChange is four u64, without padding.
    let bytes = unsafe { core::mem::transmute::<FileChange, [u8; size_of::<FileChange>()]>(change) };
    let named = mapped::get().file(file).is_some_and(|file| file.named);
    thread.items.push_copy(Tag::FileChange, named as u8, file, &bytes);
}

/// Adds the bytes at `range`, which are those of the file from `offset` on, without what is zero anyway: new
/// memory in replay is. Pages are looked at through the descriptor where there is one, because looking at a
/// hole through the mapping would fill it.
pub fn push_bytes(thread: &mut Thread, range: Range<u64>, offset: u64, descriptor: Option<i32>) {
    let mut push = |piece: Range<u64>| {
        let mut start = piece.start;
        while start < piece.end {
            let length = (piece.end - start).min(LARGEST_ITEM);
            let place = offset + (start - range.start);
            thread.items.push(Tag::FileBytes, 0, place, start as *const u8, length as usize);
            start += length;
        }
    };
    if range.end - range.start <= LARGEST_UNSEARCHED && descriptor.is_some() {
        return push(range.clone());
    }
    let (mut run, mut runs) = (range.start..range.start, 0);
    let mut page = [0u8; PAGE as usize];
    let mut at = range.start;
    while at < range.end {
        let length = PAGE.min(range.end - at);
        let bytes = &mut page[..length as usize];
        let there = match descriptor {
            Some(descriptor) => read_at(descriptor, bytes, offset + (at - range.start)),
            None => ProgramMemory.read(at, bytes),
        };
        if there && (runs >= MOST_RUNS || bytes.iter().any(|byte| *byte != 0)) {
            if run.end != at {
                push(core::mem::replace(&mut run, at..at));
                runs += 1;
            }
            run.end = at + length;
        }
        at += length;
    }
    push(run);
}

fn read_at(descriptor: i32, target: &mut [u8], offset: u64) -> bool {
    let arguments = [descriptor as u64, target.as_mut_ptr() as u64, target.len() as u64, offset, 0, 0];
    // SAFETY: the target is valid and writable.
    let read = unsafe { kernel::call(libc::SYS_pread64, arguments) };
    read == Ok(target.len() as u64)
}

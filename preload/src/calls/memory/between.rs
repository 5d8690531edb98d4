//! Recording: what other processes store in memory that this one shares.
//!
//! Between processes there is no order yet that replay could follow, so it gives each process memory of its own,
//! and the log says what the others' stores had changed by the end of each call: whatever a pipe, a wait or a futex
//! orders is there then. A process that meets another's store without a call in between (by
//! spinning on it, say) replays to a divergence.

use super::contents;
use super::mapped::{self, Region};
use crate::log::{self, ProgramMemory};
use crate::thread::Thread;
use crate::{kernel, process};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use tracer_core::event::{FileChange, Kind, Tag};
use tracer_core::session::Mode;
use tracer_core::syscalls::{Memory, Syscall};

/// Bytes of shared memory that are compared at each call: at 10 GB/s this takes 100 us.
const LARGEST_WATCHED: usize = 1 << 20;
const PAGE: usize = 4096;

/// A new shared region: if there are other processes, they may know it by name.
pub fn watch_new(region: &mut Region) {
    if process::get().mode == Mode::Record && process::control().live_processes.load(Ordering::Relaxed) > 1 {
        region.seen = look(region, watched());
    }
}

/// Before a fork: what is mapped shared will be shared with the child.
pub fn watch_all(thread: &mut Thread) {
    let mut total = watched();
    let (mut some, mut all) = (false, true);
    for region in mapped::get().regions().iter_mut().filter(|region| region.shared) {
        if region.seen.is_none() {
            region.seen = look(region, total);
            total += region.seen.as_ref().map_or(0, Vec::len);
        }
        some = true;
        all &= region.seen.is_some();
    }
    if some {
        const TEXT: &[u8] = b"this process and its child share memory. What the other has stored there is \
recorded at each call; a process that sees it without a call diverges in replay";
        thread.items.clear();
        thread.items.push_copy(Tag::Text, 0, 0, TEXT);
        log::items_only(thread, Kind::Note, 0, 0);
    }
    static SAID: AtomicBool = AtomicBool::new(false);
    if !all && !SAID.swap(true, Ordering::Relaxed) {
        kernel::complain(&[
            b"processes share more than 1 MiB of memory; what they tell each other there is \
not recorded, and a replay may end with a divergence",
        ]);
    }
}

/// Bytes that are watched already.
fn watched() -> usize {
    mapped::get().regions().iter().filter_map(|region| region.seen.as_ref()).map(Vec::len).sum()
}

/// What the region has now; `None` if that is too much with the bytes that are watched already.
fn look(region: &Region, watched: usize) -> Option<Vec<u8>> {
    let length = (region.range.end - region.range.start) as usize;
    if watched.saturating_add(length) > LARGEST_WATCHED {
        return None;
    }
    let mut seen = alloc::vec![0u8; length];
    for (index, page) in seen.chunks_mut(PAGE).enumerate() {
        // What is beyond the end of the file cannot be read, and counts as zeros.
        ProgramMemory.read(region.range.start + (index * PAGE) as u64, page);
    }
    WATCHING.store(true, Ordering::Relaxed);
    Some(seen)
}

/// Whether any region was ever watched in this process: then each call looks at all regions.
static WATCHING: AtomicBool = AtomicBool::new(false);

/// After a call: adds what has changed in watched regions since the last one.
pub fn push_changes(thread: &mut Thread, syscall: &Syscall) {
    // A new child has perhaps stored something already, which in replay it would find there before it does.
    let creates = matches!(syscall.number as i64, libc::SYS_clone | libc::SYS_fork | libc::SYS_vfork);
    if creates || !WATCHING.load(Ordering::Relaxed) {
        return;
    }
    for index in 0..mapped::get().regions().len() {
        let region = &mut mapped::get().regions()[index];
        let Some(mut seen) = region.seen.take() else { continue };
        let (start, offset, file) = (region.range.start, region.offset, region.file);
        for (page, old) in seen.chunks_mut(PAGE).enumerate() {
            let distance = (page * PAGE) as u64;
            push_page(thread, file, start + distance, offset + distance, old);
        }
        // The items refer to these bytes, which stay where they are.
        mapped::get().regions()[index].seen = Some(seen);
    }
}

fn push_page(thread: &mut Thread, number: u64, address: u64, offset: u64, old: &mut [u8]) {
    let mut page = [0u8; PAGE];
    let now = &mut page[..old.len()];
    if !ProgramMemory.read(address, now) {
        return;
    }
    let Some(changed) = difference(old, now) else { return };
    let Some(file) = mapped::get().file(number) else { return };
    // Other processes may have made the file longer.
    file.size = file.size.max(offset + changed.end as u64);
    let size = file.size;
    contents::push_change(thread, number, FileChange { size, offset: 0, length: 0, source: 0 });
    let old = &mut old[changed.clone()];
    old.copy_from_slice(&now[changed.clone()]);
    thread.items.push(Tag::FileBytes, 0, offset + changed.start as u64, old.as_ptr(), old.len());
}

/// The smallest range that has all words in which two pages differ.
fn difference(old: &[u8], now: &[u8]) -> Option<Range<usize>> {
    const WORD: usize = 8;
    let mut words = old.as_chunks::<WORD>().0.iter().zip(now.as_chunks::<WORD>().0);
    let first = words.clone().position(|(old, now)| old != now)?;
    let last = words.rposition(|(old, now)| old != now)?;
    Some(first * WORD..(last + 1) * WORD)
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_difference_is_whole_words() {
        let old = [7u8; 4096];
        assert_eq!(difference(&old, &old), None);
        let mut now = old;
        now[4095] = 8;
        assert_eq!(difference(&old, &now), Some(4088..4096));
        now[17] = 8;
        assert_eq!(difference(&old, &now), Some(16..4096));
    }
}

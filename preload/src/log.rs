//! Recording: from a finished call to bytes in the ring.

use crate::process;
use crate::thread::{ProgramWait, Thread};
use core::mem::MaybeUninit;
use core::ptr;
use kmod_shim::arch::native::user_memory;
use tracer_core::event::{self, Header, InputSummary, ItemHeader, Kind, Tag};
use tracer_core::syscalls::{self, Input, Memory, Region, Syscall};

/// How many items one event can have: readv with 1024 vectors, and room for the rest.
const ITEM_LIMIT: usize = 2600;
/// Bytes for data that is not in the program's memory in the form in which it is logged: writev to a mapped file
/// with 1024 vectors (48 bytes each of input, 32 of change), and room for the rest.
const SCRATCH: usize = 96 << 10;

/// Items of the event being built: headers, and where their data lies.
pub struct Items {
    count: usize,
    size: usize,
    scratch_used: usize,
    entries: [Entry; ITEM_LIMIT],
    scratch: [u8; SCRATCH],
}

#[derive(Clone, Copy)]
struct Entry {
    header: ItemHeader,
    source: *const u8,
}

impl Items {
    /// Forgets all items.
    pub fn clear(&mut self) {
        self.count = 0;
        self.size = 0;
        self.scratch_used = 0;
    }

    /// Adds an item whose data, `length` readable bytes at `source`, stays unchanged until it is logged.
    pub fn push(&mut self, tag: Tag, argument: u8, value: u64, source: *const u8, length: usize) {
        if self.count == ITEM_LIMIT {
            process::end_recording(b"one event has more than 2600 items");
            return;
        }
        let header = ItemHeader { tag: tag as u8, argument, reserved: 0, length: length as u32, value };
        self.entries[self.count] = Entry { header, source };
        self.count += 1;
        self.size += header.stored_size();
    }

    /// Adds an item whose data is copied now.
    pub fn push_copy(&mut self, tag: Tag, argument: u8, value: u64, data: &[u8]) {
        if let Some(copy) = self.scratch(data.len()) {
            copy.copy_from_slice(data);
            let source = copy.as_ptr();
            self.push(tag, argument, value, source, data.len());
        }
    }

    /// `length` bytes of scratch, if there are so many left.
    fn scratch(&mut self, length: usize) -> Option<&mut [u8]> {
        let start = self.scratch_used;
        let target = self.scratch.get_mut(start..start + length)?;
        self.scratch_used += event::padded(length);
        Some(target)
    }
}

/// The program's memory, when its pointers may be wrong.
pub struct ProgramMemory;

impl Memory for ProgramMemory {
    #[inline]
    fn read(&self, address: u64, target: &mut [u8]) -> bool {
        // SAFETY: the target is ours; a bad source address makes the copy fail, not fault.
        unsafe { user_memory::copy(target.as_mut_ptr(), address as *const u8, target.len()) }
    }
}

/// Writes to the program's memory; false if it cannot be written.
pub fn write_program(address: u64, bytes: &[u8]) -> bool {
    // SAFETY: the source is ours; a bad target address makes the copy fail, not fault.
    unsafe { user_memory::copy(address as *mut u8, bytes.as_ptr(), bytes.len()) }
}

/// Reads a plain value from the program's memory.
pub fn read_value<T: Copy>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: T is plain data for every use in this crate (integers and C structures), so any bytes are valid.
    unsafe {
        user_memory::copy(value.as_mut_ptr().cast(), address as *const u8, size_of::<T>())
            .then(|| value.assume_init())
    }
}

/// Bytes that are copied before they are hashed: then it is certain that they can be read.
const COPIED: usize = 4096;

/// Hash of `length` bytes of the program's memory, `None` if they cannot be read. Shared by recording and
/// verification so that both see the same bytes.
pub fn hash_program(address: u64, length: u64) -> Option<u64> {
    let mut last = [0u8; 1];
    if length == 0 {
        return Some(0);
    }
    let end = address.checked_add(length - 1)?;
    if length <= COPIED as u64 {
        let mut bytes = MaybeUninit::<[u8; COPIED]>::uninit();
        let target = bytes.as_mut_ptr().cast::<u8>();
        // SAFETY: the target has room for so many bytes, and all of them have been written if the copy says so.
        return unsafe {
            user_memory::copy(target, address as *const u8, length as usize)
                .then(|| xxhash_rust::xxh3::xxh3_64(core::slice::from_raw_parts(target, length as usize)))
        };
    }
    if !ProgramMemory.read(address, &mut last) || !ProgramMemory.read(end, &mut last) {
        return None;
    }
    // SAFETY: both ends are readable; the kernel has just read the whole of it for the call, and the program
    // is stopped here.
    let bytes = unsafe { core::slice::from_raw_parts(address as *const u8, length as usize) };
    Some(xxhash_rust::xxh3::xxh3_64(bytes))
}

/// Adds what the call read: texts and short data whole, other data as length, hash and first bytes.
pub fn push_inputs(thread: &mut Thread, syscall: &Syscall, arguments: &[u64; 6], result: i64) {
    let items = &mut thread.items;
    syscalls::inputs(syscall, arguments, result, &ProgramMemory, &mut |input| match input {
        Input::Text(region) => push_whole(items, Tag::Text, region),
        Input::Data(region) if region.length <= InputSummary::PREFIX as u64 => {
            push_whole(items, Tag::ShortInput, region);
        }
        Input::Data(region) => push_summary(items, region),
    });
}

fn push_whole(items: &mut Items, tag: Tag, region: Region) {
    let Some(target) = items.scratch(region.length as usize) else { return };
    let source = target.as_ptr();
    if ProgramMemory.read(region.address, target) {
        items.push(tag, region.argument, region.address, source, region.length as usize);
    }
}

fn push_summary(items: &mut Items, region: Region) {
    let Some(hash) = hash_program(region.address, region.length) else { return };
    let mut data = [0u8; size_of::<InputSummary>() + InputSummary::PREFIX];
    data[..8].copy_from_slice(&region.length.to_le_bytes());
    data[8..16].copy_from_slice(&hash.to_le_bytes());
    if ProgramMemory.read(region.address, &mut data[16..]) {
        items.push_copy(Tag::Input, region.argument, region.address, &data);
    }
}

/// Adds what the kernel wrote.
pub fn push_outputs(
    thread: &mut Thread,
    syscall: &Syscall,
    arguments: &[u64; 6],
    before: &syscalls::Before,
    result: i64,
) {
    let items = &mut thread.items;
    syscalls::outputs(syscall, arguments, before, result, &ProgramMemory, &mut |region| {
        items.push(
            Tag::Output,
            region.argument,
            region.address,
            region.address as *const u8,
            region.length as usize,
        );
    });
}

/// Logs a call (or, with `Kind::Entry`, that it is about to be made) with the items collected so far.
#[inline]
pub fn call(
    thread: &mut Thread,
    kind: Kind,
    syscall: &Syscall,
    arguments: &[u64; 6],
    result: i64,
    flags: u8,
) {
    if kind == Kind::Call {
        crate::calls::memory::before_log(thread, syscall, arguments, result);
        let slept = core::mem::take(&mut thread.slept_in_call);
        if slept != 0 {
            thread.items.push(Tag::Slept, 0, slept, core::ptr::null(), 0);
        }
    }
    let count = syscall.arguments.len();
    let fixed = 8 + 8 * count;
    let length = (fixed + thread.items.size) as u32;
    let header = Header { kind: kind as u8, flags: flags | count as u8, number: syscall.number, length };
    let mut words = [0u64; 8];
    words[0] = u64::from_le_bytes(header.to_bytes());
    words[1] = result as u64;
    words[2..2 + count].copy_from_slice(&arguments[..count]);
    emit(thread, &words[..2 + count]);
}

/// Logs a call that neither has items nor changes files.
#[inline(always)]
pub fn bare_call(thread: &mut Thread, syscall: &Syscall, arguments: &[u64; 6], result: i64) {
    let count = syscall.arguments.len();
    let length = (8 + 8 * count) as u32;
    let header = Header { kind: Kind::Call as u8, flags: count as u8, number: syscall.number, length };
    let mut words = [0u64; 8];
    words[0] = u64::from_le_bytes(header.to_bytes());
    words[1] = result as u64;
    words[2..].copy_from_slice(arguments);
    emit_words(thread, &words, 2 + count);
}

/// Appends an event that is the first `count` of these words.
#[inline(always)]
fn emit_words(thread: &mut Thread, words: &[u64; 8], count: usize) {
    thread.events += 1;
    if !process::recording() {
        return;
    }
    // Room for all of them, so that all can be stored without a loop; those that are not of the event are overwritten
    // by the next one.
    let target = thread.producer.reserve(size_of_val(words), &ProgramWait);
    if let Some(target) = target {
        // SAFETY: so many bytes are reserved.
        unsafe { target.cast::<[u64; 8]>().write_unaligned(*words) };
        thread.producer.advance(8 * count);
    }
    if target.is_none() || process::control().stopped.load(core::sync::atomic::Ordering::Relaxed) != 0 {
        process::end_recording(b"the writer has ended (the trace says why)");
    }
    thread.producer.publish(&ProgramWait);
}

/// Logs an event that has no items.
#[inline(always)]
pub fn words<const N: usize>(thread: &mut Thread, kind: Kind, flags: u8, number: u16, body: &[u64; N]) {
    thread.items.clear();
    // Known when this is compiled.
    if matches!(kind, Kind::Turn | Kind::Check) {
        thread.progress.incidental += 1;
    }
    let header = Header { kind: kind as u8, flags, number, length: 8 * N as u32 };
    let mut words = [0u64; 8];
    words[0] = u64::from_le_bytes(header.to_bytes());
    words[1..1 + N].copy_from_slice(body);
    emit_words(thread, &words, 1 + N);
}

/// Logs an event that is only the items collected so far.
pub fn items_only(thread: &mut Thread, kind: Kind, flags: u8, number: u16) {
    if kind != Kind::Start {
        thread.progress.incidental += 1;
    }
    let header = Header { kind: kind as u8, flags, number, length: thread.items.size as u32 };
    emit(thread, &[u64::from_le_bytes(header.to_bytes())]);
}

/// Appends fixed words and the items to the ring, and lets the writer see them.
#[inline]
fn emit(thread: &mut Thread, fixed: &[u64]) {
    let total = 8 * fixed.len() + thread.items.size;
    thread.events += 1;
    if !process::recording() {
        thread.items.clear();
        return;
    }
    let written = if total <= tracer_core::session::RING_SIZE / 4 {
        emit_whole(thread, fixed, total)
    } else {
        emit_in_pieces(thread, fixed)
    };
    if written.is_none() || process::control().stopped.load(core::sync::atomic::Ordering::Relaxed) != 0 {
        process::end_recording(b"the writer has ended (the trace says why)");
    }
    thread.producer.publish(&ProgramWait);
    thread.items.clear();
}

/// The usual case: one reservation, then plain stores.
#[inline]
fn emit_whole(thread: &mut Thread, fixed: &[u64], total: usize) -> Option<()> {
    let target = thread.producer.reserve(total, &ProgramWait)?;
    // SAFETY: `total` bytes are reserved; the pieces below add up to it. Item data is readable until the event
    // is logged (see `Items::push`).
    unsafe {
        for (i, word) in fixed.iter().enumerate() {
            target.cast::<u64>().add(i).write_unaligned(*word);
        }
        let mut at = target.add(8 * fixed.len());
        for entry in &thread.items.entries[..thread.items.count] {
            let length = entry.header.length as usize;
            at.cast::<[u8; 16]>().write(entry.header.to_bytes());
            let data = at.add(ItemHeader::SIZE);
            let padded = event::padded(length);
            if padded != length {
                data.add(padded - 8).cast::<u64>().write_unaligned(0);
            }
            ptr::copy_nonoverlapping(entry.source, data, length);
            at = data.add(padded);
        }
    }
    thread.producer.advance(total);
    Some(())
}

fn emit_in_pieces(thread: &mut Thread, fixed: &[u64]) -> Option<()> {
    let Thread { producer, items, .. } = thread;
    // SAFETY: as in `emit_whole`.
    unsafe {
        producer.write(fixed.as_ptr().cast(), 8 * fixed.len(), &ProgramWait).ok()?;
        for entry in &items.entries[..items.count] {
            let length = entry.header.length as usize;
            producer.write(entry.header.to_bytes().as_ptr(), ItemHeader::SIZE, &ProgramWait).ok()?;
            producer.write(entry.source, length, &ProgramWait).ok()?;
            producer.write([0u8; 8].as_ptr(), event::padded(length) - length, &ProgramWait).ok()?;
        }
    }
    Some(())
}

//! Replay: from bytes in the ring to the outcome of a call.
//!
//! Every event must be exactly the one that the program asks for; what differs is reported by
//! [`crate::divergence`] and ends the replay.

use crate::log::{self, ProgramMemory};
use crate::thread::{ProgramWait, Thread};
use crate::{divergence, order};
use tracer_core::event::{self, Header, InputSummary, ItemHeader, Kind, Tag};
use tracer_core::syscalls::{self, Memory, Syscall};

/// A call's logged outcome; its items, if any, are still in the ring.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// What the call returned.
    pub result: i64,
    /// [`event::flags`].
    pub flags: u8,
    /// Bytes of items to come.
    pub items: usize,
}

/// The next event's header, left in place; `None` where the stream ends.
#[inline(always)]
pub fn peek(thread: &mut Thread) -> Option<Header> {
    if thread.next.is_none() { look_ahead(thread) } else { thread.next }
}

fn look_ahead(thread: &mut Thread) -> Option<Header> {
    loop {
        let bytes = thread.consumer.peek(Header::SIZE, &ProgramWait)?;
        // SAFETY: peek gave 8 readable bytes.
        let header = Header::from_bytes(unsafe { bytes.cast::<[u8; 8]>().read_unaligned() });
        thread.consumer.advance(Header::SIZE, &ProgramWait);
        thread.events += 1;
        if header.kind != Kind::Note as u8 {
            thread.next = Some(header);
            return thread.next;
        }
        skip(thread, header.length as usize);
    }
}

/// Takes the next event's header if it is of `kind`.
pub fn take_if(thread: &mut Thread, wanted: impl Fn(&Header) -> bool) -> Option<Header> {
    let header = peek(thread)?;
    if !wanted(&header) {
        return None;
    }
    thread.next = None;
    Some(header)
}

/// Removes `length` bytes of a body.
pub fn skip(thread: &mut Thread, mut length: usize) {
    let mut sink = [0u8; 512];
    while length > 0 {
        let piece = length.min(sink.len());
        body(thread, &mut sink[..piece]);
        length -= piece;
    }
}

/// Removes bytes of a body into `target`.
pub fn body(thread: &mut Thread, target: &mut [u8]) {
    // SAFETY: the slice is writable.
    if unsafe { thread.consumer.read(target.as_mut_ptr(), target.len(), &ProgramWait) }.is_err() {
        divergence::ends_early(thread);
    }
}

/// Removes one plain value of a body.
#[inline]
pub fn value<T: Copy>(thread: &mut Thread) -> T {
    let Some(value) = preview(thread) else { divergence::ends_early(thread) };
    thread.consumer.advance(size_of::<T>(), &ProgramWait);
    value
}

/// The first bytes of the body whose header was looked at, which stays in place. `None` where the stream ends.
#[inline]
pub fn preview<T: Copy>(thread: &mut Thread) -> Option<T> {
    let bytes = thread.consumer.peek(size_of::<T>(), &ProgramWait)?;
    // SAFETY: peek gave so many readable bytes; T is plain data for every use in this crate.
    Some(unsafe { bytes.cast::<T>().read_unaligned() })
}

/// Takes the outcome of `syscall`, which must be the next event, with the same arguments.
#[inline]
pub fn outcome(thread: &mut Thread, kind: Kind, syscall: &Syscall, arguments: &[u64; 6]) -> Outcome {
    order::at_safepoint(thread);
    let Some(header) = peek(thread) else { divergence::ends_early(thread) };
    let count = syscall.arguments.len();
    let same = header.kind == kind as u8
        && header.number == syscall.number
        && (header.flags & event::flags::ARGUMENTS) as usize == count
        && header.length as usize >= 8 + 8 * count;
    if !same {
        divergence::other_event(thread, header, syscall, arguments);
    }
    thread.next = None;
    let result = value::<i64>(thread);
    let mut logged = [0u64; 6];
    for argument in &mut logged[..count] {
        *argument = value(thread);
    }
    if logged[..count] != arguments[..count] {
        divergence::other_arguments(thread, syscall, arguments, &logged, result);
    }
    Outcome { result, flags: header.flags, items: header.length as usize - 8 - 8 * count }
}

/// Walks over the items: outputs are written to the program's memory, inputs are compared with what the
/// program passes now, and whatever else there is goes to `other`, which must consume the item's data.
pub fn items(
    thread: &mut Thread,
    syscall: &Syscall,
    mut remaining: usize,
    mut other: impl FnMut(&mut Thread, &ItemHeader),
) {
    while remaining >= ItemHeader::SIZE {
        let item = ItemHeader::from_bytes(value(thread));
        let stored = item.stored_size();
        if stored > remaining {
            divergence::damaged(thread, b"an item is longer than its event");
        }
        remaining -= stored;
        let length = item.length as usize;
        match Tag::from_byte(item.tag) {
            Some(Tag::Output) => output(thread, item.value, length),
            Some(Tag::Text) => text(thread, syscall, &item),
            Some(Tag::Input) => input(thread, syscall, &item),
            Some(Tag::ShortInput) => short_input(thread, syscall, &item),
            Some(Tag::Slept) => skip(thread, length),
            Some(_) => other(thread, &item),
            None => divergence::damaged(thread, b"an item has an unknown tag"),
        }
        skip(thread, event::padded(length) - length);
    }
    skip(thread, remaining);
}

/// Writes what the kernel wrote.
fn output(thread: &mut Thread, address: u64, length: usize) {
    let mut done = 0;
    while done < length {
        let piece = (length - done).min(tracer_core::session::RING_SIZE / 4);
        let Some(source) = thread.consumer.peek(piece, &ProgramWait) else { divergence::ends_early(thread) };
        // SAFETY: the source is `piece` readable bytes of our ring; a bad target makes the copy fail.
        let copied = unsafe {
            kmod_shim::arch::native::user_memory::copy((address as usize + done) as *mut u8, source, piece)
        };
        if !copied {
            divergence::unwritable(thread, address + done as u64, piece);
        }
        thread.consumer.advance(piece, &ProgramWait);
        done += piece;
    }
}

fn text(thread: &mut Thread, syscall: &Syscall, item: &ItemHeader) {
    let length = item.length as usize;
    let mut done = 0;
    while done < length {
        let piece = (length - done).min(256);
        let (mut logged, mut present) = ([0u8; 256], [0u8; 256]);
        body(thread, &mut logged[..piece]);
        if !ProgramMemory.read(item.value + done as u64, &mut present[..piece]) || logged != present {
            divergence::other_text(thread, syscall, item.argument, &logged[..piece], &present[..piece]);
        }
        done += piece;
    }
}

fn input(thread: &mut Thread, syscall: &Syscall, item: &ItemHeader) {
    const FIXED: usize = size_of::<InputSummary>();
    let mut data = [0u8; FIXED + InputSummary::PREFIX];
    let length = (item.length as usize).min(data.len());
    body(thread, &mut data[..length]);
    skip(thread, item.length as usize - length);
    let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| data[at + i]));
    let (bytes, hash) = (word(0), word(8));
    if log::hash_program(item.value, bytes) != Some(hash) {
        other_input(thread, syscall, item, bytes, &data[FIXED..length.max(FIXED)]);
    }
}

fn short_input(thread: &mut Thread, syscall: &Syscall, item: &ItemHeader) {
    let (mut logged, mut present) = ([0u8; InputSummary::PREFIX], [0u8; InputSummary::PREFIX]);
    let length = item.length as usize;
    let Some(logged) = logged.get_mut(..length) else {
        divergence::damaged(thread, b"a short input is too long")
    };
    body(thread, logged);
    let present = &mut present[..length];
    if !ProgramMemory.read(item.value, present) || logged != present {
        other_input(thread, syscall, item, length as u64, logged);
    }
}

/// The call reads other bytes than in the recording, of which there were so many, and which began with these.
#[cold]
fn other_input(thread: &mut Thread, syscall: &Syscall, item: &ItemHeader, bytes: u64, beginning: &[u8]) {
    if !differs_in_gaps(thread, syscall, item, beginning) {
        divergence::other_input(thread, syscall, item, bytes, beginning);
    }
}

/// In sync order: whether what the call reads is a structure on the stack that differs only where no field is. Functions of
/// libc that wait in one of the modes, but not in the other, leave other bytes below the program's stack pointer.
fn differs_in_gaps(thread: &Thread, syscall: &Syscall, item: &ItemHeader, logged: &[u8]) -> bool {
    if !order::is_parallel() {
        return false;
    }
    // SAFETY: a call is being handled, so this is its frame, on this thread's hook stack.
    let arguments = unsafe { (*thread.frame).arguments() };
    let Some(structure) = syscalls::structure_read(syscall, &arguments, item.argument) else { return false };
    let mut present = [0u8; InputSummary::PREFIX];
    let present = &mut present[..logged.len().min(InputSummary::PREFIX)];
    ProgramMemory.read(item.value, present) && structure.has_same_fields(logged, present)
}

/// Takes an event that is not a call, which must be of this kind.
pub fn plain_any(thread: &mut Thread, kind: Kind, what: &[u8]) -> Header {
    let number = peek(thread).map_or(0, |next| next.number);
    plain(thread, kind, number, what)
}

/// Takes an event that is not a call, whose kind and number must be these.
pub fn plain(thread: &mut Thread, kind: Kind, number: u16, what: &[u8]) -> Header {
    order::at_safepoint(thread);
    match peek(thread) {
        Some(header) if header.kind == kind as u8 && header.number == number => {
            thread.next = None;
            header
        }
        Some(header) => divergence::other_kind(thread, header, what),
        None => divergence::ends_early(thread),
    }
}

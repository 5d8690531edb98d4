//! The byte ring between a thread and the companion process.
//!
//! One producer, one consumer, in shared memory; head and tail count bytes since the beginning and never wrap.
//! Each side maps the ring twice in a row, so that any run of up to [`RING_SIZE`] bytes is contiguous. A stream
//! is bytes, not records: an event larger than the ring simply passes through in pieces.
//!
//! Nothing is ever dropped: a full ring makes the producer wait (see [`Wait`]).

use crate::session::{RING_SIZE, Slot};
use core::sync::atomic::Ordering;

/// How this side sleeps until the other side has moved, and how it wakes the other side.
///
/// The program's side must use raw system calls; the companion's may use libc.
pub trait Wait {
    /// Sleep until the other side may have moved. Returns false if it never will (it is gone).
    fn wait(&self, slot: &Slot) -> bool;
    /// The other side may have something to do.
    fn wake(&self, slot: &Slot);
}

/// Bytes that a consumer may have removed without telling the producer, whose cache line it would take each time.
const GRAIN: u64 = 4096;
/// How many consumed bytes a consumer can put back.
pub const REWIND: usize = 64;

/// The side that appends.
pub struct Producer {
    slot: *const Slot,
    base: *mut u8,
    head: u64,
    known_tail: u64,
}

/// The side that removes.
pub struct Consumer {
    slot: *const Slot,
    base: *const u8,
    tail: u64,
    /// What the producer knows of `tail`.
    published: u64,
    known_head: u64,
}

/// The other side is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl Producer {
    /// Takes up production in `slot`.
    ///
    /// # Safety
    /// `slot` and `2 * RING_SIZE` bytes at `base` (the slot's ring, mapped twice) stay mapped and writable for
    /// as long as this value is used, and no other producer uses the slot meanwhile.
    pub unsafe fn new(slot: *const Slot, base: *mut u8) -> Producer {
        // SAFETY: the caller keeps the slot mapped.
        let (head, tail) =
            unsafe { ((*slot).head.0.load(Ordering::Relaxed), (*slot).tail.0.load(Ordering::Acquire)) };
        Producer { slot, base, head, known_tail: tail }
    }

    fn slot(&self) -> &Slot {
        // SAFETY: `new`'s caller keeps the slot mapped for as long as self is used.
        unsafe { &*self.slot }
    }

    /// Free bytes, looking at the consumer's progress only if fewer than `wanted` are known to be free.
    #[inline]
    pub fn free(&mut self, wanted: usize) -> usize {
        let known = (RING_SIZE - REWIND).saturating_sub((self.head - self.known_tail) as usize);
        if known >= wanted {
            return known;
        }
        self.known_tail = self.slot().tail.0.load(Ordering::Acquire);
        // The consumer may have put bytes back since, which leaves less than nothing.
        (RING_SIZE - REWIND).saturating_sub((self.head - self.known_tail) as usize)
    }

    /// Room for `length` contiguous bytes, waiting for it; `None` if it is more than the ring or the consumer
    /// is gone. [`Producer::advance`] then makes the bytes part of the stream.
    #[inline]
    pub fn reserve(&mut self, length: usize, wait: &impl Wait) -> Option<*mut u8> {
        if self.free(length) < length && !self.wait_for(length, wait) {
            return None;
        }
        // SAFETY: the offset is below RING_SIZE and the mapping is 2 * RING_SIZE long.
        Some(unsafe { self.base.add(self.head as usize & (RING_SIZE - 1)) })
    }

    #[cold]
    fn wait_for(&mut self, length: usize, wait: &impl Wait) -> bool {
        if length > RING_SIZE - REWIND {
            return false;
        }
        while self.free(length) < length {
            // What was advanced but not yet published must be seen, or both sides would wait.
            self.publish(wait);
            if !wait.wait(self.slot()) {
                return false;
            }
        }
        true
    }

    /// Makes `length` reserved and filled bytes part of the stream (seen by the consumer after `publish`).
    #[inline]
    pub fn advance(&mut self, length: usize) {
        self.head += length as u64;
    }

    /// Lets the consumer see all that was advanced.
    #[inline]
    pub fn publish(&mut self, wait: &impl Wait) {
        self.slot().head.0.store(self.head, Ordering::Release);
        // A quarter: late enough that waking costs little, early enough that the producer need not wait.
        if self.head - self.known_tail >= RING_SIZE as u64 / 4 {
            self.known_tail = self.slot().tail.0.load(Ordering::Acquire);
            if self.head - self.known_tail >= RING_SIZE as u64 / 4 {
                wait.wake(self.slot());
            }
        }
    }

    /// Appends `length` bytes at `source`, in pieces if they are more than the ring.
    ///
    /// # Safety
    /// `length` bytes at `source` are readable.
    pub unsafe fn write(
        &mut self,
        mut source: *const u8,
        mut length: usize,
        wait: &impl Wait,
    ) -> Result<(), Gone> {
        while length > 0 {
            let piece = length.min(RING_SIZE / 4);
            let to = self.reserve(piece, wait).ok_or(Gone)?;
            // SAFETY: reserve gave `piece` writable bytes; the caller vouches for the source; the ring is
            // mapped at an address of our own, so they do not overlap.
            unsafe {
                core::ptr::copy_nonoverlapping(source, to, piece);
                source = source.add(piece);
            }
            self.advance(piece);
            length -= piece;
            if length > 0 {
                self.publish(wait);
            }
        }
        Ok(())
    }
}

impl Consumer {
    /// Takes up consumption in `slot`.
    ///
    /// # Safety
    /// As for [`Producer::new`], with readable for writable and no other consumer.
    pub unsafe fn new(slot: *const Slot, base: *const u8) -> Consumer {
        // SAFETY: the caller keeps the slot mapped.
        let (head, tail) =
            unsafe { ((*slot).head.0.load(Ordering::Acquire), (*slot).tail.0.load(Ordering::Relaxed)) };
        Consumer { slot, base, tail, published: tail, known_head: head }
    }

    fn slot(&self) -> &Slot {
        // SAFETY: `new`'s caller keeps the slot mapped for as long as self is used.
        unsafe { &*self.slot }
    }

    /// Bytes there are, looking at the producer's progress only if fewer than `wanted` are known.
    #[inline]
    pub fn available(&mut self, wanted: usize) -> usize {
        if ((self.known_head - self.tail) as usize) < wanted {
            self.known_head = self.slot().head.0.load(Ordering::Acquire);
        }
        // The slot is made ready for its next user when the process is known to end: its threads may still run then.
        self.known_head.saturating_sub(self.tail) as usize
    }

    /// Waits until `length` bytes (at most the ring) are there and shows them without removing them; `None` if
    /// they will never come.
    #[inline]
    pub fn peek(&mut self, length: usize, wait: &impl Wait) -> Option<*const u8> {
        if self.available(length) < length && !self.wait_for(length, wait) {
            return None;
        }
        // SAFETY: the offset is below RING_SIZE and the mapping is 2 * RING_SIZE long.
        Some(unsafe { self.base.add(self.tail as usize & (RING_SIZE - 1)) })
    }

    #[cold]
    fn wait_for(&mut self, length: usize, wait: &impl Wait) -> bool {
        if length > RING_SIZE - REWIND {
            return false;
        }
        while self.available(length) < length {
            if !wait.wait(self.slot()) {
                // The producer may have finished between our look and its end.
                return self.available(length) >= length;
            }
        }
        true
    }

    /// Removes `length` bytes that were peeked. The producer is told of several small removals at once, and when there is
    /// nothing left.
    #[inline]
    pub fn advance(&mut self, length: usize, wait: &impl Wait) {
        self.tail += length as u64;
        if self.tail == self.known_head || self.tail - self.published >= GRAIN {
            self.publish(wait);
        }
    }

    fn publish(&mut self, wait: &impl Wait) {
        let slot = self.slot();
        slot.tail.0.store(self.tail, Ordering::Release);
        if self.known_head - self.tail < RING_SIZE as u64 / 2 {
            self.ask_for_more(wait);
        }
    }

    /// Wakes the producer if less than half of the ring is full, unless it has said that it has no more: it would be
    /// woken at each event of a short stream.
    #[inline]
    fn ask_for_more(&mut self, wait: &impl Wait) {
        self.known_head = self.slot().head.0.load(Ordering::Acquire);
        let little = self.known_head - self.tail < RING_SIZE as u64 / 2;
        if little && self.slot().at_end.load(Ordering::Relaxed) == 0 {
            wait.wake(self.slot());
        }
        self.published = self.tail;
    }

    /// Puts back the last `length` bytes that were removed but whose room the producer has not been given yet
    /// to overwrite: it never fills more than [`RING_SIZE`] less [`REWIND`] bytes.
    pub fn rewind(&mut self, length: usize) {
        debug_assert!(length <= REWIND);
        self.tail -= length as u64;
        self.slot().tail.0.store(self.tail, Ordering::Release);
        self.published = self.tail;
    }

    /// Removes `length` bytes into `target`, in pieces if they are more than the ring.
    ///
    /// # Safety
    /// `length` bytes at `target` are writable.
    pub unsafe fn read(
        &mut self,
        mut target: *mut u8,
        mut length: usize,
        wait: &impl Wait,
    ) -> Result<(), Gone> {
        while length > 0 {
            let piece = length.min(RING_SIZE / 4);
            let from = self.peek(piece, wait).ok_or(Gone)?;
            // SAFETY: peek gave `piece` readable bytes; the caller vouches for the target; the ring is mapped
            // at an address of our own, so they do not overlap.
            unsafe {
                core::ptr::copy_nonoverlapping(from, target, piece);
                target = target.add(piece);
            }
            self.advance(piece, wait);
            length -= piece;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[derive(Default)]
    struct Wakes(Cell<u32>);

    impl Wait for Wakes {
        fn wait(&self, _: &Slot) -> bool {
            false
        }

        fn wake(&self, _: &Slot) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn a_producer_that_has_no_more_is_not_woken() {
        // SAFETY: all-zero is a valid slot: it is all atomics.
        let slot = unsafe { Box::<Slot>::new_zeroed().assume_init() };
        let mut ring = vec![0u8; 2 * RING_SIZE];
        let wakes = Wakes::default();
        // SAFETY: slot and ring live as long as both sides, of which there is one each.
        let (mut producer, mut consumer) =
            unsafe { (Producer::new(&*slot, ring.as_mut_ptr()), Consumer::new(&*slot, ring.as_ptr())) };
        let mut pass = |at_end: u32| {
            producer.advance(16);
            producer.publish(&wakes);
            slot.at_end.store(at_end, Ordering::Release);
            let before = wakes.0.get();
            assert!(consumer.peek(16, &wakes).is_some());
            consumer.advance(16, &wakes);
            wakes.0.get() - before
        };
        assert_eq!(pass(0), 1);
        assert_eq!(pass(1), 0);
    }
}

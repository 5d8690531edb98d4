//! One stream on its way from its ring to the trace.

use std::time::{Duration, Instant};

use super::facts::{Facts, StreamSink};
use super::scanner::Scanner;
use crate::companion::memory::RingMapping;
use crate::ring::{Consumer, Wait};
use crate::session::{RING_SIZE, Slot};
use crate::trace::Result;
use crate::trace::chunk;

/// Chunks are at least this long, unless the stream ends or is slow: shorter ones compress worse.
const WANTED_CHUNK: usize = 256 << 10;
/// An event longer than this is cut into several chunks.
const LONGEST_CHUNK: usize = 2 << 20;
/// Bytes of a slow stream are written after this time, so that little is lost when the machine fails.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// A stream that is being recorded.
pub struct Stream {
    number: u32,
    consumer: Consumer,
    scanner: Scanner,
    /// Bytes that were taken from the ring but are not in the trace yet.
    buffer: Vec<u8>,
    /// Where the buffer begins in the stream.
    buffer_start: u64,
    /// When the buffer's first byte came.
    waiting_since: Instant,
    /// What is wrong with the stream's bytes, if anything is. No more are taken then.
    damage: Option<String>,
}

impl Stream {
    /// Takes up stream `number` in `slot`, whose ring `ring` is.
    ///
    /// # Safety
    /// `slot` and `ring` stay mapped for as long as the result is used, and nobody else consumes.
    pub unsafe fn new(number: u32, slot: &Slot, ring: &RingMapping) -> Stream {
        Stream {
            number,
            // SAFETY: passed on to the caller.
            consumer: unsafe { Consumer::new(slot, ring.base()) },
            scanner: Scanner::new(),
            buffer: Vec::new(),
            buffer_start: 0,
            waiting_since: Instant::now(),
            damage: None,
        }
    }

    /// The stream's number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What is wrong with the stream's bytes, if anything is.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Takes what is in the ring, and appends full chunks to the trace. Returns the number of bytes taken.
    pub fn drain(&mut self, facts: &mut Facts, trace: &mut chunk::Writer, wait: &impl Wait) -> Result<usize> {
        let available = self.consumer.available(RING_SIZE);
        if available == 0 || self.damage.is_some() && available > RING_SIZE {
            return Ok(0);
        }
        if available > RING_SIZE {
            // Nothing in the ring can be trusted, not even how much there is.
            self.set_damage("its ring claims to hold more than it can");
            return Ok(0);
        }
        let Some(start) = self.consumer.peek(available, wait) else { return Ok(0) };
        if self.damage.is_none() {
            if self.buffer.is_empty() {
                self.waiting_since = Instant::now();
            }
            // SAFETY: peek gave `available` readable bytes, which the producer leaves alone until `advance`.
            let bytes = unsafe { std::slice::from_raw_parts(start, available) };
            self.buffer.extend_from_slice(bytes);
        }
        // At once, so that the program goes on while the bytes are looked at and compressed.
        self.consumer.advance(available, wait);
        if self.damage.is_none() {
            let fresh = self.buffer.len() - available;
            let mut sink = StreamSink { stream: self.number, facts };
            if let Err(damage) = self.scanner.feed(&self.buffer[fresh..], &mut sink) {
                self.set_damage(&damage);
            }
            facts.count_events(self.number, self.scanner.events());
            if self.buffer.len() >= WANTED_CHUNK {
                self.append(trace)?;
            }
        }
        Ok(available)
    }

    /// Takes no more of the stream, and leaves out the event that is none.
    fn set_damage(&mut self, what: &str) {
        self.damage = Some(format!("something in the program overwrote the recorder's memory: {what}"));
        self.buffer.truncate(self.complete());
    }

    /// Bytes of the buffer that are complete events.
    fn complete(&self) -> usize {
        self.scanner.boundary().saturating_sub(self.buffer_start) as usize
    }

    /// Appends what has waited too long.
    pub fn flush_if_old(&mut self, trace: &mut chunk::Writer) -> Result<()> {
        if !self.buffer.is_empty() && self.waiting_since.elapsed() > LONGEST_DELAY {
            self.append(trace)?;
        }
        Ok(())
    }

    /// Appends the rest. `complete` says that the stream ended in an orderly way.
    pub fn finish(mut self, complete: bool, trace: &mut chunk::Writer) -> Result<()> {
        trace.append(self.number, &std::mem::take(&mut self.buffer), complete && self.damage.is_none())
    }

    /// Appends the complete events of the buffer, or part of one that is very long.
    fn append(&mut self, trace: &mut chunk::Writer) -> Result<()> {
        let length = match self.complete() {
            0 if self.buffer.len() < LONGEST_CHUNK => return Ok(()),
            0 => self.buffer.len(),
            length => length,
        };
        trace.append(self.number, &self.buffer[..length], false)?;
        self.buffer.drain(..length);
        self.buffer_start += length as u64;
        self.waiting_since = Instant::now();
        Ok(())
    }
}

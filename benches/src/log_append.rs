//! What it costs to append an event to the log: the ring of a recorded thread, in this process.

use crate::statistics::Summary;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;
use tracer_core::companion::memory::RingMapping;
use tracer_core::event::{Header, Kind};
use tracer_core::ring::{Consumer, Producer, Wait};
use tracer_core::session::{RING_SIZE, Slot, ring_offset};

/// What the filter of the command line is compared with.
pub const NAME: &str = "log append";
/// Cycles of the time-stamp counter that an event may cost.
pub const TARGET_CYCLES: f64 = 60.0;

/// The size of an event with its header: that of a call with one argument and no data is 24, of a clock read 32.
pub const EVENT_BYTES: usize = 40;
/// Half of a ring.
const BATCH: usize = RING_SIZE / 2 / EVENT_BYTES;
const BATCHES: usize = 400;

/// An event, appended and published.
#[derive(Serialize, Deserialize)]
pub struct Appended {
    /// "alone" if the ring is emptied between the batches that are timed, "beside a reader" if another thread empties it
    /// meanwhile, as a recording's writer does.
    pub way: String,
    /// Nanoseconds of an event, batch by batch.
    pub nanoseconds: Summary,
    /// Cycles of the time-stamp counter, likewise.
    pub cycles: Summary,
}

/// Lets the other side go on.
struct Yield<'a> {
    finished: &'a AtomicBool,
}

impl Wait for Yield<'_> {
    fn wait(&self, _: &Slot) -> bool {
        thread::yield_now();
        !self.finished.load(Ordering::Acquire)
    }

    fn wake(&self, _: &Slot) {}
}

/// Measures it in both ways.
pub fn measure() -> Result<Vec<Appended>> {
    Ok(vec![way("alone", false)?, way("beside a reader", true)?])
}

fn way(name: &str, beside: bool) -> Result<Appended> {
    let memory = tempfile::tempfile_in("/dev/shm").context("cannot make a file in /dev/shm")?;
    memory.set_len((ring_offset(0) + RING_SIZE) as u64)?;
    let ring = RingMapping::new(memory.as_fd(), 0).context("cannot map a ring")?;
    // SAFETY: all-zero is a valid slot: it is all atomics.
    let slot = unsafe { Box::<Slot>::new_zeroed().assume_init() };
    // SAFETY: slot and ring live to the end of this function, as does its only producer.
    let mut producer = unsafe { Producer::new(&*slot, ring.base()) };
    let finished = AtomicBool::new(false);
    let wait = Yield { finished: &finished };
    let mut reader = Reader {
        // SAFETY: likewise, and this is the only consumer.
        consumer: unsafe { Consumer::new(&*slot, ring.base()) },
    };
    let (mut nanoseconds, mut cycles) = (Vec::new(), Vec::new());
    let mut batches = |after: &mut dyn FnMut()| {
        for _ in 0..BATCHES {
            let (began, from) = (Instant::now(), time_stamp());
            (0..BATCH).for_each(|number| append(&mut producer, number as u64, &wait));
            cycles.push((time_stamp() - from) as f64 / BATCH as f64);
            nanoseconds.push(began.elapsed().as_nanos() as f64 / BATCH as f64);
            after();
        }
    };
    if beside {
        thread::scope(|scope| {
            let wait = &wait;
            scope.spawn(move || reader.all(BATCHES * BATCH, wait));
            batches(&mut || {});
        });
    } else {
        batches(&mut || reader.all(BATCH, &wait));
    }
    let summary = |figures: &[f64]| Summary::of(figures).context("nothing was measured");
    Ok(Appended { way: name.into(), nanoseconds: summary(&nanoseconds)?, cycles: summary(&cycles)? })
}

/// As the library logs a call: the event in one piece, then seen by the reader.
fn append(producer: &mut Producer, number: u64, wait: &impl Wait) {
    const HEADER: Header = Header {
        kind: Kind::Call as u8,
        flags: 3,
        number: 39,
        length: (EVENT_BYTES - size_of::<Header>()) as u32,
    };
    let Some(to) = producer.reserve(EVENT_BYTES, wait) else { return };
    // SAFETY: reserve gave EVENT_BYTES writable bytes, which begin at a multiple of 8, as every event's do.
    unsafe {
        to.cast::<Header>().write(HEADER);
        let body = to.add(size_of::<Header>()).cast::<u64>();
        for index in 0..(EVENT_BYTES - size_of::<Header>()) / 8 {
            body.add(index).write(number + index as u64);
        }
    }
    producer.advance(EVENT_BYTES);
    producer.publish(wait);
}

/// Empties the ring.
struct Reader {
    consumer: Consumer,
}

// SAFETY: what it points to outlives the threads of `way`, and only one of them has it.
unsafe impl Send for Reader {}

impl Reader {
    /// Removes `count` events, as many at a time as there are.
    fn all(&mut self, count: usize, wait: &impl Wait) {
        let mut left = count * EVENT_BYTES;
        while left > 0 {
            if self.consumer.peek(EVENT_BYTES, wait).is_none() {
                return;
            }
            let length = self.consumer.available(EVENT_BYTES).min(left);
            self.consumer.advance(length, wait);
            left -= length;
        }
    }
}

fn time_stamp() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and this program is not recorded.
    unsafe { core::arch::x86_64::_rdtsc() }
}

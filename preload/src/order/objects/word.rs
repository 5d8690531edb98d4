//! The order of the operations on one object: who came last, and how many came before.
//!
//! In a mutex the word lies in the object itself, in the sixteen bytes that glibc has there for robust mutexes' lists
//! and does not use in others (nptl/sysdeps/x86/bits/struct_mutex.h): no look-up, and it is written in a cache line that
//! the lock has just been written in. It is zero in a mutex that was initialised in any way, and what a copy of a mutex
//! has is the same in both modes. Other objects have no room; they share [`STRIPES`] words by their address. Objects with
//! the same word are ordered as if they were one, which is more order than need be, and no less.

use super::demand;
use crate::order::stall::Stall;
use crate::thread::Thread;
use crate::{kernel, process};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tracer_core::event::operation::PLACE_BITS;

/// Words for objects that have no room for one.
const STRIPES: usize = 1024;
/// Where the high half begins: the stream, plus one, of the thread whose operation was the last; 0 for none.
pub const OWNER: u32 = PLACE_BITS;
const PLACES: u64 = (1 << OWNER) - 1;
/// How many `pause`s a thread waits before it sleeps: about as long as it takes to wake a processor of a virtual machine. With a
/// third of it, threads that want a lock by turns slept each time (30 us where a `pause` takes 10 ns).
pub const SPINS: usize = 3000;
/// The most of them between two looks.
const FURTHEST: u64 = 32;
/// Milliseconds after which a sleeper looks whether anybody is still there.
const PATIENCE: u64 = 1000;

/// A word.
#[repr(transparent)]
pub struct Word {
    state: AtomicU64,
}

#[repr(align(64))]
struct Stripe(Word);

static WORDS: [Stripe; STRIPES] = [const { Stripe(Word::new()) }; STRIPES];

/// A place in the order, as it is logged.
#[derive(Clone, Copy)]
pub struct Place(pub u64);

impl Place {
    /// How many operations there were before.
    pub fn count(self) -> u64 {
        self.0 & PLACES
    }

    /// Replay: whoever may still have the object: that stream plus one, 0 if nobody.
    pub fn holder(self) -> u32 {
        (self.0 >> OWNER) as u32
    }

    /// The stream of the thread whose operation comes before.
    pub fn last(self) -> Option<u32> {
        ((self.0 >> OWNER) as u32).checked_sub(1)
    }
}

/// What was there before an operation.
#[derive(Clone, Copy)]
pub struct Before {
    /// The operation's place: how many there were, and in the high bits whose was the last.
    pub place: Place,
    /// The one before was another thread's.
    pub changes: bool,
}

impl Word {
    /// One of an object that nobody has used.
    pub const fn new() -> Word {
        Word { state: AtomicU64::new(0) }
    }

    /// The word of an object that has no room for it.
    pub fn of(object: u64) -> &'static Word {
        &WORDS[stripe(object)].0
    }

    /// A word that lies in the program's memory.
    ///
    /// # Safety
    /// 8 bytes at `address`, a multiple of 8, are mapped, nobody else uses them, and they stay for as long as the reference
    /// is used.
    pub unsafe fn at(address: u64) -> &'static Word {
        // SAFETY: see above; any bytes are valid.
        unsafe { &*(address as *const Word) }
    }

    /// Operations so far.
    pub fn count(&self) -> u64 {
        self.place().count()
    }

    /// The place of the operation that comes next.
    pub fn place(&self) -> Place {
        Place(self.state.load(Ordering::SeqCst))
    }

    /// Notes an operation of `thread`, which excludes all others of the same word.
    #[inline(always)]
    pub fn advance_alone(&self, thread: &Thread) -> Before {
        let state = self.state.load(Ordering::Relaxed);
        let (next, before) = next(state, thread);
        self.state.store(next, Ordering::Release);
        before
    }

    /// Notes an operation of `thread`.
    #[inline(always)]
    pub fn advance(&self, thread: &Thread) -> Before {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let (next, before) = next(state, thread);
            match self.state.compare_exchange_weak(state, next, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return before,
                Err(now) => state = now,
            }
        }
    }

    /// Replay: notes an operation of `thread` and wakes those that wait for it.
    pub fn advance_and_wake(&self, thread: &Thread) -> Before {
        let before = self.advance(thread);
        Queue::of(self).reached(before.place.count() + 1);
        before
    }

    /// Replay: waits until there were so many operations. False if there were more already.
    pub fn wait_until(&self, thread: &mut Thread, place: Place) -> bool {
        self.spins_until(place.count(), SPINS)
            || self.wait_until_and(thread, place, place.last(), PATIENCE, || ())
    }

    /// Replay: whether the word came to so many operations within so many `pause`s. It is looked at more often the
    /// nearer it is: each look takes its cache line from who makes them.
    #[inline]
    pub fn spins_until(&self, count: u64, pauses: usize) -> bool {
        let mut done = 0;
        while done < pauses {
            let now = self.count();
            if now >= count {
                return now == count;
            }
            let meanwhile = (count - now).min(FURTHEST) as usize;
            (0..meanwhile).for_each(|_| core::hint::spin_loop());
            done += meanwhile;
        }
        false
    }

    /// As [`Word::wait_until`], for what `whose` stream does, without looking first. Does `meanwhile` each time when nothing has
    /// come for so many milliseconds, which is twice as long each time.
    pub fn wait_until_and(
        &self,
        thread: &mut Thread,
        place: Place,
        whose: Option<u32>,
        patience: u64,
        meanwhile: impl FnMut(),
    ) -> bool {
        let count = place.count();
        let sleep = || self.sleep_until(thread, count, patience, meanwhile);
        match whose {
            Some(stream) => demand::while_needed(self, count, stream, sleep),
            None => sleep(),
        }
    }

    fn sleep_until(
        &self,
        thread: &mut Thread,
        count: u64,
        mut patience: u64,
        mut meanwhile: impl FnMut(),
    ) -> bool {
        let mut stall = Stall::new();
        let queue = Queue::of(self);
        loop {
            let ticket = queue.join(count);
            let now = self.count();
            if now >= count {
                return now == count;
            }
            if queue.sleep(ticket, patience) {
                if patience >= PATIENCE {
                    stall.look(thread, "place", count);
                }
                meanwhile();
                patience = (2 * patience).min(PATIENCE);
            }
        }
    }

    /// Replay: waits until there were at least so many operations.
    pub fn wait_for(&self, thread: &mut Thread, place: Place) {
        // More are no surprise to who only looks.
        let _ = self.wait_until(thread, place);
    }

    /// The stream of the thread whose operation was the last.
    pub fn last(&self) -> Option<u32> {
        self.place().last()
    }

    /// Whether the last operation was this thread's.
    pub fn is_last(&self, thread: &Thread) -> bool {
        !next(self.state.load(Ordering::Acquire), thread).1.changes
    }
}

/// Replay: the threads that sleep until words come to their places; words share queues by their addresses.
///
/// Who makes an operation wakes them only if it may be one's turn: else a thread that waits for a thousand operations of
/// another one would be woken a thousand times.
#[repr(align(64))]
struct Queue {
    /// The lowest place that one of them waits for, [`NEVER`] for none.
    lowest: AtomicU64,
    /// A futex: changes when they are to look.
    bell: AtomicU32,
}

static QUEUES: [Queue; STRIPES] =
    [const { Queue { lowest: AtomicU64::new(NEVER), bell: AtomicU32::new(0) } }; STRIPES];

/// No place.
const NEVER: u64 = u64::MAX;

impl Queue {
    fn of(word: &Word) -> &'static Queue {
        &QUEUES[stripe(core::ptr::from_ref(word) as u64)]
    }

    /// The calling thread is about to sleep until `place`; it has to look once more. What to [`Queue::sleep`] with.
    fn join(&self, place: u64) -> u32 {
        let ticket = self.bell.load(Ordering::SeqCst);
        self.lowest.fetch_min(place, Ordering::SeqCst);
        ticket
    }

    /// True if nothing happened for so many milliseconds.
    fn sleep(&self, ticket: u32, patience: u64) -> bool {
        let ran_out = kernel::futex_wait(&self.bell, ticket, patience);
        if ran_out {
            process::end_if_abandoned();
        }
        ran_out
    }

    /// A word has come to `place`.
    #[inline]
    fn reached(&self, place: u64) {
        if self.lowest.load(Ordering::SeqCst) <= place {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        // Who has to go on sleeping joins again.
        self.lowest.store(NEVER, Ordering::SeqCst);
        self.bell.fetch_add(1, Ordering::SeqCst);
        kernel::futex_wake(&self.bell);
    }
}

/// Which of [`STRIPES`] belongs to an address.
fn stripe(address: u64) -> usize {
    // Objects are apart by their size; the multiplication brings all bits of the address to the top.
    ((address >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize % STRIPES
}

#[inline(always)]
fn next(state: u64, thread: &Thread) -> (u64, Before) {
    let me = thread.stream as u64 + 1;
    (
        me << OWNER | (state + 1) & PLACES,
        Before { place: Place(state), changes: state >> OWNER != me & (u64::MAX >> OWNER) },
    )
}

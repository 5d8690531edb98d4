//! How the two sides of a ring sleep and wake each other. This is the one place where the protocol is written
//! down; both sides use this code, each with its own [`Futex`].
//!
//! A [`Bell`] is two words in shared memory: a futex that counts rings, and a flag, *armed*, by which the
//! sleeper says that it is about to sleep. There are two kinds: every slot has one on which its thread sleeps
//! ([`Slot::program_wake`], [`Slot::program_waits`]), and the companion has one for all slots
//! ([`Control::companion_wake`], [`Control::companion_waits`]).
//!
//! The sleeper:
//! 1. reads the count, *then* arms ([`Bell::arm`]);
//! 2. looks again whether there is something to do; if so it goes on, armed or not;
//! 3. sleeps while the count is what it read ([`Bell::sleep`]), for a bounded time.
//!
//! The other side publishes what it did (head, tail, a slot's state), then rings: if the bell is armed, it
//! disarms it, adds one to the count and wakes ([`Bell::ring`]). An unarmed bell costs one load.
//!
//! Why no wake-up is lost: arming and ringing are sequentially consistent exchanges. If the ringer's exchange
//! comes first, the sleeper's look in step 2 sees what was published before it. If the sleeper's comes first,
//! the ringer sees the flag and changes the count after the sleeper read it, so the kernel refuses to sleep or
//! the wake-up finds the sleeper.
//!
//! [`Bell::hint`] leaves out the barrier between publishing and looking at the flag, and may therefore miss a
//! sleeper that is just arming. It is for the hot path, where it costs one plain load, and only where missing
//! does no harm: whoever is about to sleep itself rings in full first. The bounded sleep is for a peer that
//! was killed, and for what is published without ringing at all (a recording ring less than a quarter full).

use core::sync::atomic::{AtomicU32, Ordering, fence};

use crate::ring::Wait;
use crate::session::{Control, Slot};

/// The system calls that one side sleeps and wakes with: libc in the companion, raw ones in the program.
/// Futexes are shared between processes, so `FUTEX_PRIVATE_FLAG` must not be used.
pub trait Futex {
    /// Sleeps while `word` is `value`, at most for a time of the implementer's choosing (some ten
    /// milliseconds); may return early.
    fn sleep(&self, word: &AtomicU32, value: u32);
    /// Wakes the one sleeper on `word`.
    fn wake(&self, word: &AtomicU32);
    /// Whether the other side can still do anything. Called after each sleep.
    fn peer_lives(&self) -> bool;
}

/// One side's place to sleep; see the module's description.
pub struct Bell<'a> {
    count: &'a AtomicU32,
    armed: &'a AtomicU32,
}

/// What [`Bell::arm`] found.
#[derive(Clone, Copy, Debug)]
pub struct Armed {
    count: u32,
    /// The bell was armed already, and nobody has rung since.
    pub already: bool,
}

impl<'a> Bell<'a> {
    /// The bell that the thread of `slot` sleeps on.
    pub fn of_program(slot: &'a Slot) -> Bell<'a> {
        Bell { count: &slot.program_wake.0, armed: &slot.program_waits }
    }

    /// The bell that the companion sleeps on.
    pub fn of_companion(control: &'a Control) -> Bell<'a> {
        Bell { count: &control.companion_wake.0, armed: &control.companion_waits }
    }

    /// Announces a sleep. Look again before [`Bell::sleep`], unless the bell was armed already when you last
    /// looked.
    pub fn arm(&self) -> Armed {
        // The count first: a ring between these two lines disarms nothing and is seen by the second look.
        let count = self.count.load(Ordering::SeqCst);
        let already = self.armed.swap(1, Ordering::SeqCst) != 0;
        Armed { count, already }
    }

    /// Sleeps until somebody has rung since `armed` was obtained, or a bounded time has passed.
    pub fn sleep(&self, armed: Armed, futex: &impl Futex) {
        futex.sleep(self.count, armed.count);
    }

    /// Wakes the sleeper if there is one. What was stored before is seen by it.
    pub fn ring(&self, futex: &impl Futex) {
        fence(Ordering::SeqCst);
        self.hint(futex);
    }

    /// As [`Bell::ring`], but may miss a sleeper that is arming at this moment.
    #[inline]
    pub fn hint(&self, futex: &impl Futex) {
        if self.armed.load(Ordering::Relaxed) != 0 {
            self.strike(futex);
        }
    }

    #[cold]
    fn strike(&self, futex: &impl Futex) {
        if self.armed.swap(0, Ordering::SeqCst) != 0 {
            self.count.fetch_add(1, Ordering::SeqCst);
            futex.wake(self.count);
        }
    }
}

/// [`Wait`] for the program's side of a ring.
pub struct ProgramSide<'a, F> {
    control: &'a Control,
    futex: F,
}

impl<'a, F: Futex> ProgramSide<'a, F> {
    /// For the rings of the session that `control` belongs to.
    pub fn new(control: &'a Control, futex: F) -> ProgramSide<'a, F> {
        ProgramSide { control, futex }
    }

    /// To be called after a change of a slot's state.
    pub fn state_changed(&self) {
        Bell::of_companion(self.control).ring(&self.futex);
    }
}

impl<F: Futex> Wait for ProgramSide<'_, F> {
    /// Returns without sleeping the first time, so that the caller's loop is the look between arming and
    /// sleeping; the call after that sleeps.
    fn wait(&self, slot: &Slot) -> bool {
        let is_over =
            || self.control.stopped.load(Ordering::Acquire) != 0 || slot.at_end.load(Ordering::Acquire) != 0;
        let bell = Bell::of_program(slot);
        let armed = bell.arm();
        // A bell that is still armed need not mean that the caller has looked since: where a stream ends it looks
        // again and again, and nobody will ring.
        if armed.already && !is_over() {
            // We need the other side to move, so it must not miss us.
            Bell::of_companion(self.control).ring(&self.futex);
            bell.sleep(armed, &self.futex);
        }
        // A consumer looks once more after `false`: what was published before these flags is not lost.
        !is_over() && (!armed.already || self.futex.peer_lives())
    }

    fn wake(&self, _slot: &Slot) {
        Bell::of_companion(self.control).hint(&self.futex);
    }
}

/// Lets the program begin: its trace is open. (The first process waits with [`await_trace`].)
pub fn trace_is_open(control: &Control, futex: &impl Futex) {
    control.trace_is_open.store(1, Ordering::SeqCst);
    futex.wake(&control.trace_is_open);
}

/// Waits until the trace is open. False if it will never be.
///
/// Nothing is lost by a wake-up between the look and the sleep: the kernel looks at the word again.
pub fn await_trace(control: &Control, futex: &impl Futex) -> bool {
    loop {
        // Asked first: a companion that has gone may have opened it before.
        let lives = futex.peer_lives();
        if control.trace_is_open.load(Ordering::Acquire) != 0 {
            return true;
        }
        if !lives {
            return false;
        }
        futex.sleep(&control.trace_is_open, 0);
    }
}

/// [`Wait`] for the companion's side of all rings. The companion serves many rings and never sleeps for one.
pub struct CompanionSide<F> {
    futex: F,
}

impl<F: Futex> CompanionSide<F> {
    /// For any session.
    pub fn new(futex: F) -> CompanionSide<F> {
        CompanionSide { futex }
    }
}

impl<F: Futex> Wait for CompanionSide<F> {
    fn wait(&self, _slot: &Slot) -> bool {
        false
    }

    fn wake(&self, slot: &Slot) {
        Bell::of_program(slot).ring(&self.futex);
    }
}

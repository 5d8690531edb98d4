//! Chaos: who runs next, decided adversarially, to bring out what goes wrong once in a thousand runs.
//!
//! A scheduler that is fair, or random at every step, hardly ever finds the interleavings that break a program: most
//! bugs need one thread to be held up at one moment for *long*. This is PCT (Burckhardt, Kothari, Musuvathi and
//! Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010): every thread
//! gets a random priority, the ready thread with the highest one always runs, and at *d* - 1 random ones of a run's
//! *k* steps the runner's priority drops below all others. A bug that needs *d* ordering constraints shows in a run
//! of *n* threads with a probability of at least 1 / (n * k^(d-1)). What is adapted:
//!
//! * **Epochs.** Nobody knows *k* beforehand, and a server has no end. A run is cut into epochs, each a small PCT run:
//!   its length is drawn log-uniformly ([`EPOCH`]), so that both dense and sparse change points occur, up to
//!   [`CHANGES`] of them at uniform steps, and priorities are drawn afresh when it begins.
//! * **Steps** are safepoints, where hand-overs are logged. Straight code has none: there the runner is stopped by
//!   force after a slice ([`Chaos::slice`]), short ones to hit windows of a few instructions, long ones to let
//!   threads get far apart; most such stops are change points in themselves, because they are rare.
//! * **Starvation.** Strict priorities never let the holder of a spin lock run while others spin. A thread that
//!   yields drops below all others, and one that was passed over [`PATIENCE`] times rises above them.
//! * **Delays.** Threads of a process race with each other by hand-overs, but with other processes, timers and the
//!   network by time: now and then the runner just waits.
//!
//! The decisions are a function of the seed and of the calls made here, without clock or memory but [`Chaos`] itself:
//! its user keeps one for each order domain. Threads are named by small numbers that are used again.

/// Threads that a domain can have at once.
pub const THREADS: usize = tracer_core::session::SLOTS;
/// Steps in an epoch, as powers of two.
const EPOCH: core::ops::Range<u32> = 4..14;
/// Change points in an epoch, at most.
const CHANGES: usize = 4;
/// How often a thread can be passed over.
const PATIENCE: u32 = 512;
/// One safepoint in so many is a delay.
const DELAYS: u64 = 512;
/// Priorities that are drawn lie in the middle: those that drop go below, those that rise go above.
const DRAWN: u64 = 1 << 32;
/// Beyond all priorities.
const STARVING: u64 = 1 << 62;

/// A time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub u64);

/// What the runner has to do at a safepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    GoOn,
    /// It hands the right to run to this thread.
    HandOverTo(usize),
    /// It keeps the right to run, but sleeps for so long first.
    Delay(Nanos),
}

/// What is known of a thread.
#[derive(Clone, Copy)]
struct Place {
    /// The epoch in which `rank` was given.
    epoch: u32,
    /// Times that it was passed over since it ran last.
    passed_over: u32,
    /// Its priority: higher ones run first.
    rank: u64,
}

/// The state of one order domain. All zero bytes if the seed is 0, so that one that is never used costs no memory.
pub struct Chaos {
    random: u64,
    epoch: u32,
    /// Steps made in this epoch, and in all of it.
    step: u32,
    length: u32,
    /// Steps at which the runner's priority drops.
    changes: [u32; CHANGES],
    /// How many priorities have dropped below, and risen above, those that were drawn.
    dropped: u64,
    risen: u64,
    places: [Place; THREADS],
}

impl Chaos {
    /// Of a domain that has nobody yet. Domains of one recording get seeds of their own from [`seed_of`].
    pub const fn new(seed: u64) -> Chaos {
        let nobody = Place { epoch: 0, passed_over: 0, rank: 0 };
        Chaos {
            random: seed,
            epoch: 0,
            step: 0,
            length: 0,
            changes: [0; CHANGES],
            dropped: 0,
            risen: 0,
            places: [nobody; THREADS],
        }
    }

    /// Thread `index` (below [`THREADS`]) appears; whoever had this number before is forgotten.
    pub fn thread_began(&mut self, index: usize) {
        self.begin_epoch_if_due();
        self.places[index] = Place { epoch: self.epoch, passed_over: 0, rank: self.draw_rank() };
    }

    /// `runner`, which has the right to run, is at a safepoint; `waiting` could run instead.
    pub fn at_safepoint(&mut self, runner: usize, waiting: impl Iterator<Item = usize>) -> Decision {
        self.begin_epoch_if_due();
        self.step += 1;
        if self.changes.contains(&self.step) {
            self.drop_below_all(runner);
        }
        let delay = self.below(DELAYS) == 0;
        match self.decide(runner, waiting) {
            Decision::GoOn if delay => Decision::Delay(self.between(14, 20)),
            decision => decision,
        }
    }

    /// `runner` was stopped by force, at the end of a slice.
    pub fn at_stop(&mut self, runner: usize, waiting: impl Iterator<Item = usize>) -> Decision {
        self.begin_epoch_if_due();
        self.step += 1;
        if self.below(4) > 0 {
            self.drop_below_all(runner);
        }
        self.decide(runner, waiting)
    }

    /// `runner` says that it can do nothing useful now: sched_yield, or `pause` in a spin loop.
    pub fn at_yield(&mut self, runner: usize, waiting: impl Iterator<Item = usize>) -> Decision {
        self.begin_epoch_if_due();
        self.step += 1;
        self.drop_below_all(runner);
        self.decide(runner, waiting)
    }

    /// Who of `waiting` runs next, when nobody does; `None` if nobody waits.
    pub fn choose(&mut self, waiting: impl Iterator<Item = usize>) -> Option<usize> {
        self.begin_epoch_if_due();
        let (best, key) = self.best(waiting)?;
        self.runs(best, key);
        Some(best)
    }

    /// After how long straight code is to be stopped: mostly 33 us to 1 ms, else up to 67 ms. Threads of short programs
    /// live for a millisecond.
    pub fn slice(&mut self) -> Nanos {
        match self.below(8) {
            0..=4 => self.between(15, 20),
            5 | 6 => self.between(20, 23),
            _ => self.between(23, 26),
        }
    }

    /// The runner, or the best of those that wait if that is better. Whoever does not run was passed over.
    fn decide(&mut self, runner: usize, waiting: impl Iterator<Item = usize>) -> Decision {
        let own = self.rank(runner);
        self.places[runner].passed_over = 0;
        match self.best(waiting.filter(|index| *index != runner)) {
            Some((best, key)) if key > own => {
                self.runs(best, key);
                Decision::HandOverTo(best)
            }
            _ => Decision::GoOn,
        }
    }

    /// The thread to be preferred, and its key: its priority, or more if it has waited for too long. It rises only
    /// when it runs: if all that starve rose at once, only the last would run.
    fn best(&mut self, waiting: impl Iterator<Item = usize>) -> Option<(usize, u64)> {
        let mut best: Option<(usize, u64)> = None;
        for index in waiting {
            let rank = self.rank(index);
            let place = &mut self.places[index];
            place.passed_over = place.passed_over.saturating_add(1);
            let passed_over = place.passed_over;
            let key = if passed_over > PATIENCE { STARVING + u64::from(passed_over) } else { rank };
            if best.is_none_or(|(_, highest)| key > highest) {
                best = Some((index, key));
            }
        }
        best
    }

    /// The thread gets the right to run, having won with `key`.
    fn runs(&mut self, index: usize, key: u64) {
        let place = &mut self.places[index];
        place.passed_over = 0;
        if key >= STARVING {
            self.risen += 1;
            place.rank = 2 * DRAWN + self.risen;
        }
    }

    /// The priority of a thread; it is drawn when it is first asked for in an epoch.
    fn rank(&mut self, index: usize) -> u64 {
        if self.places[index].epoch != self.epoch {
            (self.places[index].rank, self.places[index].epoch) = (self.draw_rank(), self.epoch);
        }
        self.places[index].rank
    }

    fn draw_rank(&mut self) -> u64 {
        DRAWN + self.below(DRAWN)
    }

    fn drop_below_all(&mut self, index: usize) {
        self.dropped += 1;
        self.places[index] = Place { epoch: self.epoch, passed_over: 0, rank: DRAWN - self.dropped };
    }

    fn begin_epoch_if_due(&mut self) {
        if self.step < self.length {
            return;
        }
        self.epoch = self.epoch.wrapping_add(1);
        self.length = self.between(EPOCH.start, EPOCH.end).0 as u32;
        (self.step, self.dropped, self.risen) = (0, 0, 0);
        let changes = self.below(CHANGES as u64 + 1) as usize;
        for at in 0..CHANGES {
            // Steps count from 1: 0 never comes.
            let step = 1 + self.below(self.length.into()) as u32;
            self.changes[at] = if at < changes { step } else { 0 };
        }
    }

    /// Log-uniform: as likely between 2^low and 2^(low + 1) as between 2^(high - 1) and 2^high.
    fn between(&mut self, low: u32, high: u32) -> Nanos {
        let power = u64::from(low) + self.below(u64::from(high - low));
        Nanos((1 << power) + self.below(1 << power))
    }

    /// A number below `limit`, which is at most 2^32.
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(STEP);
        ((mix(self.random) >> 32) * limit) >> 32
    }
}

/// The seed of the domain that stream `stream` begins, in a recording with `seed`: processes that start alike must
/// not be disturbed alike.
pub fn seed_of(seed: u64, stream: u32) -> u64 {
    mix(seed ^ mix(u64::from(stream).wrapping_add(STEP)))
}

/// 2^64 divided by the golden ratio: with it, the sums of Steele, Lea and Flood's SplitMix64 visit every number.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser: each bit of the sum decides over half of the result's.
fn mix(sum: u64) -> u64 {
    let sum = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let sum = (sum ^ (sum >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    sum ^ (sum >> 31)
}

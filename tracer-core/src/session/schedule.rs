//! A list of hand-overs that a recording is to make, instead of those that chaos would choose.
//!
//! Places are told in a way that is the same in runs of a program in which other threads run at other times. A thread is known
//! by its *lineage*: who created it, and as the how-manieth. A place in its life is how many events its image has logged, less
//! those that depend on who ran ([`is_incidental`]), and how many calls of libc's locks and the like it has made. Between two
//! instructions it is an instruction, and how often the thread came to it since its last hook.
//!
//! The list lies behind the rings in the session's memfd, the hand-overs of a thread in a row, in the order in which it
//! comes to them. What became of each is noted there.

use super::SESSION_SIZE;
use crate::event::Kind;
use core::mem::size_of;
use core::sync::atomic::{AtomicU32, AtomicU64};

/// Hand-overs that a list can have.
pub const LONGEST: usize = 1 << 15;
/// Where the list lies in the memfd.
pub const LIST: usize = SESSION_SIZE;
/// Bytes of a list.
pub const LIST_SIZE: usize = LONGEST * size_of::<HandOver>();
/// Size of the memfd of a session that has one.
pub const SCHEDULED_SIZE: usize = LIST + LIST_SIZE;

/// The lineage of a recording's first thread, before its image begins.
pub const FIRST: u64 = 1;
/// In [`HandOver::points`]: however many.
pub const ANY: u64 = u64::MAX;

/// One hand-over. Threads are named by their lineages.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// The thread that runs.
    pub thread: u64,
    /// Events that its image has logged, less incidental ones.
    pub events: u64,
    /// Calls of libc's locks and the like, or [`ANY`].
    pub points: u64,
    /// The thread that runs then.
    pub target: u64,
    /// [`place::STOP`]: the instruction.
    pub address: u64,
    /// [`place::STOP`]: at which of the thread's passages of it, from 1 on.
    pub passages: u64,
    /// A [`place`].
    pub place: u32,
    /// Not 0: it is to be made. Else the thread goes on.
    pub wanted: u32,
    /// An [`outcome`].
    pub outcome: u32,
    /// For the size to be a power of two.
    pub padding: u32,
}

/// Where a thread hands over.
pub mod place {
    /// Before a call, or another event.
    pub const EVENT: u32 = 1;
    /// At the entry of one of libc's functions for locks and the like, or where it spins.
    pub const POINT: u32 = 2;
    /// Where it waits or ends: in a call that may sleep, at sched_yield, at its end.
    pub const WAIT: u32 = 3;
    /// Between two instructions.
    pub const STOP: u32 = 4;
}

/// What became of a hand-over.
pub mod outcome {
    /// The thread did not come to the place.
    pub const NOT_REACHED: u32 = 0;
    /// It was made.
    pub const MADE: u32 = 1;
    /// The thread came to the place and was to go on.
    pub const LEFT_OUT: u32 = 2;
    /// The thread that was to run next could not: it slept, or was not there.
    pub const NOBODY: u32 = 3;
}

/// The part of [`super::Control`] that is about this.
#[repr(C)]
pub struct Schedule {
    /// Not 0: there is a list.
    pub on: AtomicU32,
    /// How many hand-overs it has.
    pub count: AtomicU32,
    /// How many were made.
    pub made: AtomicU32,
    /// Hand-overs beside the list, because a thread kept others waiting for too long.
    pub others: AtomicU32,
    /// Futex: changes when somebody wants to know whether a thread sleeps ([`super::Slot::question`]).
    pub questions: AtomicU32,
    /// Turns taken so far, by anybody.
    pub turns: AtomicU64,
}

/// Answers in [`super::Slot::answer`].
pub mod answer {
    /// There is none yet.
    pub const NONE: u32 = 0;
    /// The kernel runs the thread, or is about to.
    pub const RUNS: u32 = 1;
    /// It sleeps, or is not there.
    pub const SLEEPS: u32 = 2;
}

/// The lineage of the `number`-th thread or process, from 1 on, that one with `lineage` creates.
pub fn child(lineage: u64, number: u32) -> u64 {
    mix(lineage ^ mix(u64::from(number)))
}

/// The lineage of a thread once it has begun an image.
pub fn image(lineage: u64) -> u64 {
    mix(lineage ^ STEP)
}

/// Whether an event of this kind, or call with this number, comes or does not by who ran when.
pub fn is_incidental(kind: Kind, number: u16) -> bool {
    match kind {
        Kind::Turn | Kind::Stop | Kind::Check | Kind::Signal | Kind::Note => true,
        Kind::Call => matches!(i64::from(number), libc::SYS_futex | libc::SYS_sched_yield),
        _ => false,
    }
}

/// 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Steele, Lea and Flood's SplitMix64.
fn mix(number: u64) -> u64 {
    let sum = number.wrapping_add(STEP);
    let sum = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let sum = (sum ^ (sum >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    sum ^ (sum >> 31)
}

const _: () = assert!(size_of::<HandOver>() == 64);

/// The bytes of a list.
pub fn bytes(list: &[HandOver]) -> &[u8] {
    // SAFETY: numbers without padding between them: all bytes are initialised.
    unsafe { core::slice::from_raw_parts(list.as_ptr().cast(), size_of_val(list)) }
}

impl HandOver {
    /// From its bytes in the memfd.
    pub fn from_bytes(bytes: &[u8; size_of::<HandOver>()]) -> HandOver {
        // SAFETY: any bytes are numbers.
        unsafe { bytes.as_ptr().cast::<HandOver>().read_unaligned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn lineages_differ() {
        let mut all = BTreeSet::from([FIRST, image(FIRST), image(image(FIRST))]);
        for parent in [FIRST, image(FIRST), child(FIRST, 1)] {
            all.extend((1..100).map(|number| child(parent, number)));
        }
        assert_eq!(all.len(), 3 + 3 * 99);
    }
}

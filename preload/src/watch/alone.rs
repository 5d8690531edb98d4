//! Sync order, a replay that tells accesses: one thread at a time is in the program's code, and in ours.
//!
//! Memory is closed and opened for all threads of a process at once, so who is to be seen must be alone. In serial order that
//! is so by itself. Here a thread that waits, for whatever it be, lets another one go on: what it waits for is a place in a
//! partial order, in which there is always a thread that need not wait. What a replay of this kind makes of the partial order
//! is one of the ways in which the recording's threads could have been run one at a time; what races, races in all of them.
//!
//! Threads go on in the order in which they came. One that loops until another one has written, which is what races do, calls
//! nobody: who waits for too long interrupts it.

use crate::order::{objects, sections};
use crate::thread::{self, Thread};
use crate::{kernel, process, start};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tracer_core::session::Mode;

/// Milliseconds for which a thread waits before it interrupts the one that runs.
const PATIENCE: u64 = 50;
/// Nanoseconds between two looks of libc's for what it waits for: at first, and when it has waited for long. (Threads that wait for
/// each other must be found to do nothing: [`crate::order`]'s `Stall`.)
const PAUSES: [u64; 2] = [50_000, 50_000_000];

/// How often who stays behind looks whether others still do something, at most, and nanoseconds between two looks: they have
/// ten seconds.
const LAST_LOOKS: u32 = 400;
const LAST_PAUSE: u64 = 25_000_000;
/// Nanoseconds of processor time between two looks in which others can do nothing but wait, and after how many such looks they do.
const NOTHING: u64 = 1_000_000;
const IDLE_LOOKS: u32 = 12;

/// Threads of this process are to be alone.
static WANTED: AtomicBool = AtomicBool::new(false);
/// How many have come, and how many have been let in and gone.
static COME: AtomicU32 = AtomicU32::new(0);
static GONE: AtomicU32 = AtomicU32::new(0);
/// The stream of the one that is in.
static STREAM: AtomicU32 = AtomicU32::new(0);

/// The process, whose only thread this is, gets its second one.
pub fn begin(thread: &mut Thread) {
    if process::get().mode == Mode::Replay && super::accesses::are_told() {
        COME.store(1, Ordering::Relaxed);
        GONE.store(0, Ordering::Relaxed);
        STREAM.store(thread.stream, Ordering::Relaxed);
        WANTED.store(true, Ordering::Relaxed);
        thread.watch.is_alone = true;
    }
}

/// The process has one thread: at start and after fork.
pub fn cease(thread: &mut Thread) {
    WANTED.store(false, Ordering::Relaxed);
    thread.watch.is_alone = false;
}

/// Whether threads have to be alone.
#[inline]
pub fn is_wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// Whether hooks of such a replay leave other bytes on the program's stack than the recording's, in processes with one thread, too.
pub fn leaves_traces() -> bool {
    super::accesses::are_told() && sections::is_chosen()
}

/// A thread appears: waits until it is alone.
pub fn appear(thread: &mut Thread) {
    if is_wanted() && !thread.borrows_memory {
        come(thread);
    }
}

/// The thread ends, and others go on.
pub fn end(thread: &mut Thread) {
    if core::mem::take(&mut thread.watch.is_alone) {
        GONE.fetch_add(1, Ordering::SeqCst);
        kernel::futex_wake(&GONE);
    }
}

fn come(thread: &mut Thread) {
    let own = COME.fetch_add(1, Ordering::SeqCst);
    loop {
        let gone = GONE.load(Ordering::SeqCst);
        if gone == own {
            break;
        }
        if kernel::futex_sleep(&GONE, gone, PATIENCE) {
            process::end_if_abandoned();
            objects::nudge(STREAM.load(Ordering::Relaxed));
        }
    }
    STREAM.store(thread.stream, Ordering::Relaxed);
    thread.watch.is_alone = true;
}

/// Does `action`, in which the calling thread waits and uses no memory of the program's, while others go on.
#[inline]
pub fn while_others_go_on<R>(action: impl FnOnce() -> R) -> R {
    if !is_wanted() || !thread::current().watch.is_alone {
        return action();
    }
    let thread = thread::current();
    end(thread);
    let result = action();
    come(thread);
    result
}

/// The thread has gone another way than the recorded one, and stays where it is. Others go on for as long as they can: that it
/// has not waited for what one of them does is most often the reason, and is told when that one does it.
pub fn stay_behind(thread: &mut Thread) {
    if !is_wanted() {
        return;
    }
    end(thread);
    let mut idle = 0;
    for _ in 0..LAST_LOOKS {
        let before = kernel::processor_time();
        kernel::sleep(LAST_PAUSE);
        idle = if kernel::processor_time() - before < NOTHING { idle + 1 } else { 0 };
        if idle == IDLE_LOOKS {
            break;
        }
    }
}

/// A hook that recordings have, too, is about to let the thread go on in the program's code. Not to be called on the program's
/// stack.
#[inline]
pub fn before_program() {
    if is_wanted() {
        super::accesses::before_program(thread::current());
    }
}

/// Lets others go on for a moment. For who waits for a change of the program's memory: a page that is closed has no futex that works.
pub fn pause() {
    while_others_go_on(|| kernel::sleep(PAUSES[0]));
}

/// libc waits until somebody changes a word and wakes it: instead of in the kernel, which cannot read memory that is closed, here.
/// What its futex call gives; `None` if that is to be made.
pub fn wait(thread: &mut Thread, arguments: &[u64; 6]) -> Option<i64> {
    let [word, operation, expected, ..] = *arguments;
    let waits = [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET];
    if !is_wanted() || !waits.contains(&(operation as i32 & libc::FUTEX_CMD_MASK)) {
        return None;
    }
    if crate::log::read_value::<u32>(word) != Some(expected as u32) {
        return Some(-i64::from(libc::EAGAIN));
    }
    let [shortest, longest] = PAUSES;
    let (last, pause) = thread.watch.pause;
    let pause = if last == (word, thread.passes) { (2 * pause).min(longest) } else { shortest };
    thread.watch.pause = ((word, thread.passes), pause);
    while_others_go_on(|| kernel::sleep(pause));
    // Without a reason, perhaps: who called looks again.
    Some(0)
}

/// Another thread has waited for too long while this one is at `rip`.
pub fn nudged(thread: &mut Thread, rip: u64) {
    if !start::is_our_code(rip) && !super::accesses::is_in_step(thread) {
        while_others_go_on(|| ());
    }
}

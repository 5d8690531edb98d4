//! Cancellation of threads, and signals that threads send each other.
//!
//! libc's pthread_cancel marks the other thread, which looks at the mark inline, at its cancellation points: when it does nobody
//! sees. Here the thread marks itself, in the handler of the signal that libc has for this, SIGCANCEL, which pthread_cancel
//! sends. So it comes at a place that is logged, as any signal does, and what libc makes of the mark follows from the
//! program.
//!
//! A thread that waits for a condition, a semaphore or a thread when the signal comes is not unwound from there: libc would take the
//! condition's mutex unseen. Its wait ends as if its time were over, which is logged; then it marks itself, and looks.
//! It waits again if cancellation is disabled.

use super::interrupt;
use super::ordered::Ordered;
use super::original::Original;
use super::rows::{self, Row};
use super::stacks::{self, calling_thread};
use crate::order::sections::{self, state};
use crate::process;
use crate::signals::{Action, kernel_side};
use crate::thread::{self, Thread};
use tracer_core::event::operation::CANCELLED;
use tracer_core::session::Mode;

/// The signal that glibc has for cancellation; programs cannot use it, nor the one behind it (nptl's SIGSETXID).
const SIGNAL: i32 = 32;
const OF_LIBC: core::ops::RangeInclusive<i32> = SIGNAL..=33;
/// PTHREAD_CANCEL_DEFERRED in glibc's pthread.h.
const DEFERRED: u64 = 0;
/// Bits of an encoded clock that are not of the thread's id (CPUCLOCK_* in glibc's kernel-posix-cpu-timers.h).
const CLOCK_BITS: u32 = 3;

static CANCEL: Original = Original::new();
static TEST: Original = Original::new();
static KILL: Original = Original::new();
/// `pthread_setcanceltype`.
pub static SET_TYPE: Original = Original::new();
/// `pthread_getcpuclockid`: what libc knows of a thread's id.
pub static CLOCK: Original = Original::new();
/// `tgkill`.
pub static SEND: Original = Original::new();

/// pthread_cancel loads libgcc_s and sets its handler when it is used for the first time.
static LOCK: Ordered = Ordered::new();

/// The functions that cancel threads, look whether one was cancelled, or send signals.
pub static ROWS: &[Row] = &[
    Row::new(b"pthread_cancel", || cancel as *const () as u64, &CANCEL).with_objects(1),
    Row::new(b"pthread_testcancel", || test as *const () as u64, &TEST),
    Row::new(b"pthread_kill", || kill as *const () as u64, &KILL).with_objects(1),
];

/// Threads will run in parallel.
pub fn install() {
    let actions = &mut process::get().actions;
    // libc has set a handler for the signal behind it before it made its first thread.
    let restorer = actions[*OF_LIBC.end() as usize].restorer;
    if restorer == 0 || CANCEL.place() == 0 || TEST.place() == 0 {
        return;
    }
    let action = Action {
        handler: handle as *const () as u64,
        flags: libc::SA_SIGINFO as u64 | kernel_side::SA_RESTORER,
        restorer,
        mask: 0,
    };
    actions[SIGNAL as usize] = action;
    if process::get().mode == Mode::Record {
        kernel_side::follow(SIGNAL, &action);
    }
}

/// Whether the signal's handler is ours, and not to be replaced by libc's.
pub fn has(signal: i32) -> bool {
    signal == SIGNAL && process::get().actions[SIGNAL as usize].handler == handle as *const () as u64
}

/// Sends a signal to another thread: 0 or an error; `None` if the thread has ended.
fn send(target: u64, signal: i32) -> Option<i32> {
    let id = stacks::while_it_runs(target, || {
        let mut clock = 0i32;
        // SAFETY: libc's function, with a thread that has not ended, or that the program vouches for.
        let error = unsafe { CLOCK.call([target, &raw mut clock as u64]) };
        (error == 0).then_some(!(clock >> CLOCK_BITS) as u32)
    })??;
    let arguments = [u64::from(process::get().id), u64::from(id), signal as u64];
    // SAFETY: libc's function, which makes a system call of the program.
    Some(rows::error_of(unsafe { SEND.call(arguments) }))
}

extern "C" fn cancel(target: u64) -> i32 {
    let is_ours = sections::ordered().is_some() && target != calling_thread() && has(SIGNAL);
    if is_ours && send(target, SIGNAL).is_some() {
        return 0;
    }
    // SAFETY: libc's function, with the program's argument.
    unsafe { CANCEL.call([target]) }
}

extern "C" fn kill(target: u64, signal: i32) -> i32 {
    let is_ours = sections::ordered().is_some() && target != calling_thread() && !OF_LIBC.contains(&signal);
    let sent = if is_ours { send(target, signal) } else { None };
    // SAFETY: libc's function, with the program's arguments.
    sent.unwrap_or_else(|| unsafe { KILL.call([target, signal as u64]) })
}

extern "C" fn test() -> i32 {
    // libc's sem_wait calls it, too.
    let ordered = sections::ordered();
    if let Some((thread, state)) =
        ordered.filter(|(thread, _)| thread.cancellation == Cancellation::Impossible)
    {
        deliver(thread, state);
        thread.passes += 1;
    }
    // SAFETY: libc's function.
    unsafe { TEST.call([]) }
}

/// The thread's handler of [`SIGNAL`].
extern "C" fn handle(_: i32) {
    mark();
}

/// Marks the calling thread as cancelled.
fn mark() {
    let mut before = 0i32;
    // SAFETY: libc's functions. While the type is deferred nothing happens but the mark; if it was not, it does when it is
    // set again, and the thread is unwound through this frame, which has nothing to clean up.
    unsafe {
        SET_TYPE.call([DEFERRED, &raw mut before as u64]);
        LOCK.enter();
        CANCEL.call([calling_thread()]);
        LOCK.leave();
        SET_TYPE.call([before as u64, &raw mut before as u64]);
    }
}

fn deliver(thread: &mut Thread, state: u8) {
    if state == state::RECORD {
        interrupt::record(thread);
    } else {
        interrupt::replay(thread);
    }
}

/// A thread is about to wait in an operation that is a cancellation point.
pub fn point(thread: &mut Thread, state: u8) {
    deliver(thread, state);
    look();
}

/// What libc does at a cancellation point.
fn look() {
    if TEST.place() != 0 {
        // SAFETY: libc's function, which was found.
        unsafe { TEST.call([]) };
    }
}

/// Does an operation that is a cancellation point until it is not ended by a cancellation that the thread refuses.
pub fn repeat(thread: &mut Thread, state: u8, mut operation: impl FnMut(&mut Thread) -> i32) -> i32 {
    loop {
        point(thread, state);
        thread.cancellation = Cancellation::Possible;
        let result = operation(thread);
        match core::mem::take(&mut thread.cancellation) {
            Cancellation::Told => act(),
            Cancellation::Come => {
                // It got what it waited for all the same.
                thread.pending.add(SIGNAL, &[0; 128]);
                thread.register.signals_pending = 1;
                return result;
            }
            _ => return result,
        }
    }
}

/// Replay: calls a function of libc that is a cancellation point where the program has called one that is none.
pub fn within(call: impl FnOnce() -> i32) -> i32 {
    let thread = thread::current();
    let before = core::mem::replace(&mut thread.cancellation, Cancellation::Possible);
    let result = call();
    thread.cancellation = before;
    result
}

/// The thread was cancelled while it waited: comes back if it refuses to be.
pub fn act() {
    mark();
    look();
}

/// How far a cancellation of the operation that a thread is in has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cancellation {
    /// It is in no cancellation point.
    #[default]
    Impossible,
    /// It may be cancelled.
    Possible,
    /// Recording: it was; libc is told that its time is over.
    Come,
    /// That is in the log, and the thread is to act on it when the operation has come to its end.
    Told,
}

/// Recording: signals have come while the thread sleeps in an operation. Whether its wait is to end.
pub fn ends_wait(thread: &mut Thread) -> bool {
    match thread.cancellation {
        Cancellation::Possible if thread.pending.first(thread.blocked) == Some(SIGNAL) => {}
        Cancellation::Come => return true,
        _ => return false,
    }
    thread.pending.take(thread.blocked);
    thread.cancellation = Cancellation::Come;
    thread.register.signals_pending = u64::from(thread.pending.any(thread.blocked));
    kernel_side::block(thread.blocked);
    true
}

/// Recording: the flag for an operation's event.
pub fn told(thread: &mut Thread) -> u8 {
    if thread.cancellation != Cancellation::Come {
        return 0;
    }
    thread.cancellation = Cancellation::Told;
    CANCELLED
}

/// Replay: what an operation's event says.
pub fn follow(thread: &mut Thread, flags: u8) {
    if flags & CANCELLED != 0 {
        thread.cancellation = Cancellation::Told;
    }
}

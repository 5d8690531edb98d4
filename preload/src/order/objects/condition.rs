//! Condition variables.
//!
//! What matters of a wait is when the mutex is locked again, and what had been signalled by then: even a signal that was
//! given without the mutex comes before the end of the wait. Replay does not wait for the condition: it gives the mutex
//! up, and takes it back at its recorded place.

use super::cancel::{self, Cancellation};
use super::engine::{Logged, Subject, come_to, expect, is_refused, tell};
use super::interrupt;
use super::original::Original;
use super::rows::{self, Row};
use super::word::Place;
use crate::order::sections::{self, state};
use crate::thread::Thread;
use crate::watch;
use tracer_core::event::{Operation, operation::REFUSED};
use tracer_core::session::functions;

/// `pthread_mutex_unlock`.
pub static MUTEX_UNLOCK: Original = Original::new();

macro_rules! waiting {
    ($($name:literal $static:ident $hook:ident(condition, mutex $(, $argument:ident)*);)*) => {
        $(
            static $static: Original = Original::new();

            extern "C" fn $hook(condition: u64, mutex: u64 $(, $argument: u64)*) -> i32 {
                // SAFETY: libc's function, with the arguments that the program passes.
                let attempt = || unsafe { $static.call([condition, mutex $(, $argument)*]) };
                let Some((thread, state)) = sections::ordered() else { return attempt() };
                cancel::point(thread, state);
                let result = if state == state::RECORD {
                    record(thread, condition, mutex, attempt)
                } else {
                    const FUNCTION: Option<u16> = functions::number($name);
                    watch::operation_begins(thread, FUNCTION, [condition, mutex]);
                    let result = replay(thread, condition, mutex);
                    watch::operation_ends(thread, FUNCTION, condition, result);
                    result
                };
                finish(thread, result)
            }
        )*

        /// The functions that wait.
        pub static WAITING: &[Row] =
            &[$(Row::new($name, || $hook as *const () as u64, &$static).with_objects(2)),*];
    };
}

waiting! {
    b"pthread_cond_wait" COND_WAIT cond_wait(condition, mutex);
    b"pthread_cond_timedwait" COND_TIMEDWAIT cond_timedwait(condition, mutex, until);
    b"pthread_cond_clockwait" COND_CLOCKWAIT cond_clockwait(condition, mutex, clock, until);
}

fn of(condition: u64) -> Subject {
    Subject::by_address(Operation::Wait, condition)
}

/// Whether the wait began, and the mutex was given up meanwhile.
fn has_waited(result: i32) -> bool {
    matches!(result, 0 | libc::ETIMEDOUT | libc::EOWNERDEAD | libc::ENOTRECOVERABLE)
}

fn record(thread: &mut Thread, condition: u64, mutex: u64, attempt: impl FnOnce() -> i32) -> i32 {
    thread.cancellation = Cancellation::Possible;
    begin(thread);
    // glibc's wait itself broadcasts if it ran out of time when its group had been signalled (__condvar_cancel_waiting).
    let outer = core::mem::replace(&mut thread.waits_for, (condition, thread.register.program_stack));
    let result = attempt();
    thread.waits_for = outer;
    let (condition, mutex) = (of(condition), rows::mutex(mutex));
    if has_waited(result) {
        let flags = cancel::told(thread);
        tell(thread, flags, condition, condition.word.place(), result);
        let before = mutex.advance(thread);
        tell(thread, 0, mutex, before.place, result);
    } else {
        tell(thread, REFUSED, condition, Place(0), result);
    }
    result
}

/// The mutex is about to be given up. Signals that come from here on are told from those that came before it: their handlers may
/// run after what others did with the mutex.
fn begin(thread: &mut Thread) {
    thread.passes += 1;
}

/// The wait has come to its end, and the thread has the mutex again. Called by the hook itself, for both modes: what libc does about a
/// cancellation is calls with addresses of this stack.
fn finish(thread: &mut Thread, result: i32) -> i32 {
    thread.passes += 1;
    if core::mem::take(&mut thread.cancellation) != Cancellation::Told {
        return result;
    }
    cancel::act();
    // It refuses. A wait may end without a reason.
    0
}

fn replay(thread: &mut Thread, condition: u64, mutex: u64) -> i32 {
    begin(thread);
    let (condition, mutex) = (of(condition), rows::mutex(mutex));
    if !is_refused(thread) {
        // SAFETY: the program's mutex, which it has locked, as in the recording.
        unsafe { MUTEX_UNLOCK.call([mutex.object]) };
        interrupt::replay(thread);
    }
    match expect(thread, condition) {
        Logged { refused: true, result, .. } => result,
        Logged { place, result, flags, .. } => {
            cancel::follow(thread, flags);
            condition.word.wait_for(thread, place);
            let again = expect(thread, mutex);
            come_to(thread, mutex, again.place);
            thread.held_by = again.place.holder();
            rows::lock(mutex.object);
            thread.held_by = 0;
            mutex.word.advance_and_wake(thread);
            result
        }
    }
}

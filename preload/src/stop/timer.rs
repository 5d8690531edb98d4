//! What interrupts a thread that computes, whatever the program blocks and whatever timers it has: a timer of the
//! thread's own, and a request of another thread.
//!
//! In replay the timer measures the thread's processor time, not time ([`super::overdue`]), and in recordings in sync order
//! ([`super::spot`]): there nobody waits for the thread.
//!
//! Both send SIGFPE, which we always catch and never block. The program's own do not look like ours: these carry
//! values of ours. Not SIGTRAP: the kernel keeps one pending signal of a number and drops a second, and a breakpoint
//! that is dropped leaves the thread behind the breakpoint. What raises SIGFPE is executed again and raises it
//! again.
//!
//! It is blocked while our handlers run, so an interruption may come when what it was for is over.

use crate::signals::{Information, code_of};
use crate::thread::Thread;
use crate::{kernel, order, process};
use kmod_shim::arch::native::raw;
use tracer_core::session::Mode;

/// Recognises a timer's signals.
const EXPIRED: u64 = u64::from_le_bytes(*b"imi-stop");
/// Recognises requests: the upper half of the value, whose lower half has the request.
const REQUESTED: u32 = u32::from_le_bytes(*b"imi!");
/// The signal that both send.
pub const INTERRUPTION: i32 = libc::SIGFPE;
/// `si_code` of a timer's signal, and of one that was queued.
const SI_TIMER: i32 = -2;
const SI_QUEUE: i32 = -1;
const SIGEV_THREAD_ID: i32 = 4;

/// Why a thread was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its timer has expired.
    Expired,
    /// Another thread waits for the right to run.
    Requested(Request),
}

/// What a thread that waits for the right to run tells the one that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// How long it has waited, in milliseconds; longer than a minute is a minute.
    pub waited: u16,
    /// The end of the number of the tenure that it wants to end.
    pub tenure: u16,
}

impl Request {
    /// A request of somebody who has waited for so many milliseconds while `tenures` had begun.
    pub fn new(waited: u64, tenures: u64) -> Request {
        Request { waited: waited.min(u64::from(u16::MAX)) as u16, tenure: tenures as u16 }
    }

    /// Whether it is about an earlier tenure than the one that has begun last.
    pub fn is_late(self, tenures: u64) -> bool {
        self.tenure != tenures as u16
    }
}

/// A thread's timer, which is made when it is needed first.
#[derive(Clone, Copy)]
pub struct Timer {
    /// The kernel's number for it.
    number: u32,
    /// The real id of the thread that it interrupts, 0 if there is none yet. A child of fork has none.
    thread: u32,
}

impl Timer {
    /// None yet.
    pub const NONE: Timer = Timer { number: 0, thread: 0 };

    /// The thread ends, and needs it no more.
    pub fn delete(&mut self) {
        if core::mem::take(&mut self.thread) != 0 {
            // SAFETY: the timer is ours.
            unsafe { raw::call(libc::SYS_timer_delete, [u64::from(self.number), 0, 0, 0, 0, 0]) };
        }
    }
}

/// `struct sigevent` of the kernel.
#[repr(C)]
struct Event {
    value: u64,
    signal: i32,
    notify: i32,
    thread: i32,
    padding: [i32; 11],
}

/// Why the signal was sent, if it is one of ours.
pub fn reason(signal: i32, information: &Information) -> Option<Reason> {
    let value = u64::from_le_bytes(core::array::from_fn(|i| information[24 + i]));
    match code_of(information) {
        SI_TIMER if signal == INTERRUPTION && value == EXPIRED => Some(Reason::Expired),
        SI_QUEUE if signal == INTERRUPTION && (value >> 32) as u32 == REQUESTED => {
            Some(Reason::Requested(Request { waited: value as u16, tenure: (value >> 16) as u16 }))
        }
        _ => None,
    }
}

/// Makes the thread's timer expire once, in `microseconds`; 0: not at all. False if the kernel has no timer for us.
pub fn set(thread: &mut Thread, microseconds: u64) -> bool {
    if thread.stop_timer.thread != thread.real {
        if microseconds == 0 {
            return true;
        }
        let Some(number) = create(thread.real) else { return false };
        thread.stop_timer = Timer { number, thread: thread.real };
    }
    let value = libc::timespec {
        tv_sec: (microseconds / 1_000_000) as i64,
        tv_nsec: (microseconds % 1_000_000 * 1000) as i64,
    };
    let setting = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    let timer = u64::from(thread.stop_timer.number);
    // SAFETY: the structure is valid; the timer is ours.
    unsafe { raw::call(libc::SYS_timer_settime, [timer, 0, &raw const setting as u64, 0, 0, 0]) == 0 }
}

fn create(thread: u32) -> Option<u32> {
    let event = Event {
        value: EXPIRED,
        signal: INTERRUPTION,
        notify: SIGEV_THREAD_ID,
        thread: thread as i32,
        padding: [0; 11],
    };
    let mut timer = 0u32;
    let clock = match process::get().mode {
        Mode::Record if !order::is_parallel() => libc::CLOCK_MONOTONIC,
        Mode::Record | Mode::Replay => libc::CLOCK_THREAD_CPUTIME_ID,
    };
    let arguments = [clock as u64, &raw const event as u64, &raw mut timer as u64, 0, 0, 0];
    // SAFETY: both structures are valid.
    (unsafe { raw::call(libc::SYS_timer_create, arguments) } == 0).then_some(timer)
}

/// Asks the thread with these real ids (process, thread) to stop.
pub fn request([process, thread]: [u32; 2], request: Request) {
    let mut information: Information = [0; 128];
    let value = u64::from(REQUESTED) << 32 | u64::from(request.tenure) << 16 | u64::from(request.waited);
    let (own, _) = kernel::real_ids();
    information[..4].copy_from_slice(&INTERRUPTION.to_le_bytes());
    information[8..12].copy_from_slice(&SI_QUEUE.to_le_bytes());
    information[16..20].copy_from_slice(&own.to_le_bytes());
    information[24..32].copy_from_slice(&value.to_le_bytes());
    let arguments =
        [u64::from(process), u64::from(thread), INTERRUPTION as u64, &raw const information as u64, 0, 0];
    // SAFETY: the information is a valid siginfo_t.
    let _ = unsafe { kernel::call(libc::SYS_rt_tgsigqueueinfo, arguments) };
}

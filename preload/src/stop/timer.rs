//! A timer that interrupts the thread, whatever the program blocks and whatever timers it has.
//!
//! It sends SIGFPE, which we always catch and never block. The program's own do not look like ours: a timer's have
//! SI_TIMER and the value that the timer was made with. Not SIGTRAP: the kernel keeps one pending signal of a number
//! and drops a second, and a breakpoint that is dropped leaves the thread behind the breakpoint. What raises SIGFPE
//! is executed again and raises it again.

use crate::signals::{Information, code_of};
use crate::{kernel, process};
use core::sync::atomic::{AtomicU32, Ordering};
use kmod_shim::arch::native::raw;

/// Recognises our timer's signals.
const VALUE: u64 = u64::from_le_bytes(*b"imi-stop");
/// The signal that it sends.
pub const SIGNAL: i32 = libc::SIGFPE;
/// `si_code` of a timer's signal.
const SI_TIMER: i32 = -2;
const SIGEV_THREAD_ID: i32 = 4;

/// The kernel's number for the timer, valid in the process whose id is in `OWNER` (a child has none).
static TIMER: AtomicU32 = AtomicU32::new(0);
static OWNER: AtomicU32 = AtomicU32::new(0);

/// `struct sigevent` of the kernel.
#[repr(C)]
struct Event {
    value: u64,
    signal: i32,
    notify: i32,
    thread: i32,
    padding: [i32; 11],
}

/// Whether `information` comes with a signal of ours.
pub fn is_ours(information: &Information) -> bool {
    let value = u64::from_le_bytes(core::array::from_fn(|i| information[24 + i]));
    code_of(information) == SI_TIMER && value == VALUE
}

/// Makes it expire once, in `microseconds`; 0: not at all. False if the kernel has no timer for us.
pub fn set(microseconds: u64) -> bool {
    let me = process::get().real_id;
    if OWNER.load(Ordering::Relaxed) != me {
        if microseconds == 0 {
            return true;
        }
        let Some(timer) = create() else { return false };
        TIMER.store(timer, Ordering::Relaxed);
        OWNER.store(me, Ordering::Relaxed);
    }
    let value = libc::timespec {
        tv_sec: (microseconds / 1_000_000) as i64,
        tv_nsec: (microseconds % 1_000_000 * 1000) as i64,
    };
    let setting = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    let timer = u64::from(TIMER.load(Ordering::Relaxed));
    // SAFETY: the structure is valid; the timer is ours.
    unsafe { raw::call(libc::SYS_timer_settime, [timer, 0, &raw const setting as u64, 0, 0, 0]) == 0 }
}

fn create() -> Option<u32> {
    let (_, thread) = kernel::real_ids();
    let event = Event {
        value: VALUE,
        signal: SIGNAL,
        notify: SIGEV_THREAD_ID,
        thread: thread as i32,
        padding: [0; 11],
    };
    let mut timer = 0u32;
    let arguments = [libc::CLOCK_MONOTONIC as u64, &raw const event as u64, &raw mut timer as u64, 0, 0, 0];
    // SAFETY: both structures are valid.
    (unsafe { raw::call(libc::SYS_timer_create, arguments) } == 0).then_some(timer)
}

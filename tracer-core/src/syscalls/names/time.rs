//! Names in calls about clocks and timers.

use super::{NameSet, choices, flags};

/// Clocks.
pub static CLOCK: NameSet = choices!(
    CLOCK_REALTIME,
    CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_THREAD_CPUTIME_ID,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME_COARSE,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_BOOTTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_TAI
);

/// `clock_nanosleep` and `timer_settime`.
pub static TIMER: NameSet = flags!(TIMER_ABSTIME);

/// `setitimer`.
pub static INTERVAL: NameSet = choices!(ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF);

/// `timerfd_create`.
pub static TIMER_FILE: NameSet = flags!(TFD_NONBLOCK, TFD_CLOEXEC);

/// `timerfd_settime`.
pub static TIMER_FILE_SET: NameSet = flags!(TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET);

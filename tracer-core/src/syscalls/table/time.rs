//! Calls about time.

use super::super::Class::Emulate;
use super::super::Syscall;
use super::super::kind::Type::*;
use super::super::kind::When;
use super::super::layout::Layout;
use super::super::names::time;
use super::super::shorthand::{reads, updates, writes, writes_bytes, writes_int};
use super::super::structures::{ITIMERSPEC, ITIMERVAL, SIGEVENT, TIMESPEC, TIMEVAL, TIMEX, TIMEZONE, TMS};
use super::rows;

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    35 nanosleep Emulate =>
        (duration: reads(&TIMESPEC), rem: writes(&TIMESPEC).when(When::Error(libc::EINTR)))
        blocks Never;
    230 clock_nanosleep Emulate =>
        (clockid: Named(&time::CLOCK), flags: Named(&time::TIMER), t: reads(&TIMESPEC),
         remain: writes(&TIMESPEC).when(When::Error(libc::EINTR))) blocks Never;
    36 getitimer Emulate => (which: Named(&time::INTERVAL), curr_value: writes(&ITIMERVAL));
    38 setitimer Emulate =>
        (which: Named(&time::INTERVAL), new_value: reads(&ITIMERVAL), old_value: writes(&ITIMERVAL));
    37 alarm Emulate => (seconds: Unsigned);
    96 gettimeofday Emulate => (tv: writes(&TIMEVAL), tz: writes(&TIMEZONE));
    164 settimeofday Emulate => (tv: reads(&TIMEVAL), tz: reads(&TIMEZONE));
    100 times Emulate => (buf: writes(&TMS));
    201 time Emulate => (tloc: writes_bytes(8).shown(Layout::Longs));
    // Unlike the next, this one tells the state of the clock even if it did not accept the new one.
    159 adjtimex Emulate => (buf: updates(&TIMEX).when(When::Always));
    305 clock_adjtime Emulate => (clockid: Named(&time::CLOCK), buf: updates(&TIMEX));
    227 clock_settime Emulate => (clockid: Named(&time::CLOCK), tp: reads(&TIMESPEC));
    228 clock_gettime Emulate => (clockid: Named(&time::CLOCK), tp: writes(&TIMESPEC));
    229 clock_getres Emulate => (clockid: Named(&time::CLOCK), res: writes(&TIMESPEC));
    222 timer_create Emulate =>
        (clockid: Named(&time::CLOCK), sevp: reads(&SIGEVENT), timerid: writes_int());
    223 timer_settime Emulate =>
        (timerid: Int, flags: Named(&time::TIMER), new_value: reads(&ITIMERSPEC),
         old_value: writes(&ITIMERSPEC));
    224 timer_gettime Emulate => (timerid: Int, curr_value: writes(&ITIMERSPEC));
    225 timer_getoverrun Emulate => (timerid: Int);
    226 timer_delete Emulate => (timerid: Int);
    283 timerfd_create Emulate => (clockid: Named(&time::CLOCK), flags: Named(&time::TIMER_FILE));
    286 timerfd_settime Emulate =>
        (fd: Descriptor, flags: Named(&time::TIMER_FILE_SET), new_value: reads(&ITIMERSPEC),
         old_value: writes(&ITIMERSPEC));
    287 timerfd_gettime Emulate => (fd: Descriptor, curr_value: writes(&ITIMERSPEC));
};

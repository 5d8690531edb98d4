//! Calls that wait for events, and futexes.

use super::super::Class::{Emulate, RefuseQuietly};
use super::super::Syscall;
use super::super::commands::ipc;
use super::super::kind::Type::{self, *};
use super::super::kind::When;
use super::super::names::{events, files, time};
use super::super::shorthand::{
    descriptors, reads, reads_bytes, reads_signals, reads_structures, result_structures, updates,
    updates_structures,
};
use super::super::structures::{EPOLL_EVENT, FUTEX_WAITER, POLLFD, SIGNALS_AND_SIZE, TIMESPEC, TIMEVAL};
use super::rows;

/// The kernel zeroes revents before it sleeps, so an interrupted poll has written too.
const POLLED: Type = updates_structures(1, &POLLFD).when(When::SuccessOr(libc::EINTR));
/// Linux leaves the remaining time in the timeout of select, pselect6 and ppoll, whatever came of the call.
const REMAINING: Type = updates(&TIMESPEC).when(When::Always);
const REMAINING_MICROSECONDS: Type = updates(&TIMEVAL).when(When::Always);
const FLAGS: Type = Named(&events::FUTEX2);

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    7 poll Emulate => (fds: POLLED, nfds: Unsigned, timeout: Int) blocks Never;
    271 ppoll Emulate =>
        (fds: POLLED, nfds: Unsigned, tmo_p: REMAINING, sigmask: reads_signals(4), sigsetsize: Size)
        blocks Never;
    23 select Emulate =>
        (nfds: Int, readfds: descriptors(0), writefds: descriptors(0), exceptfds: descriptors(0),
         timeout: REMAINING_MICROSECONDS) blocks Never;
    270 pselect6 Emulate =>
        (nfds: Int, readfds: descriptors(0), writefds: descriptors(0), exceptfds: descriptors(0),
         timeout: REMAINING, sigmask: reads(&SIGNALS_AND_SIZE)) blocks Never;

    213 epoll_create Emulate => (size: Int);
    291 epoll_create1 Emulate => (flags: Named(&events::EPOLL_CREATE));
    233 epoll_ctl Emulate =>
        (epfd: Descriptor, op: Named(&events::EPOLL_OPERATION), fd: Descriptor, event: reads(&EPOLL_EVENT));
    232 epoll_wait Emulate =>
        (epfd: Descriptor, events: result_structures(2, &EPOLL_EVENT), maxevents: Int, timeout: Int)
        blocks Never;
    281 epoll_pwait Emulate =>
        (epfd: Descriptor, events: result_structures(2, &EPOLL_EVENT), maxevents: Int, timeout: Int,
         sigmask: reads_signals(5), sigsetsize: Size) blocks Never;
    441 epoll_pwait2 Emulate =>
        (epfd: Descriptor, events: result_structures(2, &EPOLL_EVENT), maxevents: Int,
         timeout: reads(&TIMESPEC), sigmask: reads_signals(5), sigsetsize: Size) blocks Never;
    214 epoll_ctl_old RefuseQuietly(libc::ENOSYS) => ();
    215 epoll_wait_old RefuseQuietly(libc::ENOSYS) => ();

    284 eventfd Emulate => (initval: Unsigned);
    290 eventfd2 Emulate => (initval: Unsigned, flags: Named(&events::EVENT_FILE));
    253 inotify_init Emulate => ();
    294 inotify_init1 Emulate => (flags: Named(&events::WATCH_FILE));
    254 inotify_add_watch Emulate => (fd: Descriptor, pathname: Path, mask: Named(&events::WATCH));
    255 inotify_rm_watch Emulate => (fd: Descriptor, wd: Int);
    300 fanotify_init Emulate => (flags: Hex, event_f_flags: Named(&files::OPEN));
    301 fanotify_mark Emulate =>
        (fanotify_fd: Descriptor, flags: Hex, mask: Hex, dirfd: DirectoryDescriptor, pathname: Path);

    202 futex Emulate =>
        (uaddr: ByCommand(&ipc::FUTEX), futex_op: Command(&ipc::FUTEX), val: Int,
         timeout: ByCommand(&ipc::FUTEX), uaddr2: ByCommand(&ipc::FUTEX), val3: ByCommand(&ipc::FUTEX))
        blocks Untimed;
    449 futex_waitv Emulate =>
        (waiters: reads_structures(1, &FUTEX_WAITER), nr_futexes: Unsigned, flags: Hex,
         timeout: reads(&TIMESPEC), clockid: Named(&time::CLOCK)) blocks Always;
    454 futex_wake Emulate => (uaddr: Pointer, mask: Hex, nr: Int, flags: FLAGS);
    455 futex_wait Emulate =>
        (uaddr: Pointer, val: Size, mask: Hex, flags: FLAGS, timeout: reads(&TIMESPEC),
         clockid: Named(&time::CLOCK)) blocks Untimed;
    456 futex_requeue Emulate =>
        (waiters: reads_bytes(48), flags: Hex, nr_wake: Int, nr_requeue: Int);
};

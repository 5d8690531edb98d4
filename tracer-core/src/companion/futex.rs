//! [`Futex`] through libc, for the companion and for tests that play the program.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::wake::Futex;

/// Sleeps with the system's futex, shared between processes.
#[derive(Clone, Copy)]
pub struct SystemFutex<'a> {
    limit: Duration,
    peer: Option<BorrowedFd<'a>>,
}

impl<'a> SystemFutex<'a> {
    /// Sleeps at most `limit` at a time. `peer` is a connected socket whose other end only the other side
    /// holds; without it the other side is taken to be alive.
    pub fn new(limit: Duration, peer: Option<BorrowedFd<'a>>) -> SystemFutex<'a> {
        SystemFutex { limit, peer }
    }
}

impl Futex for SystemFutex<'_> {
    fn sleep(&self, word: &AtomicU32, value: u32) {
        let limit = libc::timespec {
            tv_sec: self.limit.as_secs() as libc::time_t,
            tv_nsec: self.limit.subsec_nanos().into(),
        };
        // Whatever ends the sleep (a ring, a changed word, a signal, the time), the caller looks again.
        // SAFETY: `word` and `limit` outlive the call; the kernel only reads them.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, &limit) };
    }

    fn wake(&self, word: &AtomicU32) {
        let nobody: *const libc::timespec = ptr::null();
        // SAFETY: only the address of `word` matters.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1, nobody) };
    }

    fn peer_lives(&self) -> bool {
        let Some(peer) = self.peer else { return true };
        // The kernel hangs a socket up when the last copy of its other end is closed, whatever killed the
        // holder; a process id may mean another process in another namespace, or later.
        let mut poll = libc::pollfd { fd: peer.as_raw_fd(), events: 0, revents: 0 };
        // SAFETY: one pollfd, which the kernel fills; a timeout of 0 does not sleep.
        unsafe { libc::poll(&mut poll, 1, 0) };
        poll.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) == 0
    }
}

//! Whether a process of a session is still alive, however it may end.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A process that uses a slot.
pub enum Process {
    /// Refers to this very process, also when its id is used again.
    Open(OwnedFd),
    /// There was no process with this id in our namespace when we first looked.
    NeverSeen,
    /// It is not known which it is, or there were no descriptors left to find out with.
    Unknown,
}

impl Process {
    /// The process that has the id `id` now; 0 means unknown.
    pub fn meet(id: u32) -> Process {
        if id == 0 {
            return Process::Unknown;
        }
        // SAFETY: a plain system call.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, id, 0) } as libc::c_int;
        if descriptor >= 0 {
            // SAFETY: just created, nobody else's.
            Process::Open(unsafe { OwnedFd::from_raw_fd(descriptor) })
        } else if io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH) {
            Process::NeverSeen
        } else {
            Process::Unknown
        }
    }

    /// Whether it has ended. `foreign_ids` says that ids in the session may be of another namespace: then only
    /// a process that was seen alive can be seen dead.
    pub fn is_dead(&self, foreign_ids: bool) -> bool {
        match self {
            Process::Open(process) => is_readable(process),
            Process::NeverSeen => !foreign_ids,
            Process::Unknown => false,
        }
    }

    /// Kills it if it is known.
    pub fn kill(&self) {
        if let Process::Open(process) = self {
            let information: *const libc::siginfo_t = std::ptr::null();
            // SAFETY: a plain system call; without information the kernel fills in its own.
            unsafe {
                libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, information, 0)
            };
        }
    }
}

/// A process's descriptor becomes readable when the process ends.
fn is_readable(descriptor: &OwnedFd) -> bool {
    let mut poll = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, which the kernel fills; a timeout of 0 does not sleep.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 && poll.revents & libc::POLLIN != 0 }
}

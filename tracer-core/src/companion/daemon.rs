//! Starting the companion as a process that neither the program nor its terminal can notice or end by accident.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::limits::{Limit, Resource};

/// Signals that a terminal, a shell or a broken pipe would end the companion with, while its program may well
/// handle them and go on. A limit on file size must be an error, not a death.
const IGNORED_SIGNALS: [libc::c_int; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE, libc::SIGXFSZ];

/// What the new process keeps.
pub struct Daemon<'a> {
    /// Its name, as `ps` shows it; at most 15 bytes.
    pub name: &'a CStr,
    /// Descriptors to keep; all others are closed.
    pub keep: &'a [RawFd],
    /// Whether to keep stderr.
    pub stderr: bool,
    /// Where to put its process id for as long as it runs, in memory shared with the caller.
    pub process: &'a AtomicU32,
}

/// Runs `body` in a new process that is nobody's child, in a session of its own; it exits when `body` returns.
/// The process id is in place when this returns.
///
/// To be called while this process has one thread.
pub fn spawn(daemon: &Daemon, body: impl FnOnce()) -> io::Result<()> {
    // Two generations, so that the caller has no child that a wait() of the program's could find. The one in
    // between has no exit signal, for a SIGCHLD would stay pending for a program that inherits it blocked.
    // SAFETY: clone without flags is fork; the child only makes the calls below and exits.
    let between = unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) } as libc::pid_t;
    match between {
        -1 => Err(cannot_start(io::Error::last_os_error())),
        0 => {
            // libc's fork this time: it sets up what libc keeps about the thread for the process that stays.
            // SAFETY: the process has one thread.
            match unsafe { libc::fork() } {
                -1 => exit(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EAGAIN)),
                0 => {
                    settle(daemon);
                    body();
                    daemon.process.store(0, Ordering::Release);
                }
                process => daemon.process.store(process as u32, Ordering::Release),
            }
            exit(0)
        }
        _ => match wait_for(between)? {
            0 => Ok(()),
            error => Err(cannot_start(io::Error::from_raw_os_error(error))),
        },
    }
}

fn cannot_start(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot start the process that keeps the trace: {error}"))
}

fn exit(code: i32) -> ! {
    // Not exit(): what the caller registered with atexit is the caller's to run.
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// The exit code of a child without exit signal.
fn wait_for(child: libc::pid_t) -> io::Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: the kernel writes to `status`.
        if unsafe { libc::waitpid(child, &mut status, libc::__WALL) } == child {
            return Ok(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { libc::EINTR });
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Makes this process independent of whoever started it. Nothing here is worth failing for.
fn settle(daemon: &Daemon) {
    // SAFETY: plain system calls with valid arguments; the action and mask are initialised by libc.
    unsafe {
        libc::setsid();
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=libc::SIGRTMAX() {
            libc::sigaction(signal, &action, ptr::null_mut());
        }
        action.sa_sigaction = libc::SIG_IGN;
        for signal in IGNORED_SIGNALS {
            libc::sigaction(signal, &action, ptr::null_mut());
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
        libc::chdir(c"/".as_ptr());
        libc::prctl(libc::PR_SET_NAME, daemon.name.as_ptr());
    }
    for resource in [Resource::OpenFiles, Resource::FileSize, Resource::ProcessorTime] {
        let _ = Limit::of(resource).and_then(Limit::raise);
    }
    close_descriptors(daemon);
}

/// Closes all descriptors but the wanted ones. 0 to 2 stay taken, so that nothing that is opened later is
/// mistaken for them.
fn close_descriptors(daemon: &Daemon) {
    let mut kept: Vec<libc::c_uint> =
        daemon.keep.iter().map(|&descriptor| descriptor as libc::c_uint).collect();
    kept.sort_unstable();
    let mut from = 3;
    for &descriptor in &kept {
        if descriptor > from {
            close_range(from, descriptor - 1);
        }
        from = from.max(descriptor + 1);
    }
    close_range(from, libc::c_uint::MAX);
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        for standard in 0..if daemon.stderr { 2 } else { 3 } {
            if !kept.contains(&(standard as libc::c_uint)) {
                // SAFETY: replaces a descriptor that nothing here uses.
                unsafe { libc::dup2(null.as_raw_fd(), standard) };
            }
        }
        if null.as_raw_fd() < 3 {
            // It took the place of a standard descriptor that was closed, and stays.
            std::mem::forget(null);
        }
    }
}

fn close_range(first: libc::c_uint, last: libc::c_uint) {
    // SAFETY: the closed descriptors' owners are in the caller's copy of this process; none is dropped here.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}

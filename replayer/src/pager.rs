//! Long output on a terminal goes through a pager, as git's does.

use rustix::stdio::dup2_stdout;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What shows the output if `PAGER` does not say.
const DEFAULT: &str = "less";
/// How less behaves if `LESS` does not say: what fits on the screen is shown and that is all, colours are colours, and the
/// output stays there.
const LESS: &str = "FRX";

static WANTED: AtomicBool = AtomicBool::new(true);
static PAGER: Mutex<Option<Child>> = Mutex::new(None);

/// Output is not to be paged.
pub fn forbid() {
    WANTED.store(false, Ordering::Relaxed);
}

/// What is written to stdout from here on is paged, if that is a terminal. Without a pager it goes to the terminal itself.
pub fn begin() {
    if !WANTED.load(Ordering::Relaxed) || !std::io::stdout().is_terminal() {
        return;
    }
    let default = || which::which(DEFAULT).ok().map(|_| OsString::from(DEFAULT));
    let Some(named) = std::env::var_os("PAGER").or_else(default) else { return };
    if named.is_empty() || named == "cat" {
        return;
    }
    let mut command = Command::new("/bin/sh");
    // A user's PAGER may have arguments.
    command.arg("-c").arg(named).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", LESS);
    }
    let Ok(mut pager) = command.spawn() else { return };
    if let Some(input) = pager.stdin.take()
        && dup2_stdout(OwnedFd::from(input)).is_ok()
    {
        // It is for people all the same.
        anstream::ColorChoice::write_global(anstream::ColorChoice::Always);
        // The pager's user interrupts what the pager does; this process ends when nobody reads.
        // SAFETY: sets a signal's disposition.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    }
    if let Ok(mut place) = PAGER.lock() {
        *place = Some(pager);
    }
}

/// Whether output is paged.
pub fn is_on() -> bool {
    PAGER.lock().is_ok_and(|pager| pager.is_some())
}

/// All has been written: waits until the user has seen it.
pub fn end() {
    let pager = PAGER.lock().ok().and_then(|mut pager| pager.take());
    let Some(mut pager) = pager else { return };
    // A reader that is gone has seen enough.
    let _ = std::io::stdout().flush();
    if let Ok(nowhere) = std::fs::File::options().write(true).open("/dev/null") {
        // The pager waits for the end of its input.
        let _ = dup2_stdout(nowhere);
    }
    let _ = pager.wait();
}

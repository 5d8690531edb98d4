//! How the tool ends: with the program's own status, or with one that can only be its own.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The tool itself failed, in any subcommand (as `env`, `nice` and `timeout` use it).
pub const FAILED: i32 = 125;
/// A replay failed, and the recorded program itself had ended with [`FAILED`].
pub const FAILED_INSTEAD_OF_125: i32 = 124;
/// `verify`, `hunt`, `bisect`, `grep`, `diff` and `doctor`: the answer is no.
pub const NO: i32 = 1;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status (0 to 255).
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
}

impl Ending {
    /// The same from what `wait` gave.
    pub fn of(status: ExitStatus) -> Ending {
        match status.signal() {
            Some(signal) => Ending::Killed(signal),
            None => Ending::Exited(status.code().unwrap_or(FAILED)),
        }
    }

    /// The status of a replay that failed, distinct from how the recorded program ended.
    pub fn failed_replay(recorded: Option<Ending>) -> i32 {
        match recorded {
            Some(Ending::Exited(FAILED)) => FAILED_INSTEAD_OF_125,
            _ => FAILED,
        }
    }

    /// Ends this process in the same way.
    pub fn repeat(self) -> ! {
        match self {
            Ending::Exited(status) => std::process::exit(status),
            Ending::Killed(signal) => die_by(signal),
        }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exited(status) => write!(f, "exit {status}"),
            Ending::Killed(signal) => f.write_str(&signal_name(*signal)),
        }
    }
}

/// The signals from 1 on, without SIG.
const SIGNAL_NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// `SIGSEGV` for 11, and so on.
pub fn signal_name(signal: i32) -> String {
    match usize::try_from(signal - 1).ok().and_then(|index| SIGNAL_NAMES.get(index)) {
        Some(name) => format!("SIG{name}"),
        None => format!("signal {signal}"),
    }
}

/// 11 for `SIGSEGV`, `segv` or `11`; `None` if there is no such signal.
pub fn signal_number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse() {
        return (1..=64).contains(&number).then_some(number);
    }
    let name = name.to_ascii_uppercase();
    let short = name.strip_prefix("SIG").unwrap_or(&name);
    let index = SIGNAL_NAMES.iter().position(|known| *known == short)?;
    i32::try_from(index + 1).ok()
}

fn die_by(signal: i32) -> ! {
    // SAFETY: plain system calls on this process; the structures live on this stack and are initialised.
    unsafe {
        // The program's core is what its user wants; one of the tool would overwrite it.
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        libc::signal(signal, libc::SIG_DFL);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
        libc::kill(libc::getpid(), signal);
    }
    // A signal that does not kill cannot have killed the program; what shells say is the best that is left.
    std::process::exit(128 + signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_replay_never_looks_like_the_recorded_program() {
        for recorded in
            (0..256).map(Ending::Exited).chain((1..65).map(Ending::Killed)).map(Some).chain([None])
        {
            assert_ne!(Some(Ending::Exited(Ending::failed_replay(recorded))), recorded);
        }
    }

    #[test]
    fn signals_have_the_names_of_the_manual() {
        assert_eq!(signal_name(libc::SIGSEGV), "SIGSEGV");
        assert_eq!(signal_name(libc::SIGSYS), "SIGSYS");
        assert_eq!(signal_name(libc::SIGHUP), "SIGHUP");
        assert_eq!(signal_name(40), "signal 40");
        assert_eq!(signal_name(0), "signal 0");
        for signal in 1..32 {
            assert_eq!(signal_number(&signal_name(signal)), Some(signal));
        }
        assert_eq!(signal_number("kill"), Some(libc::SIGKILL));
        assert_eq!(signal_number("64"), Some(64));
        assert_eq!(["0", "65", "-1", "", "SIG"].map(signal_number), [None; 5]);
    }
}

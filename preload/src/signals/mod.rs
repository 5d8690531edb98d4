//! Signals: the program's view of them is ours to keep.
//!
//! The kernel only ever sees our handler (`handler`), on our stack. What arrives asynchronously is put aside
//! and delivered at the next safepoint (`deliver`), where a replay can deliver it too; what an instruction
//! causes (`fault`) is delivered at that instruction, which replay reaches by itself. Dispositions, masks and
//! the alternate stack that the program set are kept here and answered from here.

pub mod deliver;
pub mod fault;
pub mod handler;
pub mod kernel_side;

/// `struct sigaction` of the kernel (not libc's).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// SIG_DFL, SIG_IGN or an address.
    pub handler: u64,
    /// SA_*.
    pub flags: u64,
    /// Where the handler returns to.
    pub restorer: u64,
    /// Signals blocked while it runs.
    pub mask: u64,
}

impl Action {
    /// The default action.
    pub const DEFAULT: Action = Action { handler: 0, flags: 0, restorer: 0, mask: 0 };

    /// Whether a function of the program handles the signal.
    pub fn is_function(&self) -> bool {
        self.handler > libc::SIG_IGN as u64
    }
}

/// The bit of `signal` in a mask.
pub const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Signals that instructions cause. We always catch these and never let them be blocked.
pub const SYNCHRONOUS: u64 = bit(libc::SIGSEGV)
    | bit(libc::SIGBUS)
    | bit(libc::SIGFPE)
    | bit(libc::SIGILL)
    | bit(libc::SIGTRAP)
    | bit(libc::SIGSYS);

/// Signals that no mask can hold.
pub const UNBLOCKABLE: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);

/// Whether the default action of `signal` leaves the process alive (ignored, stopped or continued).
pub fn default_is_harmless(signal: i32) -> bool {
    matches!(
        signal,
        libc::SIGCHLD
            | libc::SIGURG
            | libc::SIGWINCH
            | libc::SIGCONT
            | libc::SIGSTOP
            | libc::SIGTSTP
            | libc::SIGTTIN
            | libc::SIGTTOU
    )
}

/// `siginfo_t` as bytes.
pub type Information = [u8; 128];

/// `si_code` of a `siginfo_t`.
pub fn code_of(information: &Information) -> i32 {
    i32::from_le_bytes([information[8], information[9], information[10], information[11]])
}

/// Signals put aside, at most one of each number (as the kernel does for standard signals; real-time signals
/// stay queued in the kernel, because everything is blocked from the first one put aside to its delivery).
pub struct Pending {
    set: u64,
    forced: u64,
    information: [Information; 65],
}

impl Pending {
    /// Forgets all, and touches no more memory than that takes: each child of a fork does this.
    pub fn clear(&mut self) {
        self.set = 0;
        self.forced = 0;
    }

    /// The signals put aside, as a mask.
    pub fn set(&self) -> u64 {
        self.set
    }

    /// Adds one. The kernel let it through, so it is delivered whatever the program's mask says at the next
    /// safepoint (a temporary mask, as in ppoll, may have let it in); but signals of faults are never blocked
    /// for real, so for these the mask counts.
    pub fn add(&mut self, signal: i32, information: &Information) {
        self.set |= bit(signal);
        self.forced |= bit(signal) & !SYNCHRONOUS;
        self.information[signal as usize] = *information;
    }

    /// Removes the lowest-numbered one that is not in `blocked`.
    pub fn take(&mut self, blocked: u64) -> Option<(i32, Information)> {
        let signal = self.first(blocked)?;
        self.set &= !bit(signal);
        self.forced &= !bit(signal);
        Some((signal, self.information[signal as usize]))
    }

    /// The one that `take` would give.
    pub fn first(&self, blocked: u64) -> Option<i32> {
        let deliverable = self.set & !(blocked & !self.forced);
        (deliverable != 0).then(|| deliverable.trailing_zeros() as i32 + 1)
    }

    /// Whether one is there that is not in `blocked`.
    pub fn any(&self, blocked: u64) -> bool {
        self.first(blocked).is_some()
    }
}
